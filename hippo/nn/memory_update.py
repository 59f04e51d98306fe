"""One step of a HiPPO memory inside a recurrent cell, differentiable in the state and in the input.

States have shape (batch, memory_size, order), inputs (batch, memory_size).
"""

import numpy as np
import torch
from torch import Tensor, nn

ALPHA = {"bilinear": 0.5, "backward": 1.0}


class ScaledLegendre(nn.Module):
    """LegS: c' = (A c + B f) / t, the scale-invariant memory of the whole past (HiPPO paper, theorem 2)."""

    takes_times = True

    def __init__(self, order: int, discretization: str = "bilinear"):
        super().__init__()
        self.order = order
        self.alpha = ALPHA[discretization]

    def forward(self, state: Tensor, u: Tensor, share: float | Tensor, first: bool) -> Tensor:
        """The state after input `u`, which arrives when `share` of the time so far has passed since the last.

        The `first` input fills the memory: a constant past has the coefficients [u, 0, ..., 0].
        """
        if first:
            return torch.cat([u.unsqueeze(-1), u.new_zeros(*u.shape, self.order - 1)], dim=-1)
        if isinstance(share, Tensor):
            share = share.to(u.dtype).repeat_interleave(u.shape[1])
        rows = _LegSStep.apply(state.reshape(-1, self.order), u.reshape(-1), share, self.alpha)
        return rows.reshape(state.shape)


class _LegSStep(torch.autograd.Function):
    """The compiled O(order) update and its adjoint, on (rows, order) states."""

    @staticmethod
    def forward(ctx, state, u, share, alpha):
        from hippo import kernels

        ctx.share, ctx.alpha = share, alpha
        state = state.clone()
        kernels.legs_step(state, u.contiguous(), share, alpha)
        return state

    @staticmethod
    def backward(ctx, grad):
        from hippo import kernels

        grad = grad.clone(memory_format=torch.contiguous_format)
        grad_u = kernels.legs_step_adjoint(grad, ctx.share, ctx.alpha)
        return grad, grad_u, None, None


class TimeInvariant(nn.Module):
    """c' = A c + B f of a `measure`, discretised once with the given `step`."""

    takes_times = False

    def __init__(self, measure: str, order: int, step: float, discretization: str = "zoh", **parameters):
        super().__init__()
        from hippo.discretization import discretize
        from hippo.measures import transition

        self.order = order
        A, B = discretize(*transition(measure, order, **parameters), step, discretization)
        # Kept in float64 outside the buffers, so that `model.double()` is exact and not a widened float32.
        self._exact = np.asarray(A), np.asarray(B).reshape(order)
        self._cast: dict = {}

    def matrices(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Discretised A (order, order) and B (order,) in the dtype and on the device of `like`."""
        key = like.dtype, like.device
        if key not in self._cast:
            self._cast[key] = tuple(torch.as_tensor(m).to(like.device, like.dtype) for m in self._exact)
        return self._cast[key]

    def forward(self, state: Tensor, u: Tensor, share: float | Tensor, first: bool) -> Tensor:
        """The state after input `u`, one `step` later; `share` and `first` do not matter here."""
        A, B = self.matrices(u)
        return state @ A.T + u.unsqueeze(-1) * B
