"""Padded samples of recurrent cells: true lengths, and states after the last true input.

Letters in shape comments: B samples, L steps of a sequence, C channels.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from hippo.nn.engine.tracing import is_traced


def last(hidden: Tensor, lengths: Tensor | None) -> Tensor:
    """Select the last step of each sample.

    Parameters
    ----------
    hidden : Tensor, shape (batch, length, channels)
    lengths : Tensor of int, shape (batch,), or None
        True lengths; None if no sample is padded.

    Returns
    -------
    Tensor, shape (batch, channels)
    """
    if lengths is None:
        return hidden[:, -1]
    return hidden[torch.arange(len(hidden), device=hidden.device), lengths.long() - 1]


def true_steps(lengths: Tensor, steps: int) -> Tensor:
    """Return which steps of padded sequences are true steps.

    Parameters
    ----------
    lengths : Tensor of int, shape (batch,)
        True lengths.
    steps : int
        Length of the padded sequences.

    Returns
    -------
    Tensor of bool, shape (batch, steps)
        False in the padding.
    """
    return torch.arange(steps, device=lengths.device) < lengths.unsqueeze(1)


def as_lengths(lengths: Tensor | Sequence[int], device: torch.device) -> Tensor:
    """Return lengths, given as a tensor or a sequence of integers, as a tensor on a device."""
    lengths = torch.as_tensor(lengths, device=device)
    return lengths if lengths.numel() else lengths.long()  # an empty list becomes a tensor of floats


def check_lengths(lengths: Tensor | Sequence[int], inputs: Tensor, least: int = 1) -> Tensor:
    """Check true lengths.

    Parameters
    ----------
    lengths : Tensor or sequence of int, shape (batch,)
        True lengths.
    inputs : Tensor, shape (batch, length, ...)
        Padded inputs, on the device of the result.
    least : int, default 1
        Smallest length.

    Returns
    -------
    Tensor of int64, shape (batch,)

    Raises
    ------
    ValueError
        If they are not one integer per sample, from `least` to the length of the inputs.
    """
    samples, steps = inputs.shape[:2]
    lengths = as_lengths(lengths, inputs.device)
    if lengths.is_floating_point() or lengths.dtype == torch.bool:
        raise ValueError(f"lengths are {lengths.dtype}; expected integers")
    if lengths.shape != (samples,):
        raise ValueError(f"lengths have shape {tuple(lengths.shape)}; expected ({samples},)")
    if is_traced():
        return lengths.long()
    lengths = lengths.long()
    low, high = (int(end) for end in lengths.aminmax()) if samples else (least, least)
    if not least <= low <= high <= steps:
        raise ValueError(f"lengths span {low} to {high}; expected {least} to {steps}, the steps of the inputs")
    return lengths


def run_padded(
    resume: Callable[[Tensor, tuple[Tensor, ...], Tensor | None], tuple[Tensor, tuple[Tensor, ...]]],
    inputs: Tensor,
    state: tuple[Tensor, ...],
    times: Tensor | None,
    lengths: Tensor,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run padded samples, each of them up to its true length.

    The samples are sorted by length. Each part of the sequences between two different lengths is one call, for the
    samples that have not ended.

    Parameters
    ----------
    resume : callable
        `resume(inputs, state, times)` returns outputs and state of samples without padding.
    inputs : Tensor, shape (batch, length, channels)
        Inputs.
    state : tuple of Tensor, shape (batch, ...)
        State before the inputs.
    times : Tensor, shape (batch, length), or None
        Timestamps.
    lengths : Tensor of int64, shape (batch,)
        True lengths.

    Returns
    -------
    outputs : Tensor, shape (batch, length, channels)
        Zero in the padding.
    state : tuple of Tensor, shape (batch, ...)
        State after the last true input of each sample.
    """
    if is_traced():
        raise RuntimeError(
            "lengths with a state cannot be compiled or exported: leave them out, or call the cell directly"
        )
    order = lengths.argsort(descending=True, stable=True)
    inputs, times = inputs[order], None if times is None else times[order]
    state = tuple(entry[order] for entry in state)
    sorted_lengths = lengths[order].tolist()
    outputs, ended, begin = [], [], 0
    for end in sorted(set(sorted_lengths)):
        running = sum(length >= end for length in sorted_lengths)
        remaining = sum(length > end for length in sorted_lengths)
        chunk_times = None if times is None else times[:running, begin:end]
        hidden, state = resume(inputs[:running, begin:end], state, chunk_times)
        outputs.append(pad(hidden, (0, 0, 0, 0, 0, len(inputs) - running)))  # (B, T, H)
        ended.append(tuple(entry[remaining:] for entry in state))
        state, begin = tuple(entry[:remaining] for entry in state), end
    if not ended:  # an empty batch
        return resume(inputs, state, times)
    joined = pad(torch.cat(outputs, 1), (0, 0, 0, inputs.shape[1] - begin))  # (B, L, H)
    back = order.argsort()
    return joined[back], tuple(torch.cat(entries)[back] for entries in zip(*ended[::-1], strict=True))
