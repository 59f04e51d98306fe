"""HiPPO memories inside a recurrent cell: one update, its adjoint, and the reference form of the update.

`update` and `adjoint` serve the engine. They work on states (rows, order), where a row is one memory channel of one
sample, and may overwrite their first argument: use the returned tensor. `reference` computes the same update under
autograd from dense matrices, on states (batch, channels, order).
"""

from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from hippo import kernels
from hippo.nn.engine.tracing import is_traced
from hippo.operators.discretization import discretization_alpha
from hippo.operators.dynamics import TimeInvariant
from hippo.operators.measures import transition


class MemoryUpdate(Protocol):
    """What a recurrence requires of a memory of `order` coefficients.

    `step_ratio` is Δt/t of the step, one number or one per row (sample in `reference`); `first` is true at the first
    input of a sequence.
    """

    order: int

    def update(self, state: Tensor, u: Tensor, step_ratio: float | Tensor, first: bool) -> Tensor:
        """Return the state (rows, order) after the inputs u (rows,)."""

    def adjoint(self, grad: Tensor, step_ratio: float | Tensor, first: bool) -> tuple[Tensor, Tensor]:
        """Return the gradients of the old state (rows, order) and of u (rows,) from that of the new state."""

    def reference(self, state: Tensor, u: Tensor, step_ratio: float | Tensor, first: bool) -> Tensor:
        """Return the state (batch, channels, order) after the inputs u (batch, channels), by dense matrices."""


class LegSMemory:
    """The scale-invariant LegS memory of the whole past, c' = (A c + B f) / t.

    The first input fills the memory: a constant past u has the coefficients [u, 0, ..., 0].

    Parameters
    ----------
    order : int
        Number of coefficients N.
    discretization : {"bilinear", "backward"}, default "bilinear"
        Discretization rule.

    Raises
    ------
    ValueError
        If the rule is unknown or is "zoh", whose matrices the O(order) update does not compute.

    References
    ----------
    Gu et al., "HiPPO: Recurrent Memory with Optimal Polynomial Projections", NeurIPS 2020, theorem 2.
    """

    def __init__(self, order: int, discretization: str = "bilinear"):
        self.order = order
        alpha = discretization_alpha(discretization)
        if alpha is None:
            raise ValueError(f"discretization {discretization!r}: LegSMemory takes 'bilinear' or 'backward'")
        self.alpha, self.discretization = alpha, discretization

    def settings(self) -> dict[str, object]:
        """Return the arguments of the constructor."""
        return {"order": self.order, "discretization": self.discretization}

    def update(self, state: Tensor, u: Tensor, step_ratio: float | Tensor, first: bool) -> Tensor:
        """Return the state (rows, order) after the inputs u (rows,); O(order) per row."""
        if first:
            state.zero_()
            state[:, 0] = u
        else:
            kernels.legs_step(state, u, step_ratio, self.alpha)
        return state

    def adjoint(self, grad: Tensor, step_ratio: float | Tensor, first: bool) -> tuple[Tensor, Tensor]:
        """Return the gradients of the old state (rows, order) and of u (rows,)."""
        if not first:
            return grad, kernels.legs_step_adjoint(grad, step_ratio, self.alpha)
        grad_u = grad[:, 0].clone()
        return grad.zero_(), grad_u

    def reference(self, state: Tensor, u: Tensor, step_ratio: float | Tensor, first: bool) -> Tensor:
        """Return the state (batch, channels, order) after u (batch, channels); step_ratio a number or (batch,)."""
        if first:
            return torch.cat([u.unsqueeze(-1), torch.zeros_like(state[..., 1:])], -1)
        if isinstance(step_ratio, Tensor):
            if not len(u):
                return state
            samples = zip(state.split(1), u.split(1), step_ratio.tolist(), strict=True)
            return torch.cat([self.reference(*sample, first=False) for sample in samples])
        A, B = (torch.from_numpy(part).to(state) for part in _dense_legs_step(self.order, step_ratio, self.alpha))
        return state @ A.T + u.unsqueeze(-1) * B


@lru_cache(maxsize=1024)
def _dense_legs_step(order: int, step_ratio: float, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Return (I - a s A)^-1 (I + (1 - a) s A) and (I - a s A)^-1 s B in float64; s is the step ratio."""
    A, B = transition("legs", order)
    identity = np.eye(order)
    right = np.column_stack([identity + (1 - alpha) * step_ratio * A, step_ratio * B])
    solution = np.linalg.solve(identity - alpha * step_ratio * A, right)
    return solution[:, :-1].copy(), solution[:, -1].copy()


class DenseMemory:
    """A time-invariant memory c' = A c + B f, discretized once to dense matrices; it ignores timestamps.

    Parameters
    ----------
    system : TimeInvariant
        Measure, order and timescale.
    step : float, default 1.0
        Time between inputs, in the units of time of `system`.
    discretization : str, default "zoh"
        Discretization rule.

    Examples
    --------
    >>> memory = DenseMemory(TimeInvariant("legt", order=1, window=10), discretization="euler")
    >>> memory.matrices(torch.zeros(()))
    (tensor([[0.9000]]), tensor([0.1000]))
    """

    def __init__(self, system: TimeInvariant, step: float = 1.0, discretization: str = "zoh"):
        self.order = system.order
        self.system, self.step, self.discretization = system, step, discretization
        self._exact = system.discretize(step, discretization)  # float64 arrays
        self._converted: dict[tuple[torch.dtype, torch.device], tuple[Tensor, Tensor]] = {}

    def settings(self) -> dict[str, object]:
        """Return the arguments of the constructor."""
        return {"system": self.system, "step": self.step, "discretization": self.discretization}

    def matrices(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return the discretized A (order, order) and B (order,) with dtype and device of `like`."""
        if is_traced():  # its tensors belong to the program that is read
            return self._convert(like)
        key = like.dtype, like.device
        if key not in self._converted:
            with torch.inference_mode(False):  # tensors of inference mode could never be used for training
                self._converted[key] = self._convert(like)
        return self._converted[key]

    def _convert(self, like: Tensor) -> tuple[Tensor, Tensor]:
        A, B = (torch.from_numpy(matrix.copy()).to(like.device, like.dtype) for matrix in self._exact)
        return A, B

    def __getstate__(self) -> dict[str, object]:
        """Leave the converted matrices out of copies and files: they belong to a device."""
        return {**self.__dict__, "_converted": {}}

    def update(self, state: Tensor, u: Tensor, step_ratio: float | Tensor, first: bool) -> Tensor:
        """Return the state (rows, order) after the inputs u (rows,)."""
        A, B = self.matrices(state)
        return torch.addr(state @ A.t(), u, B)  # (rows, N)

    def adjoint(self, grad: Tensor, step_ratio: float | Tensor, first: bool) -> tuple[Tensor, Tensor]:
        """Return the gradients of the old state (rows, order) and of u (rows,)."""
        A, B = self.matrices(grad)
        return grad @ A, grad @ B

    def reference(self, state: Tensor, u: Tensor, step_ratio: float | Tensor, first: bool) -> Tensor:
        """Return the state (batch, channels, order) after the inputs u (batch, channels)."""
        A, B = self.matrices(state)
        return state @ A.T + u.unsqueeze(-1) * B
