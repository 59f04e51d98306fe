"""One step of a HiPPO memory inside a recurrent cell, and its adjoint.

States (rows, order) hold one row per sample and memory channel, inputs are (rows,). Both directions may work in
place: the caller goes on with the state that is returned.
"""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from hippo import kernels
from hippo.operators.discretization import discretize, method_alpha
from hippo.operators.measures import find_measure, transition


class MemoryUpdate(Protocol):
    """What a recurrence needs of a memory. `share` of the time so far has passed since the last input."""

    order: int
    takes_times: bool

    def advance(self, state: Tensor, u: Tensor, share: float | Tensor, first: bool) -> Tensor:
        """The state after input `u`, the sequence's `first` or a later one."""

    def adjoint(self, grad: Tensor, share: float | Tensor, first: bool) -> tuple[Tensor, Tensor]:
        """From the gradient of the new state, those of the old one and of `u`."""


class ScaledLegendre:
    """LegS: c' = (A c + B f) / t, the scale-invariant memory of the whole past (HiPPO paper, theorem 2)."""

    takes_times = True

    def __init__(self, order: int, discretization: str = "bilinear"):
        self.order = order
        self.alpha = method_alpha(discretization)

    def advance(self, state, u, share, first):
        """The first input fills the memory: a constant past has the coefficients [u, 0, ..., 0]."""
        if first:
            state.zero_()
            state[:, 0] = u
        else:
            kernels.legs_step(state, u, share, self.alpha)
        return state

    def adjoint(self, grad, share, first):
        """Gradients of the old state and of `u`."""
        if not first:
            return grad, kernels.legs_step_adjoint(grad, share, self.alpha)
        grad_u = grad[:, 0].clone()
        return grad.zero_(), grad_u


class TimeInvariant:
    """c' = A c + B f of a `measure`, discretised once; it takes no timestamps.

    `step` is in time in which a window is theta long; where there is none, one time constant is 1.
    """

    takes_times = False

    def __init__(self, measure: str, order: int, step: float, discretization: str = "zoh", **parameters):
        self.order = order
        step *= find_measure(measure).unit  # the measure's matrices may have another window than 1 at theta = 1
        self._exact = discretize(*transition(measure, order, **parameters), step, discretization)
        self._cast: dict = {}

    def matrices(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Discretised A (order, order) and B (order,) in the type and on the device of `like`."""
        key = like.dtype, like.device
        if key not in self._cast:
            self._cast[key] = tuple(torch.from_numpy(np.array(m)).to(like.device, like.dtype) for m in self._exact)
        return self._cast[key]

    def advance(self, state, u, share, first):
        """The state one step later."""
        A, B = self.matrices(state)
        return torch.addr(state @ A.t(), u, B)

    def adjoint(self, grad, share, first):
        """Gradients of the old state and of `u`."""
        A, B = self.matrices(grad)
        return grad @ A, grad @ B
