"""Computation in chunks whose intermediate values are not kept for the backward pass.

`torch.utils.checkpoint` does the same, but its first call imports PyTorch's compiler, which takes longer than a short
trial.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from hippo.nn.engine.first_derivative import first_derivative_only
from hippo.nn.engine.tracing import is_traced


class _Recomputed(torch.autograd.Function):
    """A function of tensors that keeps its arguments only, and is called again in the backward pass."""

    @staticmethod
    def forward(ctx: Any, function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        ctx.function = function
        ctx.save_for_backward(*tensors)
        return function(*tensors)

    @staticmethod
    @first_derivative_only
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        tensors = [tensor.detach().requires_grad_(tensor.requires_grad) for tensor in ctx.saved_tensors]
        with torch.enable_grad():
            # a number whose gradient by the output is the given one; `grad_outputs` would import the compiler as well
            product = (ctx.function(*tensors) * gradients[0].conj()).sum().real
        wanted = [tensor for tensor in tensors if tensor.requires_grad]
        found = iter(torch.autograd.grad(product, wanted, allow_unused=True))  # one step uses no power of a
        return None, *(next(found) if tensor.requires_grad else None for tensor in tensors)


def recomputed(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """Call a function of tensors; for its gradient, call it again.

    Parameters
    ----------
    function : callable
        Tensors -> tensor, without other variables that require a gradient.
    *tensors : Tensor
        Its arguments.

    Returns
    -------
    Tensor
        A value of the function, with a first derivative.
    """
    return function(*tensors) if is_traced() else _Recomputed.apply(function, *tensors)


def over_features(function: Callable[..., Tensor], tensors: Sequence[Tensor], chunk: int) -> Tensor:
    """Compute a function that acts on each feature alone, a chunk of features at a time.

    Parameters
    ----------
    function : callable
        Tensors (features, ...) -> tensor (features, ...).
    tensors : sequence of Tensor, shape (features, ...)
        Its arguments.
    chunk : int
        Features per call; less than 1 means 1.

    Returns
    -------
    Tensor, shape (features, ...)
    """
    chunks = zip(*(tensor.split(max(1, chunk)) for tensor in tensors), strict=True)
    parts = [recomputed(function, *arguments) for arguments in chunks]
    return parts[0] if len(parts) == 1 else torch.cat(parts)
