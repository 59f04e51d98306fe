"""Discretization of linear systems: the generalized bilinear family and the zero-order hold."""

from numbers import Real

import numpy as np

from hippo.errors import closest
from hippo.operators.checks import check_pair, check_positive

ALPHAS = {"euler": 0.0, "bilinear": 0.5, "backward": 1.0}
DISCRETIZATIONS = (*ALPHAS, "zoh")


def discretize(
    A: np.ndarray, B: np.ndarray, step: float, discretization: str | float = "bilinear"
) -> tuple[np.ndarray, np.ndarray]:
    """Discretize c' = A c + B f over one step.

    The generalized bilinear family with weight alpha is
    c_{k+1} = (I - alpha Δ A)^-1 [(I + (1 - alpha) Δ A) c_k + Δ B f_k]. The zero-order hold is exact for an input that
    is constant over the step.

    Parameters
    ----------
    A : array_like, shape (N, N)
        Real or complex.
    B : array_like, shape (N,)
        Real or complex.
    step : float
        Length Δ of the step, in the unit of time of `A`.
    discretization : {"euler", "bilinear", "backward", "zoh"} or float, default "bilinear"
        The rule: "euler" (alpha = 0, order of convergence 1), "bilinear" (1/2, order 2), "backward" (1, order 1),
        "zoh" (zero-order hold), or a weight alpha in [0, 1].

    Returns
    -------
    Abar : ndarray, shape (N, N), float64, or complex128 if A or B is complex
    Bbar : ndarray, shape (N,)
        The pair of c_{k+1} = Abar c_k + Bbar f_k.

    Raises
    ------
    ValueError
        If the shapes do not fit, the step is not positive and finite, or the rule is unknown.
    TypeError
        If the step is not a number.

    References
    ----------
    Gu et al. 2020, arXiv 2008.07669, appendix B.3.

    Examples
    --------
    >>> discretize([[-1.0]], [1.0], 0.1, "euler")
    (array([[0.9]]), array([0.1]))
    """
    A, B = check_pair(A, B)
    step = check_positive("step", step)
    alpha = discretization_alpha(discretization)
    if alpha is None:
        return _zero_order_hold(A * step, B * step)
    identity = np.eye(len(A))
    right = np.column_stack([identity + (1 - alpha) * step * A, step * B])
    solution = np.linalg.solve(identity - alpha * step * A, right)
    return np.ascontiguousarray(solution[:, :-1]), solution[:, -1].copy()


def discretization_alpha(discretization: str | float) -> float | None:
    """Return the weight alpha of a rule.

    Parameters
    ----------
    discretization : {"euler", "bilinear", "backward", "zoh"} or float
        The rule, or alpha itself.

    Returns
    -------
    float or None
        alpha in [0, 1]; None for the zero-order hold, which is not in the generalized bilinear family.

    Raises
    ------
    ValueError
        If the rule is unknown or alpha is outside [0, 1].
    """
    if isinstance(discretization, Real) and not isinstance(discretization, bool) and 0 <= discretization <= 1:
        return float(discretization)
    if discretization not in DISCRETIZATIONS:
        hint = closest(discretization, DISCRETIZATIONS)
        raise ValueError(f"unknown discretization {discretization!r}; {hint} (or a weight alpha between 0 and 1)")
    return ALPHAS.get(discretization)


def _zero_order_hold(A: np.ndarray, B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The zero-order hold over a step of length 1."""
    from scipy.linalg import expm  # takes longer to import than NumPy, and legs by default does not need it

    # exp([[A, B], [0, 0]]) = [[Abar, Bbar], [0, 1]] also holds for singular A, unlike Bbar = A^-1 (Abar - I) B.
    size = len(A)
    block = np.zeros((size + 1, size + 1), dtype=np.result_type(A, B))
    block[:size, :size], block[:size, size] = A, B
    held = expm(block)
    return held[:size, :size].copy(), held[:size, size].copy()
