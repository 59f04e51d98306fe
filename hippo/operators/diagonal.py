"""Diagonal systems of the S4D family: their eigenvalues, and the same systems as real matrices.

A diagonal system of `order` states has order / 2 complex states x_n with x_n' = λ_n x_n + f. Their conjugates are the
other half.

References
----------
Gu et al. 2022, arXiv 2206.11893, section 4: S4D-LegS, S4D-Inv, S4D-Lin, S4D-Real.
"""

import numpy as np

from hippo.operators.checks import check_even
from hippo.operators.normal_low_rank import conjugate_pairs


def diagonal_eigenvalues(name: str, order: int) -> np.ndarray:
    """Return the eigenvalues of a diagonal system.

    Parameters
    ----------
    name : {"diag_legs", "diag_inv", "diag_lin", "diag_real"}
        Name of the system.
    order : int
        Number of states, conjugate ones included; even.

    Returns
    -------
    ndarray, shape (order / 2,), complex128
        One of each conjugate pair. Real parts are negative, imaginary parts are not negative.

    Raises
    ------
    ValueError
        If `order` is odd or below 2.
    TypeError
        If `order` is not an integer.

    Examples
    --------
    >>> diagonal_eigenvalues("diag_real", 4)
    array([-1.+0.j, -2.+0.j])
    """
    return DIAGONAL[name](check_even("order", order))


def diagonal_matrices(name: str, order: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a diagonal system as a real pair.

    The coefficients are c = √2 (Re x_0, Im x_0, Re x_1, Im x_1, ...). This change of coordinates is unitary: sum c_n^2
    is the sum of |x_n|^2 over both halves, and an output weighted by independent numbers of variance 1 has the same
    variance in both. The coefficients of fout are related to its complex states in the same way, so that
    those of diag_lin are the cosines and sines √2 e^(-t/2) cos(πnt), √2 e^(-t/2) sin(πnt).

    Parameters
    ----------
    name : {"diag_legs", "diag_inv", "diag_lin", "diag_real"}
        Name of the system.
    order : int
        Number of coefficients; even.

    Returns
    -------
    A : ndarray, shape (order, order), float64
        Blocks [[Re λ, -Im λ], [Im λ, Re λ]] on the diagonal.
    B : ndarray, shape (order,), float64
        √2, 0, √2, 0, ...

    Raises
    ------
    ValueError
        If `order` is odd or below 2.
    TypeError
        If `order` is not an integer.

    Examples
    --------
    >>> A, B = diagonal_matrices("diag_lin", 4)
    >>> A.round(2)
    array([[-0.5 ,  0.  ,  0.  ,  0.  ],
           [ 0.  , -0.5 ,  0.  ,  0.  ],
           [ 0.  ,  0.  , -0.5 , -3.14],
           [ 0.  ,  0.  ,  3.14, -0.5 ]])
    >>> B.round(2)
    array([1.41, 0.  , 1.41, 0.  ])
    """
    eigenvalues = diagonal_eigenvalues(name, order)
    A, B = np.zeros((order, order)), np.zeros(order)
    real, imaginary = np.arange(0, order, 2), np.arange(1, order, 2)
    A[real, real] = A[imaginary, imaginary] = eigenvalues.real
    A[imaginary, real], A[real, imaginary] = eigenvalues.imag, 0.0 - eigenvalues.imag
    B[real] = np.sqrt(2.0)
    return A, B


def _legs(order: int) -> np.ndarray:
    return conjugate_pairs("legs", order).eigenvalues


def _inverse(order: int) -> np.ndarray:
    n = np.arange(order // 2)
    return -0.5 + 1j * (order / np.pi) * (order / (2 * n + 1) - 1)


def _linear(order: int) -> np.ndarray:
    return -0.5 + 1j * np.pi * np.arange(order // 2)


def _real(order: int) -> np.ndarray:
    return -(np.arange(order // 2) + 1.0) + 0j


DIAGONAL = {"diag_legs": _legs, "diag_inv": _inverse, "diag_lin": _linear, "diag_real": _real}
