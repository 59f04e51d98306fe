"""From continuous to discrete time: the generalised bilinear family and the zero-order hold.

Over one step Δ of c' = A c + B f the bilinear family (Gu et al. 2020, appendix B.3) weighs the end of the step by
alpha and its start by 1 - alpha; the zero-order hold is exact for an input that is constant over the step.
"""

from numbers import Real

import numpy as np
from scipy.linalg import expm

from hippo.config import closest

ALPHAS = {"euler": 0.0, "bilinear": 0.5, "backward": 1.0}
METHODS = (*ALPHAS, "zoh")


def discretize(
    A: np.ndarray, B: np.ndarray, step: float, method: str | float = "bilinear"
) -> tuple[np.ndarray, np.ndarray]:
    """Abar (N, N) and Bbar (N,), float64, of c_{k+1} = Abar c_k + Bbar f_k for c' = A c + B f.

    A (N, N), B (N,); step in A's unit of time; method "euler" (order of convergence 1), "backward" (1),
    "bilinear" (2), "zoh" (exact for held inputs), or the weight alpha in [0, 1] of the family.
    ValueError: shapes that do not fit, a step that is not positive and finite, an unknown method.
    """
    A, B = np.asarray(A, dtype=np.float64), np.asarray(B, dtype=np.float64)
    if A.ndim != 2 or A.shape != (len(A), len(A)) or B.shape != (len(A),):
        raise ValueError(f"expected A (N, N) and B (N,), got {A.shape} and {B.shape}")
    if not (np.isfinite(step) and step > 0):
        raise ValueError(f"step must be a positive number, got {step!r}")
    alpha = method_alpha(method)
    if alpha is None:
        return _zero_order_hold(A * step, B * step)
    identity = np.eye(len(A))
    right = np.column_stack([identity + (1 - alpha) * step * A, step * B])
    solution = np.linalg.solve(identity - alpha * step * A, right)
    return np.ascontiguousarray(solution[:, :-1]), solution[:, -1].copy()


def method_alpha(method: str | float) -> float | None:
    """The weight alpha of `method`, or None for the zero-order hold, which is not in the family."""
    if isinstance(method, Real) and 0 <= method <= 1:
        return float(method)
    if method not in METHODS:
        hint = closest(method, METHODS)
        raise ValueError(f"unknown method {method!r}; {hint} (or a weight alpha between 0 and 1)")
    return ALPHAS.get(method)


def _zero_order_hold(A: np.ndarray, B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # exp([[A, B], [0, 0]]) = [[Abar, Bbar], [0, 1]] holds for singular A too, unlike A^-1 (Abar - I) B.
    size = len(A)
    block = np.zeros((size + 1, size + 1))
    block[:size, :size], block[:size, size] = A, B
    held = expm(block)
    return held[:size, :size].copy(), held[:size, size].copy()
