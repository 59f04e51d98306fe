"""Measures: the matrices, basis and window of each HiPPO operator.

A measure weights the past of a signal. The memory under a measure is the projection of the signal's past onto
polynomials or sinusoids that are orthogonal under that measure. How time enters the differential equation of the
coefficients is not a property of the measure; see `hippo.operators.dynamics`.

Indices n (of rows of A) and k (of columns of A) count from 0.

References
----------
Gu et al. 2020, arXiv 2008.07669: legs, legt, lagt. Voelker et al. 2019 (NeurIPS): lmu. Gu et al. 2022, arXiv
2206.12037: fout, and the second window convention of legt and fout. Gu et al. 2022, arXiv 2206.11893: the diagonal
systems, which are registered as measures without a basis.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from hippo.errors import closest_and_all
from hippo.operators.checks import check_even, check_integer, check_positive
from hippo.operators.diagonal import DIAGONAL, diagonal_matrices


@dataclass(frozen=True)
class Measure:
    """One measure: its matrices, its basis and its window.

    Parameters
    ----------
    matrices : callable
        ``matrices(order, seed)`` returns A (order, order) and B (order,), float64, before any change of timescale.
        Only `random` uses the seed.
    basis : callable or None
        ``basis(order, age)`` returns the basis functions (points, order), float64. Their sum weighted by the
        coefficients is the signal at `age` (points,) before now. Ages are fractions of the window. For measures
        without a window they are fractions of all elapsed time (legs) or units of time (lagt). None if the measure
        has no basis.
    window : float or None
        Length of the window that `matrices` describe, in units of time. None if the measure has no window.
    """

    matrices: Callable[[int, int], tuple[np.ndarray, np.ndarray]]
    basis: Callable[[int, np.ndarray], np.ndarray] | None = None
    window: float | None = None


def transition(
    measure: str, order: int, *, theta: float | None = None, window: float | None = None, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return the continuous-time pair (A, B) of a measure.

    `theta` and `window` set the timescale of the time-invariant system c' = A c + B f in two ways. `theta` is
    relative: it lengthens the measure's own window or time constant by the factor `theta`. `window` is absolute: it
    is the length of the window itself. ``transition("legt", N)`` has a window of length 1 and
    ``transition("fout", N)`` one of length 2. The pairs S4-LegT and S4-FouT are both of ``window=2``.

    The scale-invariant system c' = (A c + B f) / t of legs has no timescale: use neither argument for it.

    Parameters
    ----------
    measure : {"legs", "legt", "lmu", "lagt", "fout", "random", "diag_legs", "diag_inv", "diag_lin", "diag_real"}
        Name of the measure. The names that begin with "diag" are those of the diagonal systems of S4D, as real
        matrices (`hippo.operators.diagonal.diagonal_matrices`).
    order : int
        Number of coefficients; even for diagonal systems.
    theta : float, optional
        Divisor of A and B, in units of time; default 1. ``transition("legs", N, theta=theta)`` is S4-LegS with
        `theta` as its unit of time.
    window : float, optional
        Length of the window, in units of time. Only for measures that have one: legt, lmu and fout.
    seed : int, default 0
        Seed of the measure `random`; other measures do not use it.

    Returns
    -------
    A : ndarray, shape (order, order), float64
    B : ndarray, shape (order,), float64

    Raises
    ------
    ValueError
        If the measure is unknown, a number is out of range, `order` is odd for a diagonal system, both `theta` and
        `window` are given, or `window` is given for a measure without a window.
    TypeError
        If `order` is not an integer, or `theta` or `window` is not a number.

    References
    ----------
    Gu et al. 2020, arXiv 2008.07669, theorems 1 and 2; Gu et al. 2022, arXiv 2206.12037, for the LTI reading of legs
    and for windows of length 2.

    Examples
    --------
    >>> A, B = transition("legs", 2)
    >>> A.round(3)
    array([[-1.   ,  0.   ],
           [-1.732, -2.   ]])
    >>> transition("legt", 1, window=2)
    (array([[-0.5]]), array([0.5]))
    """
    chosen = find_measure(measure)
    order = check_order(measure, order)
    scale = time_scale(measure, theta, window)
    A, B = chosen.matrices(order, seed)
    return A / scale, B / scale


def check_order(measure: str, order: int) -> int:
    """Return the order of a measure as `int`; TypeError or ValueError unless the measure has that order."""
    find_measure(measure)
    return check_even("order", order) if measure in {*DIAGONAL, "fout"} else check_integer("order", order)


