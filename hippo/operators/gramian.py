"""Gramians: the integrals of the products of basis kernels over a span of ages."""

import math

import numpy as np

from hippo.operators.checks import as_double, check_pair, check_positive

TERMS = 20  # of the power series over the first interval; the next one is below 1 / 20!


def gramian(A: np.ndarray, B: np.ndarray, time: float) -> np.ndarray:
    """Return the integral of K(t) K(t)^* over 0 <= t <= time, with the basis kernels K(t) = e^{tA} B.

    The kernels of a real system are orthonormal under a constant weight ω if the Gramian over all ages is ω I. Under
    the weight e^{-t}, the products of p_n = K_n e^t are those of the system with A + I/2.

    Parameters
    ----------
    A : array_like, shape (N, N)
        Real or complex.
    B : array_like, shape (N,) or (N, inputs)
        Real or complex. With several inputs, the integrals of all columns are added.
    time : float
        Oldest age, in the unit of time of `A`.

    Returns
    -------
    ndarray, shape (N, N), float64, or complex128 if A or B is complex
        Hermitian, and positive semidefinite to rounding.

    Raises
    ------
    ValueError
        If the shapes do not fit, or `time` is not positive and finite.
    TypeError
        If `time` is not a number.

    Notes
    -----
    Over an interval h with |A| h <= 1, the power series of the kernels is integrated term by term. The interval is then
    doubled: the Gramian of 2h is G + e^{hA} G e^{hA^*}. No difference is formed, and no frequency needs a fine grid.

    Examples
    --------
    >>> gramian([[-1.0]], [1.0], 20.0).round(6)
    array([[0.5]])
    """
    from scipy.linalg import expm  # takes longer to import than NumPy

    A, B = as_double(A), as_double(B)
    columns = B.T if B.ndim == 2 and B.size else B[None]
    for column in columns:
        check_pair(A, column)
    time = check_positive("time", time)
    doublings = max(0, math.ceil(math.log2(max(float(np.linalg.norm(A, 1)) * time, 1.0))))
    interval = time / 2**doublings
    series = [columns.T]
    for k in range(1, TERMS):
        series.append(A @ series[-1] * (interval / k))
    power = np.arange(TERMS)
    # The integral of (t/h)^(j+k) over the interval h.
    products = interval / (power[:, None] + power[None, :] + 1)
    total = np.einsum("jna,jk,kma->nm", series, products, np.conj(series), optimize=True)
    propagator = expm(interval * A)
    for done in range(doublings):
        total = total + propagator @ total @ propagator.conj().T
        if done + 1 < doublings:
            propagator = propagator @ propagator
    return (total + total.conj().T) / 2
