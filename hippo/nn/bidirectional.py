"""A layer in both directions: one copy reads the sequence, a second copy reads it reversed."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from hippo.nn.backbone import sum_counters
from hippo.nn.pooling import last, true_steps


class Bidirectional(nn.Module):
    """Two copies of a layer over the sequence and its reversal, with concatenated outputs.

    Each sample is reversed within its true length. At every step the first half of the outputs depends on the inputs
    up to this step, the second half on the inputs from this step on. At the last true step the second half has read
    the last input only; pooling by the mean uses both halves fully.

    Parameters
    ----------
    layer : callable
        Input channels -> backbone.
    input_size : int
        Channels of the inputs.
    """

    def __init__(self, layer: Callable[[int], Any], input_size: int):
        super().__init__()
        self.forward_layer = layer(input_size)
        self.backward_layer = layer(input_size)
        self.output_size: int = self.forward_layer.output_size + self.backward_layer.output_size

    def forward(
        self, inputs: Tensor, times: Tensor | None = None, lengths: Tensor | None = None, sequence: bool = False
    ) -> Tensor:
        """Compute the outputs of both directions.

        Parameters
        ----------
        inputs, times, lengths, sequence
            As in `hippo.nn.backbone.Backbone`.

        Returns
        -------
        Tensor, shape (batch, output_size), or (batch, length, output_size) if `sequence`
        """
        forward = self.forward_layer(inputs, times=times, lengths=lengths, sequence=True)  # (B, L, H)
        times = None if times is None else reverse_times(times, lengths)
        mirrored = reverse(inputs, lengths)
        backward = self.backward_layer(mirrored, times=times, lengths=lengths, sequence=True)  # (B, L, H)
        outputs = torch.cat([forward, reverse(backward, lengths)], dim=2)  # (B, L, 2 H)
        return outputs if sequence else last(outputs, lengths)

    def counters(self) -> dict[str, int]:
        """Return the sums of the counts of both copies."""
        return sum_counters([self.forward_layer, self.backward_layer])


def reverse(values: Tensor, lengths: Tensor | None) -> Tensor:
    """Reverse each sample within its true length; the padding stays in place.

    Parameters
    ----------
    values : Tensor, shape (batch, length, ...)
        Values per step.
    lengths : Tensor of int, shape (batch,), or None
        True lengths; None if no sample is padded.

    Returns
    -------
    Tensor
        Reversed values. Reversing them again restores `values`.
    """
    if lengths is None:
        return values.flip(1)
    steps = torch.arange(values.shape[1], device=values.device)  # (L,)
    mirrored = lengths.long().unsqueeze(1) - 1 - steps  # (B, L), negative in the padding
    index = torch.where(mirrored >= 0, mirrored, steps)
    return values[torch.arange(len(values), device=values.device).unsqueeze(1), index]


def reverse_times(times: Tensor, lengths: Tensor | None) -> Tensor:
    """Return the timestamps of the reversed sequences: the time from each input to the last one, t_last - t.

    They begin at 0 and have the intervals of `times` in reversed order. Inputs at times 0, 1, 2, ... keep these times,
    so that evenly spaced timestamps equal no timestamps in both directions.

    Parameters
    ----------
    times : Tensor, shape (batch, length)
        Timestamps that do not decrease.
    lengths : Tensor of int, shape (batch,), or None
        True lengths; None if no sample is padded.

    Returns
    -------
    Tensor, shape (batch, length)
        In the floating-point dtype of `times`, or float64 for integer times. In the padding each sample keeps its last
        true value.
    """
    times = times if times.is_floating_point() else times.double()  # differences of unsigned integers would wrap
    end = last(times.unsqueeze(2), lengths)  # (B, 1)
    reversed_times = end - reverse(times, lengths)
    if lengths is None:
        return reversed_times
    return reversed_times.where(true_steps(lengths, times.shape[1]), end - times[:, :1])