def time_scale(measure: str, theta: float | None = None, window: float | None = None) -> float:
    """Return the number that A and B are divided by, from either argument; see `transition`."""
    own = find_measure(measure).window
    if window is None:
        return 1.0 if theta is None else check_positive("theta", theta)
    if theta is not None:
        raise ValueError("theta and window both set the timescale: give one of them")
    if own is None:
        raise ValueError(f"measure {measure!r} has no window: set its timescale by theta")
    return check_positive("window", window) / own


def find_measure(name: str) -> Measure:
    """Return the measure called `name`.

    Parameters
    ----------
    name : str
        A name in `MEASURES`.

    Returns
    -------
    Measure

    Raises
    ------
    ValueError
        If there is none. The message names the nearest valid name and all valid names.
    """
    if not isinstance(name, str) or name not in MEASURES:
        raise ValueError(f"unknown measure {name!r}; {closest_and_all(name, MEASURES)}")
    return MEASURES[name]


def _indices(order: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """n (order, 1), k (1, order) and n (order,)."""
    n = np.arange(order, dtype=np.float64)
    return n[:, None], n[None, :], n


def _legs(order: int, seed: int):
    n, k, index = _indices(order)
    A = np.where(n > k, -np.sqrt((2 * n + 1) * (2 * k + 1)), np.where(n == k, -(n + 1), 0.0))
    return A, np.sqrt(2 * index + 1)


def _legt(order: int, seed: int):
    n, k, index = _indices(order)
    A = -np.sqrt((2 * n + 1) * (2 * k + 1)) * np.where(n >= k, 1.0, (-1.0) ** (n - k))
    return A, np.sqrt(2 * index + 1)


def _lmu(order: int, seed: int):
    n, k, index = _indices(order)
    A = (2 * n + 1) * np.where(n < k, -1.0, (-1.0) ** (n - k + 1))
    return A, (2 * index + 1) * (-1.0) ** index


def _lagt(order: int, seed: int):
    n, k, _ = _indices(order)
    return np.where(n > k, -1.0, np.where(n == k, -0.5, 0.0)), np.ones(order)


def _fout(order: int, seed: int):
    # State 2m belongs to the cosine and state 2m + 1 to the sine of frequency m. The sine of frequency 0 is always 0,
    # as in the published matrices.
    n, k, index = _indices(order)
    B = np.where(index % 2 == 0, np.sqrt(2.0), 0.0)
    B[0] = 1.0
    paired = (n // 2 == k // 2) & (n != k)
    A = np.where(paired, np.pi * (n // 2) * np.sign(n - k), 0.0) - np.outer(B, B)
    return A, B


def _random(order: int, seed: int):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((order, order)) / order, rng.standard_normal(order)


def _diagonal(name: str, order: int, seed: int):
    return diagonal_matrices(name, order)


def _legendre(order: int, age: np.ndarray) -> np.ndarray:
    """sqrt(2n+1) P_n(1 - 2 age)."""
    return np.polynomial.legendre.legvander(1 - 2 * age, order - 1) * np.sqrt(2 * np.arange(order) + 1)


def _shifted_legendre(order: int, age: np.ndarray) -> np.ndarray:
    """P_n(2 age - 1)."""
    return np.polynomial.legendre.legvander(2 * age - 1, order - 1)


def _laguerre(order: int, age: np.ndarray) -> np.ndarray:
    """exp(-age / 2) L_n(age)."""
    # The recurrence runs on the product: L_n alone overflows where the product is small.
    values = np.empty((order, len(age)))
    values[0] = np.exp(-age / 2)
    previous = np.zeros_like(age)
    for n in range(order - 1):
        current = values[n]
        values[n + 1] = ((2 * n + 1 - age) * current - n * previous) / (n + 1)
        previous = current
    return values.T


def _fourier(order: int, age: np.ndarray) -> np.ndarray:
    """1, 0, sqrt(2) cos(2 pi age), sqrt(2) sin(2 pi age), sqrt(2) cos(4 pi age), ..."""
    n = np.arange(order)
    angle = 2 * np.pi * np.outer(age, np.arange((order + 1) // 2))
    values = np.empty((len(age), order))
    values[:, 0::2] = np.cos(angle)
    values[:, 1::2] = np.sin(angle[:, : order // 2])
    return values * np.where(n == 0, 1.0, np.sqrt(2.0))


MEASURES: dict[str, Measure] = {
    "legs": Measure(_legs, basis=_legendre),
    "legt": Measure(_legt, basis=_legendre, window=1.0),
    "lmu": Measure(_lmu, basis=_shifted_legendre, window=1.0),
    "lagt": Measure(_lagt, basis=_laguerre),
    # The published matrices have frequencies pi m. cos(pi m s) has period 2 / m, so their window has length 2.
    "fout": Measure(_fout, basis=_fourier, window=2.0),
    "random": Measure(_random),
    **{name: Measure(partial(_diagonal, name)) for name in DIAGONAL},
}
