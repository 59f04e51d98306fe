"""Time dynamics: how time enters the differential equation of a measure's coefficients.

Scale-invariant dynamics are c'(t) = (A c(t) + B f(t)) / t: the memory covers all elapsed time. Time-invariant
dynamics are c'(t) = A c(t) + B f(t): the memory covers a window, or a fading past, of fixed length. legs has both:
scale-invariant it is HiPPO-LegS, and time-invariant it is the system of S4-LegS.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hippo.errors import closest
from hippo.operators.checks import check_integer, check_positive
from hippo.operators.discretization import discretization_alpha, discretize
from hippo.operators.measures import check_order, find_measure, time_scale, transition

SCALE_INVARIANT = "scale-invariant"
TIME_INVARIANT = "time-invariant"
DYNAMICS = (SCALE_INVARIANT, TIME_INVARIANT)


def default_dynamics(measure: str) -> str:
    """Return the dynamics that a memory of `measure` has by default.

    Parameters
    ----------
    measure : str
        Name of a measure.

    Returns
    -------
    str
        "scale-invariant" for legs, "time-invariant" for all other measures.

    Raises
    ------
    ValueError
        If there is no such measure.

    Examples
    --------
    >>> default_dynamics("legs")
    'scale-invariant'
    """
    find_measure(measure)
    return SCALE_INVARIANT if measure == "legs" else TIME_INVARIANT


def check_dynamics(measure: str, dynamics: str | None) -> str:
    """Return the dynamics of a memory: those given, or the measure's default if None.

    Raises
    ------
    ValueError
        If the name is unknown, or the measure does not have these dynamics.
    """
    if dynamics is None:
        return default_dynamics(measure)
    find_measure(measure)
    if dynamics not in DYNAMICS:
        raise ValueError(f"unknown dynamics {dynamics!r}; {closest(dynamics, DYNAMICS)}")
    if dynamics == SCALE_INVARIANT and measure != "legs":
        raise ValueError(
            f"measure {measure!r} is not scale-invariant: its matrices describe a past of fixed length, so only "
            "'legs' can cover all elapsed time"
        )
    return dynamics


@dataclass(frozen=True)
class ScaleInvariant:
    """The system c'(t) = (A c(t) + B f(t)) / t (HiPPO-LegS).

    Parameters
    ----------
    measure : str
        Name of a measure; only "legs" has these dynamics.
    order : int
        Number of coefficients.

    Raises
    ------
    ValueError
        If the measure does not have these dynamics, or `order` is below 1.
    TypeError
        If `order` is not an integer.

    References
    ----------
    Gu et al. 2020, arXiv 2008.07669, theorem 2 and section 3.

    Examples
    --------
    >>> ScaleInvariant("legs", 1).discretize(1 / 2, "backward")
    (array([[0.66666667]]), array([0.33333333]))
    """

    measure: str
    order: int

    def __post_init__(self):
        check_integer("order", self.order)
        check_dynamics(self.measure, SCALE_INVARIANT)

    def continuous(self, time: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        """Return A / time (order, order) and B / time (order,), float64: the system's pair at one time > 0."""
        time = check_positive("time", time)
        A, B = transition(self.measure, self.order)
        return A / time, B / time

    def discretize(self, step_ratio: float, discretization: str | float = "bilinear") -> tuple[np.ndarray, np.ndarray]:
        """Discretize one step.

        Parameters
        ----------
        step_ratio : float
            Δt/t, where t is the time at the end of the step: 1/k at input k >= 1 of a uniformly sampled signal.
        discretization : str or float, default "bilinear"
            The rule, as in `hippo.operators.discretize`. "zoh" is exact for an input that is constant over the step.

        Returns
        -------
        Abar : ndarray, shape (order, order), float64
        Bbar : ndarray, shape (order,), float64

        Raises
        ------
        ValueError
            If `step_ratio` is not positive and finite, or not below 1 with "zoh" (the system is singular at time 0), or
            the rule is unknown.
        TypeError
            If `step_ratio` is not a number.
        """
        step_ratio = check_positive("step_ratio", step_ratio)
        step = step_ratio
        if discretization_alpha(discretization) is None:
            if step_ratio >= 1:
                raise ValueError(f"step_ratio must be below 1 with 'zoh', got {step_ratio!r}")
            # In log t the system is time-invariant, and the step has length log(t / (t - Δt)).
            step = -np.log1p(-step_ratio)
        return discretize(*self.continuous(), step, discretization)

    def basis(self, age: np.ndarray) -> np.ndarray:
        """Return the basis functions (points, order) at `age` (points,), a fraction of the elapsed time."""
        return _basis(self.measure)(self.order, np.asarray(age, dtype=np.float64))


