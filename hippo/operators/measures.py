"""Every measure once: its transition (A, B), its basis, and whether its dynamics depend on time.

A measure weighs the past; the memory is the projection of the input's history onto polynomials (or sinusoids)
orthogonal under it. Sources: Gu et al. 2020 (arXiv 2008.07669) for legs, legt and lagt, Voelker et al. 2019 for
lmu, Gu et al. 2022 (arXiv 2206.12037) for fout. Indices n (rows) and k (columns) count from 0.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import index

import numpy as np

from hippo.config import closest

SCALE_INVARIANT = "scale-invariant"  # c'(t) = (A c + B f) / t: the whole past, whatever its length
TIME_INVARIANT = "time-invariant"  # c'(t) = A c + B f: a window, or a fading past, of fixed length


@dataclass(frozen=True)
class Measure:
    """One measure: matrices at theta = 1, dynamics, length of its window, and basis.

    window: length of the remembered past at theta = 1, in units of time; None where it only fades (lagt, random).
    basis: `(order, age) -> (points, order)` float64, the functions whose weighted sum by the coefficients is the
    input as it was `age` ago; age (points,) is a share of the window (of a unit of time where there is none).
    None where nothing can be reconstructed.
    """

    matrices: Callable[..., tuple[np.ndarray, np.ndarray]]
    dynamics: str = TIME_INVARIANT
    window: float | None = 1.0
    basis: Callable[[int, np.ndarray], np.ndarray] | None = None

    @property
    def unit(self) -> float:
        """Time that a share of 1 of the memory stands for, at theta = 1."""
        return self.window if self.window is not None else 1.0


def transition(measure: str, order: int, *, theta: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The pair A (order, order), B (order,) of `measure`, float64.

    theta stretches time of time-invariant measures: their window (lagt: time constant) grows theta-fold, so A and
    B are divided by it; legs has no time scale and no theta. seed draws the `random` measure, and only that.
    ValueError: unknown measure, order below 1, theta not positive, theta given for legs.
    """
    chosen = find_measure(measure)
    order = check_order(order)
    if not (np.isfinite(theta) and theta > 0):
        raise ValueError(f"theta must be a positive number, got {theta!r}")
    if chosen.dynamics == SCALE_INVARIANT and theta != 1.0:
        raise ValueError(f"measure {measure!r} has no time scale: leave theta at 1, got {theta!r}")
    A, B = chosen.matrices(order, seed) if measure == "random" else chosen.matrices(order)
    return A / theta, B / theta


def find_measure(name: str) -> Measure:
    """The measure called `name`; ValueError names the closest and all valid ones."""
    if name not in MEASURES:
        hint = closest(name, MEASURES)
        valid = "" if hint.startswith("valid") else f" (valid: {', '.join(MEASURES)})"
        raise ValueError(f"unknown measure {name!r}; {hint}{valid}")
    return MEASURES[name]


def check_order(order: int) -> int:
    """`order` as an int; TypeError unless it is an integer, ValueError below 1."""
    if index(order) < 1:
        raise ValueError(f"order must be at least 1, got {order}")
    return index(order)


def _grid(order: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = np.arange(order, dtype=np.float64)
    return n[:, None], n[None, :], n


def _legs(order: int):
    n, k, index = _grid(order)
    A = np.where(n > k, -np.sqrt((2 * n + 1) * (2 * k + 1)), np.where(n == k, -(n + 1), 0.0))
    return A, np.sqrt(2 * index + 1)


def _legt(order: int):
    n, k, index = _grid(order)
    A = -np.sqrt((2 * n + 1) * (2 * k + 1)) * np.where(n >= k, 1.0, (-1.0) ** (n - k))
    return A, np.sqrt(2 * index + 1)


def _lmu(order: int):
    n, k, index = _grid(order)
    A = (2 * n + 1) * np.where(n < k, -1.0, (-1.0) ** (n - k + 1))
    return A, (2 * index + 1) * (-1.0) ** index


def _lagt(order: int):
    n, k, _ = _grid(order)
    return np.where(n > k, -1.0, np.where(n == k, -0.5, 0.0)), np.ones(order)


def _fout(order: int):
    # State 2m goes with cos, state 2m + 1 with sin of frequency m; the sine of m = 0 stays at rest, as published.
    n, k, index = _grid(order)
    B = np.where(index % 2 == 0, np.sqrt(2.0), 0.0)
    B[0] = 1.0
    paired = (n // 2 == k // 2) & (n != k)
    A = np.where(paired, np.pi * (n // 2) * np.sign(n - k), 0.0) - np.outer(B, B)
    return A, B


def _random(order: int, seed: int):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((order, order)) / order, rng.standard_normal(order)


def _legendre(order: int, age: np.ndarray) -> np.ndarray:
    return np.polynomial.legendre.legvander(1 - 2 * age, order - 1) * np.sqrt(2 * np.arange(order) + 1)


def _shifted_legendre(order: int, age: np.ndarray) -> np.ndarray:
    return np.polynomial.legendre.legvander(2 * age - 1, order - 1)


def _laguerre(order: int, age: np.ndarray) -> np.ndarray:
    # The recurrence runs on exp(-s/2) L_n(s) itself: L_n alone overflows where the product is small.
    values = np.empty((order, len(age)))
    values[0] = np.exp(-age / 2)
    previous = np.zeros_like(age)
    for n in range(order - 1):
        current = values[n]
        values[n + 1] = ((2 * n + 1 - age) * current - n * previous) / (n + 1)
        previous = current
    return values.T


def _fourier(order: int, age: np.ndarray) -> np.ndarray:
    n = np.arange(order)
    angle = 2 * np.pi * np.outer(age, np.arange((order + 1) // 2))
    values = np.empty((len(age), order))
    values[:, 0::2] = np.cos(angle)
    values[:, 1::2] = np.sin(angle[:, : order // 2])
    return values * np.where(n == 0, 1.0, np.sqrt(2.0))


MEASURES: dict[str, Measure] = {
    "legs": Measure(_legs, SCALE_INVARIANT, basis=_legendre),
    "legt": Measure(_legt, basis=_legendre),
    "lmu": Measure(_lmu, basis=_shifted_legendre),
    "lagt": Measure(_lagt, window=None, basis=_laguerre),
    # With frequencies pi m the published matrices remember a window of 2, not of 1: cos(pi m s) has period 2 / m.
    "fout": Measure(_fout, window=2.0, basis=_fourier),
    "random": Measure(_random, window=None),
}
