"""Timestamps of recurrent cells: step ratios and intervals, of whole sequences and of chunks of a stream.

Letters in shape comments: B samples, L steps of a sequence.
"""

import math

import torch
from torch import Tensor

from hippo.nn.engine.tracing import is_traced


def refuse_gradient(times: Tensor) -> None:
    """Raise ValueError if autograd would expect the gradient of timestamps."""
    if times.requires_grad and torch.is_grad_enabled():
        raise ValueError("times require a gradient, which cells do not compute: pass times.detach()")


def unseen(inputs: Tensor) -> Tensor:
    """Return the time of the last input before there is one: -1 for each sample (batch,) of `inputs`."""
    return torch.full((inputs.shape[0],), -1.0, dtype=torch.float64, device=inputs.device)


def stream_times(time: Tensor, times: Tensor | None, length: int) -> Tensor:
    """Return the timestamps of a chunk of a stream.

    Parameters
    ----------
    time : Tensor of float64, shape (batch,)
        Time of the last input before the chunk; -1 if there is none.
    times : Tensor, shape (batch, length), or None
        Timestamps; None: one unit of time after another.
    length : int
        Inputs of the chunk.

    Returns
    -------
    Tensor, shape (batch, length)
        In the floating-point dtype of `times`, else float64.

    Raises
    ------
    ValueError
        If times are negative, decrease, are not finite, or begin before `time`.
    """
    if times is None:
        return time.unsqueeze(1) + torch.arange(1, length + 1, device=time.device)
    times = times if times.is_floating_point() else times.double()
    intervals(times)
    if not is_traced() and bool((times[:, 0] < time.to(times.dtype)).any()):
        raise ValueError("times begin before the last input of the state; expected the times since the stream began")
    return times


def stream_ratios(time: Tensor, times: Tensor | None, length: int) -> tuple[Tensor, Tensor]:
    """Compute the step ratios of a chunk of a stream; those of the first chunk are `step_ratios_of` its times.

    Parameters
    ----------
    time, times, length
        As in `stream_times`.

    Returns
    -------
    step_ratios : Tensor, shape (batch, length)
    time : Tensor of float64, shape (batch,)
        Time of the last input.
    """
    now = stream_times(time, times, length)
    step_ratios = step_ratios_of(torch.cat([time.to(now.dtype).clamp(min=0).unsqueeze(1), now], 1))[:, 1:]
    first = torch.where(time < 0, 1, step_ratios[:, 0])
    return torch.cat([first.unsqueeze(1), step_ratios[:, 1:]], 1), now[:, -1].double()


def step_ratios_of(times: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Compute (t_k - t_{k-1}) / t_k, the steps of a scale-invariant memory.

    The first entry of each sample is 1: the signal before the first input is taken to equal that input. Where no time
    has passed (a zero or repeated timestamp, padding) the entry is 0 and the memory of that sample does not change.

    Parameters
    ----------
    times : Tensor, shape (batch, length)
        Timestamps.
    lengths : Tensor of int, shape (batch,), optional
        True lengths of padded samples.

    Returns
    -------
    Tensor, shape (batch, length)

    Raises
    ------
    ValueError
        If times are negative, decrease or are not finite.
    """
    elapsed = intervals(times, lengths)
    step_ratios = torch.where(elapsed > 0, elapsed / torch.where(times > 0, times, 1), 0)
    return torch.cat([torch.ones_like(times[:, :1]), step_ratios[:, 1:]], dim=1)


def intervals(times: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Compute t_k - t_{k-1}; 0 at the first step of each sample and in its padding.

    Parameters
    ----------
    times : Tensor, shape (batch, length)
        Timestamps.
    lengths : Tensor of int, shape (batch,), optional
        True lengths of padded samples.

    Returns
    -------
    Tensor, shape (batch, length)
        In the floating-point dtype of `times`, or float64 for integer times.

    Raises
    ------
    ValueError
        If times are negative, decrease or are not finite.
    """
    times = times if times.is_floating_point() else times.double()  # differences of unsigned integers would wrap
    elapsed = times.diff(dim=1)  # (B, L - 1)
    if lengths is not None:
        inside = torch.arange(1, times.shape[1], device=times.device) < lengths.unsqueeze(1)
        elapsed = torch.where(inside, elapsed, 0)
    if not is_traced() and not bool(
        ((times[:, 0] >= 0) & (times[:, 0] < math.inf)).all() and ((elapsed >= 0) & (elapsed < math.inf)).all()
    ):
        raise ValueError("times are negative, decrease or are not finite; sort each sample's timestamps")
    return torch.cat([torch.zeros_like(times[:, :1]), elapsed], dim=1)  # (B, L)
