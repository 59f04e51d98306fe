"""Distances of basis kernels from the basis functions times the weight of a measure. No integral is sampled."""

from dataclasses import dataclass

import numpy as np

from hippo.operators import TimeInvariant, basis_kernels, gramian
from hippo.operators.normal_low_rank import NORMAL_LOW_RANK
from hippo.operators.structured import WINDOW

FREQUENCY = 1.0  # of the slow input, radians per unit of time
PANELS = 32  # of each of two spans of ages


@dataclass(frozen=True)
class WeightedBasis:
    """The first functions q_n = p_n ω of a basis, as the system q' = D q up to the age `end`, and 0 beyond.

    Parameters
    ----------
    memory : TimeInvariant
        The system that has the basis, of as many states as there are functions.
    D : ndarray, shape (kernels, kernels), float64
    start : ndarray, shape (kernels,), float64
        q(0).
    end : float
        Length of the window, or infinity.
    """

    memory: TimeInvariant
    D: np.ndarray
    start: np.ndarray
    end: float

    def values(self, ages: np.ndarray) -> np.ndarray:
        """Return q (points, kernels) at `ages` (points,)."""
        return self.memory.basis(ages) * self.memory.weight(ages)[:, None]

    def slow_responses(self) -> np.ndarray:
        """Return the integral of q(t) e^{-it} over all ages, shape (kernels,), complex128."""
        if np.isinf(self.end):
            return np.linalg.solve(1j * FREQUENCY * np.eye(len(self.start)) - self.D, self.start)
        nodes, weights = np.polynomial.legendre.leggauss(32 + len(self.start))
        ages = self.end * (nodes + 1) / 2
        return (self.end / 2 * weights * np.exp(-1j * FREQUENCY * ages)) @ self.values(ages)


def weighted_basis(system: str, kernels: int) -> WeightedBasis:
    """Return the first functions of the basis of legs, legt or fout; `kernels` is even."""
    if system == "legs":  # a state of legs depends on those of lower degree only
        memory = TimeInvariant("legs", kernels)
        return WeightedBasis(memory, *memory.continuous(), end=np.inf)
    memory = TimeInvariant(system, kernels, window=WINDOW)
    if system == "fout":
        form = NORMAL_LOW_RANK["fout"](kernels)
        return WeightedBasis(memory, form.skew, form.inputs / WINDOW, end=WINDOW)
    # sqrt(2n+1) P_n(1 - t) / 2, and P_n' is the sum of (2k+1) P_k over k = n-1, n-3, ...
    n = np.arange(kernels)
    root, above = np.sqrt(2 * n + 1), n[:, None] - n[None, :]
    D = np.where((above > 0) & (above % 2 == 1), -np.outer(root, root), 0.0)
    return WeightedBasis(memory, D, root / WINDOW, end=WINDOW)


def sampled_distance(responses: np.ndarray, basis: WeightedBasis, interval: float) -> float:
    """Compare the states of a layer after an impulse with q at the middles of its steps.

    Parameters
    ----------
    responses : ndarray, shape (kernels, length)
        First states at each step.
    basis : WeightedBasis
        The functions q.
    interval : float
        Length of a step.

    Returns
    -------
    float
        Norm of the difference, relative to that of q.
    """
    expected = basis.values(interval * (np.arange(responses.shape[1]) + 0.5)).T
    return float(np.linalg.norm(responses - expected) / np.linalg.norm(expected))


def kernel_distances(A: np.ndarray, B: np.ndarray, basis: WeightedBasis, oldest: float) -> dict[str, float]:
    """Compare the first kernels K_n of a system with q_n = p_n ω.

    Parameters
    ----------
    A : ndarray, shape (order, order), float64
        No eigenvalue is ±i `FREQUENCY`.
    B : ndarray, shape (order,), float64
    basis : WeightedBasis
        The functions q.
    oldest : float
        Largest age, above the window of 2.

    Returns
    -------
    dict of float
        `distance`: the root of ∫ |K - q|², relative to that of ∫ |q|².
        `slow_distance`: |x - y| / |y| of the states x and y in response to e^{it}, with the kernels K and q.
        `gram_distance`: |G - I'| / |I'| in the Frobenius norm of the Gram matrices of K/ω and q/ω under ω. Beyond its
        window ω is continued with its height.
        `late_energy`: fraction of ∫ |K|² after the age 2.
        `growth`: largest real part of an eigenvalue of A.
        Integrals are over ages up to `oldest`.

    Notes
    -----
    The difference d = K - q is itself a state: d' = (A K)_n - D (K_n - d). Its integral is a block of a Gramian, and
    has no cancellation. The Gramian is that of many short panels, at whose beginning d is computed: over a long one,
    the rounding of polynomials grows.
    """
    kernels, order = len(basis.start), len(B)
    joint = np.block([[A, np.zeros((order, kernels))], [A[:kernels], basis.D]])
    joint[order:, :kernels] -= basis.D
    energies, error = [], 0.0
    for begin, end in ((0.0, WINDOW), (WINDOW, oldest)):
        ages = np.linspace(begin, end, PANELS, endpoint=False)
        states = basis_kernels(A, B, ages)
        differences = states[:, :kernels] - (basis.values(ages) if begin < basis.end else 0)
        part = gramian(joint, np.hstack([states, differences]).T, (end - begin) / PANELS)
        energies.append(np.trace(part[:kernels, :kernels]))
        error += np.trace(part[order:, order:])
    if np.isinf(basis.end):
        expected = np.trace(gramian(basis.D, basis.start, oldest))
        orthonormal = gramian(basis.D + np.eye(kernels) / 2, basis.start, oldest)
        gram = gramian(A + np.eye(order) / 2, B, oldest)[:kernels, :kernels]
    else:
        orthonormal = np.diag((basis.D.any(axis=1) | (basis.start != 0)).astype(np.float64))
        expected = np.trace(orthonormal) / basis.end
        gram = basis.end * gramian(A, B, oldest)[:kernels, :kernels]
    responses = np.linalg.solve(1j * FREQUENCY * np.eye(order) - A, B)[:kernels]
    slow = basis.slow_responses()
    return {
        "distance": float(np.sqrt(error / expected)),
        "slow_distance": float(np.linalg.norm(responses - slow) / np.linalg.norm(slow)),
        "gram_distance": float(np.linalg.norm(gram - orthonormal) / np.linalg.norm(orthonormal)),
        "late_energy": float(energies[1] / sum(energies)),
        "growth": largest_real_part(A, B),
    }


def largest_real_part(A: np.ndarray, B: np.ndarray) -> float:
    """Return the largest real part of an eigenvalue of A; states that never move do not count, nor does rounding."""
    moving = A.any(axis=1) | (B != 0)
    A = A[np.ix_(moving, moving)]
    largest = float(np.linalg.eigvals(A).real.max())
    return largest if abs(largest) > np.finfo(np.float64).eps * np.linalg.norm(A) else 0.0
