"""Autograd functions whose gradients are computed without a graph, and so cannot be differentiated again."""

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor


def first_derivative_only(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Make the gradients of an autograd function refuse to be differentiated.

    PyTorch's `once_differentiable` refuses only if the incoming gradient requires a gradient. That of a sum does not,
    and its second derivative would silently be zero.

    The gradients are computed in the types of the forward pass, also where the backward pass runs under autocast.

    Parameters
    ----------
    backward : callable
        `backward(ctx, *gradients)` of a `torch.autograd.Function` that saves its inputs (`ctx.save_for_backward`).

    Returns
    -------
    callable
        The same, without a graph. With `create_graph=True`, the derivative of its results raises RuntimeError.
    """

    @functools.wraps(backward)
    def without_graph(ctx: Any, *gradients: Tensor) -> Any:
        with torch.no_grad(), _without_autocast(gradients[0].device.type):
            results = backward(ctx, *gradients)
        if not torch.is_grad_enabled():
            return results
        several = results if isinstance(results, tuple) else (results,)
        origins = *gradients, *ctx.saved_tensors
        found = tuple(_Refusal.apply(result, *origins) if isinstance(result, Tensor) else result for result in several)
        return found if isinstance(results, tuple) else found[0]

    return without_graph


def _without_autocast(device_type: str) -> AbstractContextManager:
    """The context in which autocast of a type of device is off, where there is any."""
    if torch.amp.is_autocast_available(device_type):
        return torch.autocast(device_type, enabled=False)
    return nullcontext()


class _Refusal(torch.autograd.Function):
    """A gradient as a function of what it was computed from, without a derivative."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, *origins: Tensor) -> Tensor:
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        raise RuntimeError(
            "the compiled layers have first derivatives only: leave out create_graph=True, or differentiate the "
            "PyTorch form of the layer"
        )
