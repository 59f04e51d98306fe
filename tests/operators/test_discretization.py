import numpy as np
import pytest
from scipy.integrate import solve_ivp

from hippo import transition
from hippo.operators.discretization import ALPHAS, discretize
from hippo.operators.measures import MEASURES
from hippo.operators.structured import structured_system

ORDERS_OF_CONVERGENCE = {"euler": 1, "backward": 1, "bilinear": 2, "zoh": 2, 0.25: 1}
STABLE = [m for m in MEASURES if m != "random"]


def solve(A, B, discretization, steps, signal, duration):
    Abar, Bbar = discretize(A, B, duration / steps, discretization)
    c = np.zeros(len(A))
    for k in range(steps):
        # The bilinear rule takes the input in the middle of the step; an input held from the start has order 1 at most.
        at = k + (discretization if not isinstance(discretization, str) else ALPHAS.get(discretization, 0.5))
        c = Abar @ c + Bbar * signal(at * duration / steps)
    return c


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("discretization", "order"), [("euler", 1), ("backward", 1), ("bilinear", 2), ("zoh", 2), (0.25, 1)]
)
def test_order_of_convergence(measure, discretization, order):
    """Halving the step divides the error by 2^order, against an adaptive solver at 1e-12."""
    A, B = transition(measure, 4)
    duration = 0.5

    def signal(t):
        return np.sin(3 * t) + 0.5

    exact = solve_ivp(
        lambda t, c: A @ c + B * signal(t), (0, duration), np.zeros(4), "DOP853", rtol=1e-12, atol=1e-12
    ).y[:, -1]
    errors = [np.linalg.norm(solve(A, B, discretization, steps, signal, duration) - exact) for steps in (512, 1024)]
    # At these steps the next term of the error is under a hundredth of the leading one.
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.05)


@pytest.mark.parametrize("measure", STABLE)
def test_zero_order_hold_is_exact_for_held_inputs(measure):
    A, B = transition(measure, 6)
    coarse = discretize(A, B, 0.2, "zoh")
    fine = discretize(A, B, 0.1, "zoh")
    np.testing.assert_allclose(fine[0] @ fine[0], coarse[0], rtol=0, atol=1e-13)
    np.testing.assert_allclose(fine[0] @ fine[1] + fine[1], coarse[1], rtol=0, atol=1e-13)


@pytest.mark.parametrize("discretization", ["bilinear", "zoh", "backward", 0.75])
@pytest.mark.parametrize("measure", STABLE)
def test_stable_rules_stay_stable(measure, discretization):
    Abar, _ = discretize(*transition(measure, 32), 0.3, discretization)
    assert abs(np.linalg.eigvals(Abar)).max() < 1 + 1e-9


def test_legt_of_order_one_with_euler_is_the_gated_update():
    Abar, Bbar = discretize(*transition("legt", 1), 0.1, "euler")
    assert Abar[0, 0] == pytest.approx(0.9, abs=1e-15) and Bbar[0] == pytest.approx(0.1, abs=1e-15)


def test_family_agrees_with_its_names():
    A, B = transition("legt", 5)
    for name, alpha in ALPHAS.items():
        for named, weighted in zip(discretize(A, B, 0.1, name), discretize(A, B, 0.1, alpha), strict=True):
            np.testing.assert_array_equal(named, weighted)


def test_errors_name_the_alternative():
    A, B = transition("legt", 4)
    with pytest.raises(ValueError, match="unknown discretization 'bilinea'; did you mean 'bilinear'"):
        discretize(A, B, 0.1, "bilinea")
    with pytest.raises(ValueError, match="unknown discretization 1.5"):
        discretize(A, B, 0.1, 1.5)
    with pytest.raises(ValueError, match="unknown discretization True"):
        discretize(A, B, 0.1, True)
    with pytest.raises(TypeError, match="step must be a positive number"):
        discretize(A, B, "a")
    with pytest.raises(ValueError, match="step must be a positive number"):
        discretize(A, B, 0.0)
    with pytest.raises(ValueError, match=r"got \(4, 4\) and \(5,\)"):
        discretize(A, np.ones(5), 0.1)


@pytest.mark.parametrize("discretization", [*ALPHAS, "zoh"])
def test_complex_coordinates(discretization):
    """Every rule commutes with the change V of coordinates."""
    system = structured_system("legs", 8)
    V = np.hstack([system.coordinates, system.coordinates.conj()])
    A, B = discretize(*system.expand(), 0.05, discretization)
    expected = discretize(*transition("legs", 8), 0.05, discretization)
    for found, wanted in zip((V @ A @ V.conj().T, V @ B), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)
