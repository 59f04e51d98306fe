import doctest
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import hippo.operators
from hippo import transition
from hippo.operators import MEASURES, ScaleInvariant, TimeInvariant, default_dynamics, discretize
from hippo.operators import discretization as discretization_module
from hippo.operators import dynamics as dynamics_module
from hippo.operators import measures as measures_module


def test_only_legs_is_scale_invariant_by_default():
    defaults = {measure: default_dynamics(measure) for measure in MEASURES}
    assert defaults.pop("legs") == "scale-invariant"
    assert set(defaults.values()) == {"time-invariant"}


@pytest.mark.parametrize("discretization", ["euler", "bilinear", "backward", 0.25])
@pytest.mark.parametrize("step_ratio", [1.0, 1 / 7])
def test_scale_invariant_step_is_the_dense_equation(discretization, step_ratio):
    """c' = c + s [(1 - a) (A c + B f) + a (A c' + B f)], solved for c' here."""
    A, B = transition("legs", 5)
    alpha = {"euler": 0.0, "bilinear": 0.5, "backward": 1.0}.get(discretization, discretization)
    c, f = np.array([1.0, -2, 3, 0.5, 1]), 0.7
    Abar, Bbar = ScaleInvariant("legs", 5).discretize(step_ratio, discretization)
    after = Abar @ c + Bbar * f
    residual = after - c - step_ratio * ((1 - alpha) * (A @ c) + alpha * (A @ after) + B * f)
    np.testing.assert_allclose(residual, 0, atol=1e-13)


def test_scale_invariant_zero_order_hold_solves_the_differential_equation():
    """From t = 3 to t = 4 under a constant input, against an adaptive solver."""
    system, c, f = ScaleInvariant("legs", 5), np.array([1.0, -2, 3, 0.5, 1]), 0.7

    def derivative(t, c):
        A, B = system.continuous(t)
        return A @ c + B * f

    exact = solve_ivp(derivative, (3, 4), c, "DOP853", rtol=1e-12, atol=1e-12).y[:, -1]
    Abar, Bbar = system.discretize(1 / 4, "zoh")
    np.testing.assert_allclose(Abar @ c + Bbar * f, exact, rtol=0, atol=1e-10)


def test_scale_invariant_pair_is_the_measure_over_time():
    for found, expected in zip(ScaleInvariant("legs", 4).continuous(8.0), transition("legs", 4), strict=True):
        np.testing.assert_array_equal(found, expected / 8)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("discretization", ["bilinear", "zoh"])
def test_a_longer_theta_is_a_shorter_step(measure, discretization):
    slow = TimeInvariant(measure, 6, theta=10, seed=3).discretize(1, discretization)
    fast = TimeInvariant(measure, 6, seed=3).discretize(1 / 10, discretization)
    for one, other in zip(slow, fast, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-14)


def test_time_invariant_pair_and_step_are_those_of_the_functions():
    system = TimeInvariant("random", 6, theta=4, seed=9)
    A, B = transition("random", 6, theta=4, seed=9)
    np.testing.assert_array_equal(system.continuous()[0], A)
    np.testing.assert_array_equal(system.discretize(0.5)[1], discretize(A, B, 0.5, "zoh")[1])


def test_systems_are_values():
    assert TimeInvariant("legt", 4, window=2) == TimeInvariant("legt", 4, window=2)
    assert hash(TimeInvariant("legt", 4, window=2)) == hash(TimeInvariant("legt", 4, window=2))
    with pytest.raises(FrozenInstanceError):
        TimeInvariant("legt", 4).order = 5


def test_errors_name_the_alternative():
    with pytest.raises(ValueError, match="'legt' is not scale-invariant.* only 'legs'"):
        ScaleInvariant("legt", 4)
    with pytest.raises(ValueError, match="step_ratio must be below 1"):
        ScaleInvariant("legs", 4).discretize(1.0, "zoh")
    with pytest.raises(ValueError, match="step_ratio must be a positive number"):
        ScaleInvariant("legs", 4).discretize(0.0)
    with pytest.raises(ValueError, match="unknown measure 'legz'"):
        default_dynamics("legz")
    with pytest.raises(ValueError, match="unknown measure 'legz'"):
        TimeInvariant("legz", 4)
    with pytest.raises(ValueError, match="theta and window both"):
        TimeInvariant("legt", 4, theta=1, window=1)
    with pytest.raises(ValueError, match="'random' has no basis"):
        TimeInvariant("random", 4).basis(np.zeros(1))


@pytest.mark.parametrize("module", [measures_module, dynamics_module, discretization_module])
def test_examples(module):
    result = doctest.testmod(module)
    assert result.attempted > 0 and result.failed == 0


def test_the_package_exports_what_its_documentation_names():
    assert all(hasattr(hippo.operators, name) for name in hippo.operators.__all__)
