"""A recurrence over a whole sequence as one node of the autograd graph.

Letters in shape comments are those of `hippo.nn.engine.recurrence`; L is the length of the sequence.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from hippo.nn.engine.recurrence import Recurrence
from hippo.nn.engine.tape import acquire, release

# Steps per chunk when no gradient is needed: the tape is then overwritten by every chunk.
EVALUATION_CHUNK = 64


def unroll(
    make: Callable[..., Recurrence],
    inputs: Tensor,
    weights: tuple[Tensor, ...],
    sequence: bool,
    checkpoint: bool,
) -> Tensor:
    """Run a recurrence over whole sequences.

    Parameters
    ----------
    make : callable
        `make(*weights)` returns the recurrence.
    inputs : Tensor, shape (length, batch, channels)
        Inputs, time first; the last channel is 1 where the recurrence has biases.
    weights : tuple of Tensor
        Weights of the recurrence.
    sequence : bool
        Return the hidden state of every step, not only that of the last.
    checkpoint : bool
        Store the states of about sqrt(length) steps instead of all activations, and run each chunk twice.

    Returns
    -------
    Tensor, shape (batch, hidden), or (length, batch, hidden) if `sequence`
    """
    # Inside `_Unroll.forward` gradients are always disabled, and `needs_input_grad` is set even under `no_grad`.
    return _Unroll.apply(make, sequence, checkpoint, torch.is_grad_enabled(), inputs, *weights)


class _Unroll(torch.autograd.Function):
    @staticmethod
    def forward(ctx, make, sequence, checkpoint, grad_enabled, inputs, *weights):
        steps, batch, _ = inputs.shape
        recurrence = make(*weights)
        keep = grad_enabled and any(ctx.needs_input_grad) and not checkpoint
        chunk = steps if keep else min(steps, math.isqrt(steps - 1) + 1 if checkpoint else EVALUATION_CHUNK)
        tape = acquire(recurrence.layout(chunk, batch), inputs.device)
        hidden = inputs.new_empty(steps, batch, recurrence.hidden_size) if sequence else None  # (L, B, H)
        recurrence.start(batch)
        ctx.snapshots = []
        for first in range(0, steps, chunk):
            ctx.snapshots.append({name: state.clone() for name, state in recurrence.state.items()})
            x = inputs[first : first + chunk]  # (T, B, C)
            recurrence.forward(x, _shorten(tape, len(x)), first)
            if sequence:
                hidden[first : first + chunk] = recurrence.hidden()
        ctx.save_for_backward(inputs, *weights)
        ctx.recurrence, ctx.sequence, ctx.chunk = recurrence, sequence, chunk
        ctx.tape = tape if keep else None
        if not keep:
            release(tape)
        return hidden if sequence else recurrence.state["h"].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        inputs = ctx.saved_tensors[0]
        steps, batch, _ = inputs.shape
        recurrence, chunk = ctx.recurrence, ctx.chunk
        # The adjoint overwrites the tape. A second backward pass therefore has no tape and, like a checkpointed one,
        # computes it again from the states at the start of each chunk.
        tape, ctx.tape = ctx.tape, None
        recompute = tape is None
        tape = acquire(recurrence.layout(chunk, batch), inputs.device) if recompute else tape
        recurrence.start_adjoint(batch)
        if not ctx.sequence:
            recurrence.grad["h"].copy_(grad)
        grad_inputs = torch.empty_like(inputs) if ctx.needs_input_grad[4] else None  # (L, B, C)
        total = None
        for first, snapshot in zip(reversed(range(0, steps, chunk)), reversed(ctx.snapshots), strict=True):
            x = inputs[first : first + chunk]  # (T, B, C)
            part = _shorten(tape, len(x))
            if recompute:
                recurrence.state = {name: state.clone() for name, state in snapshot.items()}
                recurrence.forward(x, part, first)
            recurrence.backward(x, grad[first : first + chunk] if ctx.sequence else None, part, first)
            gradients = recurrence.gradients(x)
            total = gradients if total is None else tuple(a + b for a, b in zip(total, gradients, strict=True))
            if grad_inputs is not None:
                grad_inputs[first : first + chunk] = recurrence.input_gradient(x)
        release(tape)
        return None, None, None, None, grad_inputs, *total


def _shorten(tape: dict[str, Tensor], steps: int) -> dict[str, Tensor]:
    """Return views of the tape for its first `steps` steps; a buffer of T + 1 entries keeps one more."""
    surplus = len(tape["z"]) - steps
    return {name: buffer[: len(buffer) - surplus] for name, buffer in tape.items()}
