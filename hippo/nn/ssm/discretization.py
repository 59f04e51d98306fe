"""Discretization of diagonal-plus-low-rank systems over one step per feature.

Letters in shape comments: H features, n = state_size / 2 conjugate pairs, r rank.
"""

from typing import NamedTuple

import torch
from torch import Tensor

SERIES_RADIUS, SERIES_TERMS = 0.25, 12  # of (e^z - 1) / z; the first omitted term is below 1e-17


class DiscreteSystem(NamedTuple):
    """A discrete system per feature: x' = a x + sum_r p_r Re(v_r . x) + b u and y = Re(c . x') (+ skip u).

    The state x holds one of each conjugate pair, so that factors 2 are inside `c` and `v`. The dot means the sum of
    products without conjugation. The impulse response of channel i is K[l] = Re(c_i . Abar^l b) with
    Abar x = a x + sum_r p_r Re(v_r . x).

    Parameters
    ----------
    a : Tensor of complex, shape (features, state_size / 2)
        Diagonal of Abar.
    p, v : Tensor of complex, shape (features, rank, state_size / 2)
        Low-rank part of Abar; rank 0 for a diagonal system.
    b : Tensor of complex, shape (features, state_size / 2)
        Input vector.
    c : Tensor of complex, shape (channels, features, state_size / 2)
        Output vectors: one channel, or a causal and an anticausal one.
    """

    a: Tensor
    p: Tensor
    v: Tensor
    b: Tensor
    c: Tensor

    @property
    def rank(self) -> int:
        """Rank of the low-rank part."""
        return self.p.shape[1]


def bilinear(step: Tensor, eigenvalues: Tensor, low_rank: Tensor, inputs: Tensor) -> tuple[Tensor, ...]:
    """Discretize x' = (diag(eigenvalues) - sum_r P_r P_r^*) x + B u by the bilinear rule.

    With h = step / 2, d = 1 / (1 - h lambda) and q_r(x) = 2 Re(conj(P_r) . x), which is P_r^* over the full state, the
    rule (I - h A) x' = (I + h A) x + step B u reads x' = a x - h d P t + step d B u, where t = q(x) + q(x'). Applying q
    gives (I + h G) t = 2 q(d x) + step q(d B) u with G = [q_r(d P_s)], because 1 + a = 2 d.

    Parameters
    ----------
    step : Tensor, shape (features,)
        Step sizes.
    eigenvalues : Tensor of complex, shape (features, state_size / 2)
        Eigenvalues lambda of the normal part, one of each conjugate pair; real parts at most 0.
    low_rank : Tensor of complex, shape (features, rank, state_size / 2)
        The vectors P_r.
    inputs : Tensor of complex, shape (features, state_size / 2)
        The vector B.

    Returns
    -------
    a, p, v, b : Tensor
        As in `DiscreteSystem`.

    References
    ----------
    Gu, Goel, Ré, "Efficiently Modeling Long Sequences with Structured State Spaces", arXiv 2111.00396, appendix C.2.
    """
    half = step.unsqueeze(1) / 2  # (H, 1)
    d = 1 / (1 - half * eigenvalues)  # (H, n)
    a = (1 + half * eigenvalues) * d
    b = 2 * half * d * inputs
    p = -half.unsqueeze(2) * d.unsqueeze(1) * low_rank  # (H, r, n)
    if not low_rank.shape[1]:
        return a, p, p, b
    functionals = low_rank.conj()  # 2 Re(functionals . x) = q(x)
    gram = -2 * (functionals @ p.transpose(1, 2)).real  # (H, r, r): h G
    inverse = torch.linalg.inv(torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device) + gram)
    v = 4 * inverse.to(a.dtype) @ (functionals * d.unsqueeze(1))  # (H, r, n)
    feedback = inverse @ (2 * (functionals @ b.unsqueeze(2)).real)  # (H, r, 1): t of a unit input
    return a, p, v, b + (p * feedback).sum(1)


def zero_order_hold(step: Tensor, eigenvalues: Tensor, inputs: Tensor) -> tuple[Tensor, ...]:
    """Discretize x' = diag(eigenvalues) x + B u exactly for inputs that are constant over a step.

    Parameters
    ----------
    step, eigenvalues, inputs : Tensor
        As in `bilinear`.

    Returns
    -------
    a, p, v, b : Tensor
        As in `DiscreteSystem`, of rank 0: a = exp(step lambda) and b = (a - 1) / lambda B, whose limit at lambda = 0 is
        step B.
    """
    z = step.unsqueeze(1) * eigenvalues  # (H, n)
    empty = z.new_zeros(len(z), 0, z.shape[1])
    return z.exp(), empty, empty, step.unsqueeze(1) * exponential_quotient(z) * inputs


def exponential_quotient(z: Tensor) -> Tensor:
    """Return (e^z - 1) / z, to rounding also near z = 0, where its value is 1 and its derivative 1/2.

    Parameters
    ----------
    z : Tensor of complex
        Arguments.

    Returns
    -------
    Tensor
        Values of the dtype of `z`.
    """
    small = z.abs() < SERIES_RADIUS
    near = z.where(small, 0)
    series = torch.ones_like(z)
    for k in range(SERIES_TERMS, 1, -1):
        series = 1 + near * series / k
    far = z.where(~small, 1)  # keeps the unused branch, and its gradient, finite
    real, imag = far.real, far.imag
    # Re(e^z - 1) without the subtraction of nearly equal numbers
    difference = torch.complex(
        real.expm1() * imag.cos() - 2 * (imag / 2).sin().square(), real.exp() * imag.sin()
    )  # fmt: skip
    return series.where(small, difference / far)
