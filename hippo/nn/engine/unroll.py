"""A recurrence over a whole sequence as one node of the autograd graph.

Letters in shape comments are those of `hippo.nn.engine.recurrence`; L is the length of the sequence.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from hippo.nn.engine.first_derivative import first_derivative_only
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
    initial: Sequence[Tensor] = (),
    first: int = 0,
) -> tuple[Tensor, ...]:
    """Run a recurrence over whole sequences, or over chunks of them.

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
    initial : sequence of Tensor, optional
        States before these inputs: the hidden state, and those of `Recurrence.states` in their order; each of any shape
        with as many numbers. Without it they are zero.
    first : int, default 0
        Index of the first of these inputs in its sequence.

    Returns
    -------
    hidden : Tensor, shape (batch, hidden), or (length, batch, hidden) if `sequence`
    *final : Tensor
        States after the last input, in the order and shapes of `initial`; none without it.
    """
    # Inside `_Unroll.forward` gradients are always disabled, and `needs_input_grad` is set even under `no_grad`.
    settings = make, sequence, checkpoint, torch.is_grad_enabled(), first, len(initial)
    return _Unroll.apply(*settings, inputs, *initial, *weights)


class _Unroll(torch.autograd.Function):
    @staticmethod
    def forward(ctx, make, sequence, checkpoint, grad_enabled, first, states, inputs, *tensors):
        recurrence = make(*tensors[states:])
        keep = grad_enabled and any(ctx.needs_input_grad) and not checkpoint
        chunk = chunk_size(len(inputs), keep, checkpoint)
        results, ctx.snapshots, ctx.tape = run_forward(
            recurrence, inputs, tensors[:states], sequence, chunk, first, keep
        )
        ctx.save_for_backward(inputs, *tensors)
        ctx.recurrence, ctx.sequence, ctx.chunk, ctx.first = recurrence, sequence, chunk, first
        return results

    @staticmethod
    @first_derivative_only
    def backward(ctx, grad, *grad_final):
        inputs, tape, needs_inputs = ctx.saved_tensors[0], ctx.tape, ctx.needs_input_grad[6]
        ctx.tape = None  # the adjoint overwrites the tape: a second backward pass computes it again
        settings = ctx.sequence, ctx.chunk, ctx.first, ctx.snapshots, tape, needs_inputs
        return *(None,) * 6, *run_backward(ctx.recurrence, inputs, grad, grad_final, *settings)


def chunk_size(steps: int, keep: bool, checkpoint: bool) -> int:
    """Return the steps per chunk: all of them if the tape is kept for the backward pass."""
    return (
        steps if keep and not checkpoint else min(steps, math.isqrt(steps - 1) + 1 if checkpoint else EVALUATION_CHUNK)
    )


def run_forward(
    recurrence: Recurrence,
    inputs: Tensor,
    initial: Sequence[Tensor],
    sequence: bool,
    chunk: int,
    first: int,
    keep: bool,
) -> tuple[tuple[Tensor, ...], list[dict[str, Tensor]], dict[str, Tensor] | None]:
    """Run all chunks.

    Parameters
    ----------
    recurrence : Recurrence
        The recurrence.
    inputs, initial, sequence, first
        As in `unroll`.
    chunk : int
        Steps per chunk.
    keep : bool
        Return the tape; there is then one chunk.

    Returns
    -------
    results : tuple of Tensor
        What `unroll` returns.
    snapshots : list of dict
        States before each chunk.
    tape : dict of Tensor, or None
    """
    steps, batch, _ = inputs.shape
    tape = acquire(recurrence.layout(chunk, batch), inputs.device)
    hidden = inputs.new_empty(steps, batch, recurrence.hidden_size) if sequence else None  # (L, B, H)
    recurrence.start(batch, initial)
    snapshots = []
    for begin in range(0, steps, chunk):
        snapshots.append({name: state.clone() for name, state in recurrence.state.items()})
        x = inputs[begin : begin + chunk]  # (T, B, C)
        recurrence.forward(x, _shorten(tape, len(x)), first + begin)
        if hidden is not None:
            hidden[begin : begin + chunk] = recurrence.hidden()
    if not keep:
        release(tape)
    final = in_shapes_of(initial, recurrence.state)
    results = (recurrence.state["h"].clone() if hidden is None else hidden, *final)
    return results, snapshots, tape if keep else None


def run_backward(
    recurrence: Recurrence,
    inputs: Tensor,
    grad: Tensor,
    grad_final: Sequence[Tensor],
    sequence: bool,
    chunk: int,
    first: int,
    snapshots: list[dict[str, Tensor]],
    tape: dict[str, Tensor] | None,
    needs_inputs: bool = True,
) -> tuple[Tensor | None, ...]:
    """Run the adjoint of all chunks, last one first.

    Parameters
    ----------
    recurrence, inputs, sequence, chunk, first
        As in `run_forward`.
    grad, grad_final : Tensor, and sequence of Tensor
        Gradients of the results.
    snapshots, tape
        What `run_forward` returned. Without a tape each chunk is computed again. A tape is overwritten.
    needs_inputs : bool, default True
        Compute the gradient of the inputs.

    Returns
    -------
    tuple of Tensor
        Gradients of inputs, initial states and weights.
    """
    steps, batch, _ = inputs.shape
    recompute = tape is None
    tape = acquire(recurrence.layout(chunk, batch), inputs.device) if tape is None else tape
    recurrence.start_adjoint(batch, grad_final)
    if not sequence:
        recurrence.grad["h"].add_(grad)
    grad_inputs = torch.empty_like(inputs) if needs_inputs else None  # (L, B, C)
    total: tuple[Tensor, ...] = ()
    for begin, snapshot in zip(reversed(range(0, steps, chunk)), reversed(snapshots), strict=True):
        x = inputs[begin : begin + chunk]  # (T, B, C)
        part = _shorten(tape, len(x))
        if recompute:
            recurrence.state = {name: state.clone() for name, state in snapshot.items()}
            recurrence.forward(x, part, first + begin)
        recurrence.backward(x, grad[begin : begin + chunk] if sequence else None, part, first + begin)
        gradients = recurrence.gradients(x)
        total = tuple(a + b for a, b in zip(total, gradients, strict=True)) if total else gradients
        if grad_inputs is not None:
            grad_inputs[begin : begin + chunk] = recurrence.input_gradient(x)
    release(tape)
    return grad_inputs, *in_shapes_of(grad_final, recurrence.grad), *total


def in_shapes_of(others: Sequence[Tensor], states: dict[str, Tensor]) -> list[Tensor]:
    """Return copies of `states` in the shapes of `others`; none if there are no others."""
    return [state.clone().view(other.shape) for state, other in zip(states.values(), others, strict=False)]


def _shorten(tape: dict[str, Tensor], steps: int) -> dict[str, Tensor]:
    """Return views of the tape for its first `steps` steps; a buffer of T + 1 entries keeps one more."""
    surplus = len(tape["z"]) - steps
    return {name: buffer[: len(buffer) - surplus] for name, buffer in tape.items()}
