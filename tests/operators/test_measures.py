import numpy as np
import pytest

from hippo import transition
from hippo.operators.measures import MEASURES, find_measure

ORDER = 16


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("order", [1, 2, 7, 16])
def test_shapes_and_dtype(measure, order):
    A, B = transition(measure, order)
    assert A.shape == (order, order) and B.shape == (order,)
    assert A.dtype == B.dtype == np.float64 and np.isfinite(A).all() and np.isfinite(B).all()


@pytest.mark.parametrize("measure", [m for m in MEASURES if m != "legs"])
def test_theta_stretches_time(measure):
    A, B = transition(measure, ORDER)
    stretched = transition(measure, ORDER, theta=20.0)
    np.testing.assert_allclose(stretched[0] * 20, A, rtol=1e-15)
    np.testing.assert_allclose(stretched[1] * 20, B, rtol=1e-15)


def test_lmu_is_legt_under_a_diagonal_similarity():
    n = np.arange(ORDER)
    scale = (-1.0) ** n * np.sqrt(2 * n + 1)  # c_lmu = scale * c_legt
    A, B = transition("legt", ORDER, theta=3.0)
    A_lmu, B_lmu = transition("lmu", ORDER, theta=3.0)
    np.testing.assert_allclose(A_lmu, scale[:, None] * A / scale, rtol=1e-14)
    np.testing.assert_allclose(B_lmu, scale * B, rtol=1e-14)


# The inputs of which the basis is exact: polynomials, polynomials times the weight's root, sinusoids.
EXACT = {
    "legs": lambda s: 1 - 3 * s + 2 * s**3,
    "legt": lambda s: 1 - 3 * s + 2 * s**3,
    "lmu": lambda s: 1 - 3 * s + 2 * s**3,
    "lagt": lambda s: (1 - 3 * s + 2 * s**3) * np.exp(-s / 2),
    "fout": lambda s: 1 - 3 * np.cos(2 * np.pi * s) + 2 * np.sin(6 * np.pi * s),
}


@pytest.mark.parametrize("measure", EXACT)
def test_basis_is_complete_for_its_own_functions(measure):
    age = np.linspace(0, 1, 50)
    basis = find_measure(measure).basis(8, age)
    coefficients, *_ = np.linalg.lstsq(basis, EXACT[measure](age), rcond=None)
    np.testing.assert_allclose(basis @ coefficients, EXACT[measure](age), atol=1e-9)


@pytest.mark.parametrize("measure", EXACT)
def test_dynamics_shift_the_past(measure):
    """The derivative of the projection: what the basis sees must age at unit rate.

    In c' = A c + B f (at t = 1 for legs, whose window grows) the remembered function g(x), fixed in absolute time,
    keeps exact coefficients while it stays in the span of the basis: A c + B g(now) is then their derivative.
    """
    chosen, order, h = find_measure(measure), 8, 1e-6
    fit_age = np.linspace(0, 1, 200) * (1.0 if measure != "lagt" else 8.0)

    def coefficients(now):  # of x -> EXACT(-x), projected when the time is `now`
        age = fit_age * (now if measure == "legs" else 1.0)
        past = EXACT[measure]((age - (now - 1)) if measure == "legs" else (age - now))
        return np.linalg.lstsq(chosen.basis(order, fit_age), past, rcond=None)[0]

    start = 1.0 if measure == "legs" else 0.0
    A, B = transition(measure, order, theta=1.0)
    newest = EXACT[measure](np.array(0.0))
    derivative = (coefficients(start + h) - coefficients(start - h)) / (2 * h)
    stated = (A @ coefficients(start) + B * newest) * (chosen.window or 1.0)
    # Central differences of values of order 10 at h = 1e-6 are good to about 1e-8; cubes have no third-order error.
    np.testing.assert_allclose(derivative, stated, atol=1e-6)


def test_random_depends_on_its_seed_alone():
    np.testing.assert_array_equal(transition("random", 8, seed=3)[0], transition("random", 8, seed=3)[0])
    assert not np.array_equal(transition("random", 8, seed=3)[0], transition("random", 8, seed=4)[0])
    A, _ = transition("random", 400, seed=0)
    assert abs(A.std() * 400 - 1) < 0.02  # 160 000 draws: the standard error is 0.002


@pytest.mark.parametrize("measure", ["legs", "legt", "lmu", "lagt", "fout"])
def test_stable(measure):
    assert np.linalg.eigvals(transition(measure, ORDER)[0]).real.max() < 1e-12


def test_errors_name_the_way_out():
    with pytest.raises(ValueError, match="unknown measure 'legz'; did you mean 'leg"):
        transition("legz", 4)
    with pytest.raises(ValueError, match="order must be at least 1, got 0"):
        transition("legs", 0)
    with pytest.raises(TypeError):
        transition("legs", 2.5)
    with pytest.raises(ValueError, match="theta must be a positive number"):
        transition("legt", 4, theta=-1)
    with pytest.raises(ValueError, match="no time scale"):
        transition("legs", 4, theta=2.0)