@dataclass(frozen=True)
class TimeInvariant:
    """The system c'(t) = A c(t) + B f(t) of a measure at one timescale.

    Parameters
    ----------
    measure : str
        Name of a measure. "legs" gives the system of S4-LegS.
    order : int
        Number of coefficients.
    theta : float, optional
        Factor that lengthens the measure's own window or time constant; default 1.
    window : float, optional
        Length of the window, for measures that have one, instead of `theta`.
    seed : int, default 0
        Seed of the measure `random`.

    Raises
    ------
    ValueError
        As `hippo.transition`.
    TypeError
        As `hippo.transition`.

    References
    ----------
    Gu et al. 2020, arXiv 2008.07669, theorem 1; Gu et al. 2022, arXiv 2206.12037, for legs.

    Examples
    --------
    >>> TimeInvariant("legt", 1, window=10).discretize(1, "euler")
    (array([[0.9]]), array([0.1]))
    """

    measure: str
    order: int
    theta: float | None = None
    window: float | None = None
    seed: int = 0

    def __post_init__(self):
        check_order(self.measure, self.order)
        time_scale(self.measure, self.theta, self.window)

    @property
    def time_unit(self) -> float:
        """Length of the window in units of time; of the time constant if the measure has no window."""
        return time_scale(self.measure, self.theta, self.window) * (find_measure(self.measure).window or 1.0)

    def continuous(self) -> tuple[np.ndarray, np.ndarray]:
        """Return A (order, order) and B (order,), float64, at this timescale."""
        return transition(self.measure, self.order, theta=self.theta, window=self.window, seed=self.seed)

    def discretize(self, step: float, discretization: str | float = "zoh") -> tuple[np.ndarray, np.ndarray]:
        """Discretize one step.

        Parameters
        ----------
        step : float
            Length of the step, in units of time.
        discretization : str or float, default "zoh"
            The rule, as in `hippo.operators.discretize`.

        Returns
        -------
        Abar : ndarray, shape (order, order), float64
        Bbar : ndarray, shape (order,), float64

        Raises
        ------
        ValueError
            If `step` is not positive and finite, or the rule is unknown.
        TypeError
            If `step` is not a number.
        """
        return discretize(*self.continuous(), step, discretization)

    def basis(self, age: np.ndarray) -> np.ndarray:
        """Return the basis functions at some ages.

        For legs they are sqrt(2n+1) P_n(2 exp(-age / theta) - 1). They are orthonormal under `weight`, except those of
        lmu, which are orthogonal, and the sine of frequency 0 of fout, which is 0.

        Parameters
        ----------
        age : ndarray, shape (points,)
            Time before now, in units of time; from 0 to `time_unit` for measures with a window.

        Returns
        -------
        ndarray, shape (points, order), float64
            Their sum weighted by the coefficients is the signal at `age` before now.

        Raises
        ------
        ValueError
            If the measure has no basis.
        """
        basis = _basis(self.measure)
        relative = np.asarray(age, dtype=np.float64) / self.time_unit
        # Under s = exp(-age), a past that fades exponentially is a past of finite length, as scale-invariant legs has.
        return basis(self.order, -np.expm1(-relative) if self.measure == "legs" else relative)

    def weight(self, age: np.ndarray) -> np.ndarray:
        """Return the weight of some ages under the measure.

        The kernel of a coefficient (`basis_kernels`) is its basis function times this weight: exactly for legs and
        lagt, in the limit of a large order for legt and fout. For lmu the limit is 2n + 1 times as large, because its
        basis functions are not normalized.

        Parameters
        ----------
        age : ndarray, shape (points,)
            Time before now, in units of time.

        Returns
        -------
        ndarray, shape (points,), float64
            exp(-age / theta) / theta for legs; 1 / window up to the age `window`, and 0 beyond, for measures with a
            window; 1 / theta for lagt, whose basis functions contain the decay.

        Raises
        ------
        ValueError
            If the measure has no basis.
        """
        _basis(self.measure)
        relative = np.asarray(age, dtype=np.float64) / self.time_unit
        if self.measure == "legs":
            return np.exp(-relative) / self.time_unit
        remembered = relative <= 1 if find_measure(self.measure).window else np.ones_like(relative)
        return remembered / self.time_unit


def _basis(measure: str) -> Callable[[int, np.ndarray], np.ndarray]:
    """The basis of a measure; ValueError if it has none."""
    basis = find_measure(measure).basis
    if basis is None:
        raise ValueError(f"measure {measure!r} has no basis: nothing can be reconstructed from it")
    return basis
