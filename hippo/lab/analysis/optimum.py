"""The smallest error that any reconstruction by a polynomial can have."""

import numpy as np
from numpy.polynomial.legendre import legvander

CHUNK = 16384  # samples whose polynomials are held at once: 32 MB at order 256


def optimal_mse(signal: np.ndarray, order: int) -> float:
    """Return the mean squared error of the best polynomial of degree `order` − 1.

    Parameters
    ----------
    signal : ndarray, shape (length,)
        Samples of a signal at equal distances.
    order : int
        Number of coefficients.

    Returns
    -------
    float
        Least-squares error, computed in float64.

    Notes
    -----
    The Legendre polynomials are nearly orthogonal on a grid of many more than order² samples. The normal equations are
    then well conditioned, and one pass in chunks is enough.
    """
    signal = signal.astype(np.float64)
    x = (2 * np.arange(len(signal)) + 1) / len(signal) - 1
    norms = np.sqrt(2 * np.arange(order) + 1)
    gram, moments = np.zeros((order, order)), np.zeros(order)
    for start in range(0, len(signal), CHUNK):
        basis = legvander(x[start : start + CHUNK], order - 1) * norms  # (chunk, order)
        gram += basis.T @ basis
        moments += basis.T @ signal[start : start + CHUNK]
    explained = moments @ np.linalg.lstsq(gram, moments)[0]
    return float(max(signal @ signal - explained, 0) / len(signal))  # rounding may give a value below 0
