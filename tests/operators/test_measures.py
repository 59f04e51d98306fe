import numpy as np
import pytest

from hippo import project, transition
from hippo.operators.measures import MEASURES, find_measure

ORDER = 16


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("order", [1, 2, 7, 16])
def test_shapes_and_dtype(measure, order):
    if measure == "fout" or measure.startswith("diag_"):
        order += order % 2  # states are pairs
    A, B = transition(measure, order)
    assert A.shape == (order, order) and B.shape == (order,)
    assert A.dtype == B.dtype == np.float64 and np.isfinite(A).all() and np.isfinite(B).all()


@pytest.mark.parametrize("measure", MEASURES)
def test_theta_divides_both_matrices(measure):
    A, B = transition(measure, ORDER)
    slow = transition(measure, ORDER, theta=20.0)
    np.testing.assert_allclose(slow[0] * 20, A, rtol=1e-15)
    np.testing.assert_allclose(slow[1] * 20, B, rtol=1e-15)


def test_lmu_is_legt_under_a_diagonal_similarity():
    n = np.arange(ORDER)
    scale = (-1.0) ** n * np.sqrt(2 * n + 1)  # c_lmu = scale * c_legt
    A, B = transition("legt", ORDER, theta=3.0)
    A_lmu, B_lmu = transition("lmu", ORDER, theta=3.0)
    np.testing.assert_allclose(A_lmu, scale[:, None] * A / scale, rtol=1e-14)
    np.testing.assert_allclose(B_lmu, scale * B, rtol=1e-14)


# Signals that the basis represents exactly: polynomials, polynomials times the root of the weight, sinusoids.
EXACT = {
    "legs": lambda s: 1 - 3 * s + 2 * s**3,
    "legt": lambda s: 1 - 3 * s + 2 * s**3,
    "lmu": lambda s: 1 - 3 * s + 2 * s**3,
    "lagt": lambda s: (1 - 3 * s + 2 * s**3) * np.exp(-s / 2),
    "fout": lambda s: 1 - 3 * np.cos(2 * np.pi * s) + 2 * np.sin(6 * np.pi * s),
}


def test_fout_has_pairs_of_states():
    """A cosine without its sine does not rotate: the coefficients would be those of another function."""
    for compute in (lambda: transition("fout", 9), lambda: project(np.ones(20), order=9, measure="fout", theta=10)):
        with pytest.raises(ValueError, match="order must be even and at least 2, .* got 9: use 8 or 10"):
            compute()


@pytest.mark.parametrize("measure", EXACT)
def test_basis_is_complete_for_its_own_functions(measure):
    age = np.linspace(0, 1, 50)
    basis = find_measure(measure).basis(8, age)
    coefficients, *_ = np.linalg.lstsq(basis, EXACT[measure](age), rcond=None)
    np.testing.assert_allclose(basis @ coefficients, EXACT[measure](age), rtol=0, atol=1e-9)


@pytest.mark.parametrize("measure", EXACT)
def test_matrices_are_the_derivative_of_the_coefficients(measure):
    """A c + B g(now) is the time derivative of the coefficients of a signal g that the basis represents exactly.

    legs is tested as scale-invariant, at t = 1, where c' = A c + B f.
    """
    chosen, order, h = find_measure(measure), 8, 1e-6
    fit_age = np.linspace(0, 1, 200) * (1.0 if measure != "lagt" else 8.0)

    def coefficients(now):  # of x -> EXACT(-x), projected at time `now`
        age = fit_age * (now if measure == "legs" else 1.0)
        past = EXACT[measure]((age - (now - 1)) if measure == "legs" else (age - now))
        return np.linalg.lstsq(chosen.basis(order, fit_age), past, rcond=None)[0]

    start = 1.0 if measure == "legs" else 0.0
    A, B = transition(measure, order, theta=1.0)
    newest = EXACT[measure](np.array(0.0))
    derivative = (coefficients(start + h) - coefficients(start - h)) / (2 * h)
    stated = (A @ coefficients(start) + B * newest) * (chosen.window or 1.0)
    # Central differences of values of order 10 at h = 1e-6 are good to about 1e-8; cubes have no third-order error.
    np.testing.assert_allclose(derivative, stated, rtol=0, atol=1e-6)


def test_random_depends_on_its_seed_alone():
    np.testing.assert_array_equal(transition("random", 8, seed=3)[0], transition("random", 8, seed=3)[0])
    assert not np.array_equal(transition("random", 8, seed=3)[0], transition("random", 8, seed=4)[0])
    A, _ = transition("random", 400, seed=0)
    assert abs(A.std() * 400 - 1) < 0.02  # 160 000 samples: the standard error is 0.002


@pytest.mark.parametrize("measure", ["legs", "legt", "lmu", "lagt", "fout"])
def test_stable(measure):
    assert np.linalg.eigvals(transition(measure, ORDER)[0]).real.max() < 1e-12


def test_errors_name_the_alternative():
    with pytest.raises(ValueError, match="unknown measure 'legz'; did you mean 'leg"):
        transition("legz", 4)
    with pytest.raises(ValueError, match="order must be at least 1, got 0"):
        transition("legs", 0)
    for order in (2.5, True, "4", None):
        with pytest.raises(TypeError, match="order must be an integer"):
            transition("legs", order)
    for theta in (-1, 0, np.nan, np.inf):
        with pytest.raises(ValueError, match="theta must be a positive number"):
            transition("legt", 4, theta=theta)
    for theta in ("a", True, 1j, [1, 2]):
        with pytest.raises(TypeError, match="theta must be a positive number"):
            transition("legt", 4, theta=theta)
    with pytest.raises(ValueError, match="window must be a positive number"):
        transition("legt", 4, window=0)
    with pytest.raises(ValueError, match="theta and window both set the timescale"):
        transition("legt", 4, theta=1, window=1)
    for measure in ("legs", "lagt", "random"):
        with pytest.raises(ValueError, match=f"measure {measure!r} has no window"):
            transition(measure, 4, window=2)
