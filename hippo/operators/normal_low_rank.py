"""Normal-plus-low-rank (NPLR) forms A = N - sum_r P_r P_r^T of the HiPPO matrices, and their complex diagonal forms.

N is a multiple of the identity plus a real skew-symmetric matrix S. The eigenvalues of S are conjugate pairs ±iω with
orthonormal eigenvectors, so that A is unitarily equivalent to diag(λ) - sum_r P_r P_r^*.

References
----------
Gu et al. 2022, arXiv 2111.00396, theorem 1; Gu et al. 2022, arXiv 2206.12037, for fout and the windows.
"""

from typing import NamedTuple

import numpy as np


class NormalLowRank(NamedTuple):
    """The form in real coordinates: A = real_part I + skew - low_rank^T low_rank."""

    real_part: float
    skew: np.ndarray  # (order, order)
    low_rank: np.ndarray  # (rank, order)
    inputs: np.ndarray  # (order,)


class ConjugatePairs(NamedTuple):
    """The form in complex coordinates, one of each conjugate pair; see `hippo.operators.StructuredSystem`."""

    eigenvalues: np.ndarray
    low_rank: np.ndarray
    inputs: np.ndarray
    coordinates: np.ndarray


def conjugate_pairs(name: str, order: int) -> ConjugatePairs:
    """Return the diagonalized form of a system of `NORMAL_LOW_RANK`.

    Parameters
    ----------
    name : {"legs", "legt", "fout", "lagt"}
        Name of the system. legt and fout have windows of length 2.
    order : int
        Number of real coefficients; even.

    Returns
    -------
    ConjugatePairs
        Eigenvalues in ascending order of their imaginary parts, which are not negative. Their real parts are those of
        the closed form, without rounding. The phases of the eigenvectors make `inputs` real and positive.
    """
    form = NORMAL_LOW_RANK[name](order)
    frequencies, vectors = _fourier_modes(order) if name == "fout" else skew_modes(form.skew)
    inputs = vectors.conj().T @ form.inputs
    vectors = vectors * (inputs / abs(inputs))
    return ConjugatePairs(
        eigenvalues=form.real_part + 1j * frequencies,
        low_rank=form.low_rank @ vectors.conj(),
        inputs=abs(inputs).astype(np.complex128),
        coordinates=vectors,
    )


def skew_modes(skew: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the eigenvalues and eigenvectors of a real skew-symmetric matrix without the conjugate ones.

    Householder reflections reduce the matrix to a skew-symmetric tridiagonal one. That couples even states with odd
    ones only, so that its eigenvalues are ±i times the singular values of one block of half the size. Unlike the
    eigenvectors of the Hermitian matrix -i S, the vectors are orthogonal to their own conjugates to rounding.

    Parameters
    ----------
    skew : ndarray, shape (order, order), float64
        The matrix S; `order` is even.

    Returns
    -------
    frequencies : ndarray, shape (order / 2,), float64
        ω >= 0 of the pairs ±iω, in ascending order.
    vectors : ndarray, shape (order, order / 2), complex128
        S v = iω v, orthonormal to each other and to all conjugates.
    """
    from scipy.linalg import hessenberg  # takes longer to import than NumPy

    tridiagonal, reflections = hessenberg(skew, calc_q=True)
    below, half = np.diag(tridiagonal, -1), len(skew) // 2
    block = np.zeros((half, half))  # from even states to odd states
    np.fill_diagonal(block, below[0::2])
    np.fill_diagonal(block[:, 1:], -below[1::2])
    left, frequencies, right = np.linalg.svd(block)
    even, odd = reflections[:, 0::2] @ right.T, reflections[:, 1::2] @ left  # S even = ω odd, S odd = -ω even
    vectors = (even - 1j * odd) / np.sqrt(2)
    return frequencies[::-1], vectors[:, ::-1]


def _fourier_modes(order: int) -> tuple[np.ndarray, np.ndarray]:
    """As `skew_modes` for fout, in closed form: the double eigenvalue 0 leaves its eigenvectors undetermined."""
    m = np.arange(order // 2)
    vectors = np.zeros((order, order // 2), dtype=np.complex128)
    vectors[2 * m, m], vectors[2 * m + 1, m] = np.sqrt(0.5), -1j * np.sqrt(0.5)
    return np.pi * m, vectors


def _ordered(order: int) -> tuple[np.ndarray, np.ndarray]:
    """n (order,), and the matrix (order, order) that is -1 below its diagonal, 0 on it and 1 above it."""
    n = np.arange(order, dtype=np.float64)
    return n, np.sign(n[None, :] - n[:, None])


def _legs(order: int) -> NormalLowRank:
    n, sign = _ordered(order)
    root = np.sqrt(2 * n + 1)
    return NormalLowRank(-0.5, sign * np.outer(root, root) / 2, np.sqrt(n + 0.5)[None], root)


def _legt(order: int) -> NormalLowRank:
    n, sign = _ordered(order)
    root, odd = np.sqrt(2 * n + 1), n % 2
    other_parity = odd[:, None] != odd[None, :]
    low_rank = np.stack([1 - odd, odd]) * np.sqrt(n + 0.5)
    return NormalLowRank(0.0, sign * other_parity * np.outer(root, root) / 2, low_rank, root / 2)


def _fout(order: int) -> NormalLowRank:
    m = np.arange(order // 2)
    skew, inputs = np.zeros((order, order)), np.zeros(order)
    skew[2 * m + 1, 2 * m], skew[2 * m, 2 * m + 1] = np.pi * m, -np.pi * m
    inputs[2 * m] = np.where(m == 0, 1.0, np.sqrt(2.0))
    return NormalLowRank(0.0, skew, inputs[None], inputs)


def _lagt(order: int) -> NormalLowRank:
    _, sign = _ordered(order)
    return NormalLowRank(0.0, sign / 2, np.full((1, order), np.sqrt(0.5)), np.ones(order))


NORMAL_LOW_RANK = {"legs": _legs, "legt": _legt, "fout": _fout, "lagt": _lagt}
