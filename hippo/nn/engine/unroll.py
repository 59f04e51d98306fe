"""A recurrence over a whole sequence as one node of the autograd graph."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from hippo.nn.engine.recurrence import Recurrence
from hippo.nn.engine.tape import borrow, give_back

# Without gradients nothing has to be kept: the tape is this many steps long and is written over.
SHORT = 64


def unroll(
    make: Callable[..., Recurrence],
    inputs: Tensor,
    weights: tuple[Tensor, ...],
    sequence: bool,
    checkpoint: bool,
) -> Tensor:
    """Hidden state after the last step (batch, hidden), or after every step (steps, batch, hidden) if `sequence`.

    make(*weights) is the recurrence; inputs (steps, batch, channels); `checkpoint` keeps the states of about
    sqrt(steps) steps instead of a tape of all, and runs each stretch twice.
    """
    # Inside `forward` gradients are always off, and inputs that would need one say so even without a graph.
    return _Unroll.apply(make, sequence, checkpoint, torch.is_grad_enabled(), inputs, *weights)


class _Unroll(torch.autograd.Function):
    @staticmethod
    def forward(ctx, make, sequence, checkpoint, learning, inputs, *weights):
        steps, batch, _ = inputs.shape
        recurrence = make(*weights)
        keep = learning and any(ctx.needs_input_grad) and not checkpoint
        stride = steps if keep else min(steps, math.isqrt(steps - 1) + 1 if checkpoint else SHORT)
        tape = borrow(recurrence, stride, batch)
        hidden = inputs.new_empty(steps, batch, recurrence.hidden_size) if sequence else None
        recurrence.start(batch)
        ctx.snapshots = []
        for first in range(0, steps, stride):
            ctx.snapshots.append({name: state.clone() for name, state in recurrence.state.items()})
            x = inputs[first : first + stride]
            recurrence.forward(x, _cut(tape, len(x)), first)
            if sequence:
                hidden[first : first + stride] = recurrence.hidden()
        ctx.save_for_backward(inputs, *weights)
        ctx.recurrence, ctx.sequence, ctx.stride = recurrence, sequence, stride
        ctx.tape = tape if keep else None
        if not keep:
            give_back(tape)
        return hidden if sequence else recurrence.state["h"].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        inputs = ctx.saved_tensors[0]
        steps, batch, _ = inputs.shape
        recurrence, stride = ctx.recurrence, ctx.stride
        # The adjoint writes over the tape. A second backward pass finds none and, like a checkpointed one, makes it
        # again from the states at the start of each stretch.
        tape, ctx.tape = ctx.tape, None
        replay = tape is None
        tape = borrow(recurrence, stride, batch) if replay else tape
        recurrence.start_adjoint(batch)
        if not ctx.sequence:
            recurrence.grad["h"].copy_(grad)
        grad_inputs = torch.empty_like(inputs) if ctx.needs_input_grad[4] else None
        total = None
        for first, snapshot in zip(reversed(range(0, steps, stride)), reversed(ctx.snapshots), strict=True):
            x = inputs[first : first + stride]
            part = _cut(tape, len(x))
            if replay:
                recurrence.state = {name: state.clone() for name, state in snapshot.items()}
                recurrence.forward(x, part, first)
            recurrence.backward(x, grad[first : first + stride] if ctx.sequence else None, part, first)
            gradients = recurrence.gradients(x)
            total = gradients if total is None else tuple(a + b for a, b in zip(total, gradients, strict=True))
            if grad_inputs is not None:
                grad_inputs[first : first + stride] = recurrence.input_gradient(x)
        give_back(tape)
        return None, None, None, None, grad_inputs, *total


def _cut(tape: dict[str, Tensor], steps: int) -> dict[str, Tensor]:
    """The tape's first `steps` steps, and where a buffer has one entry more, that too."""
    surplus = len(tape["z"]) - steps
    return {name: buffer[: len(buffer) - surplus] for name, buffer in tape.items()}
