"""Basis kernels e^{tA} B: the impulse responses of the coefficients of a time-invariant system."""

import numpy as np

from hippo.operators.checks import check_pair


def basis_kernels(A: np.ndarray, B: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the basis kernels K_n(t) = (e^{tA} B)_n.

    Coefficient n at time t is the integral of K_n(s) f(t - s) over s >= 0. If K_n is the basis function p_n times a
    weight ω under which the p_n are orthonormal, the coefficients are the projection of the past onto the p_n.

    The matrix exponential is by Padé approximation with scaling and squaring, not by eigenvectors, which are nearly
    parallel for legs. On equally spaced times, all kernels follow from the exponential of one interval by products
    that double their number.

    Parameters
    ----------
    A : array_like, shape (N, N)
        Real or complex.
    B : array_like, shape (N,)
        Real or complex.
    times : array_like, shape (points,)
        Times t >= 0 in the unit of time of `A`, in any order.

    Returns
    -------
    ndarray, shape (points, N), float64 or complex128

    Raises
    ------
    ValueError
        If the shapes do not fit, or a time is negative or not finite.

    References
    ----------
    Gu et al. 2022, arXiv 2206.12037, section 2.

    Examples
    --------
    >>> basis_kernels([[-1.0]], [1.0], [0.0, 1.0, 2.0]).round(3)
    array([[1.   ],
           [0.368],
           [0.135]])
    """
    A, B = check_pair(A, B)
    times = np.asarray(times, dtype=np.float64)
    if times.ndim != 1:
        raise ValueError(f"times must have shape (points,), got {times.shape}")
    if not (np.isfinite(times).all() and (times >= 0).all()):
        raise ValueError("times must be finite and not negative: a kernel is 0 before time 0")
    sorting = np.argsort(times, kind="stable")
    kernels = np.empty((len(times), len(B)), dtype=np.result_type(A, B))
    kernels[sorting] = _equally_spaced(A, B, times[sorting])
    return kernels


def _equally_spaced(A: np.ndarray, B: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The kernels at ascending times, by doubling if the times are those of a grid to rounding."""
    from scipy.linalg import expm  # takes longer to import than NumPy

    points = len(times)
    if points < 3:
        return np.array([expm(t * A) @ B for t in times]).reshape(points, len(B))
    grid = np.linspace(times[0], times[-1], points)
    if np.abs(times - grid).max() > 4 * np.finfo(np.float64).eps * times[-1]:
        return _one_by_one(A, B, times)
    kernels = (expm(times[0] * A) @ B)[None]  # (1, N)
    power = expm((times[-1] - times[0]) / (points - 1) * A).T
    while len(kernels) < points:
        kernels = np.concatenate([kernels, kernels[: points - len(kernels)] @ power])
        if len(kernels) < points:
            power = power @ power
    return kernels


def _one_by_one(A: np.ndarray, B: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The kernels at ascending times, each from the one before."""
    from scipy.linalg import expm

    kernels, state, now = [], B, 0.0
    for time in times:
        if time > now:
            state, now = expm((time - now) * A) @ state, time
        kernels.append(state)
    return np.array(kernels)
