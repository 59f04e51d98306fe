"""What a recurrent cell is to the rest of the project."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn


class Cell(nn.Module):
    """A recurrence over a whole sequence.

    A cell says how one step goes (`start`, `step`); this class unrolls it. `takes_times` cells are given each
    step's share of the time elapsed so far, the others are not.
    """

    takes_times = False

    # Parameters that learn at a share of the learning rate, by name.
    learning_rate_factors: ClassVar[dict[str, float]] = {}

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size

    def start(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """State before the first of `inputs`; its first entry is the hidden state."""
        raise NotImplementedError

    def step(self, x: Tensor, state: tuple[Tensor, ...], share: float | Tensor) -> tuple[Tensor, ...]:
        """State after input `x` (batch, channels); `share` of the time so far, 1/k or one per sample."""
        raise NotImplementedError

    def counters(self) -> dict[str, int]:
        """What the cell counted since last asked, by name: one column each of a trial's history."""
        return {}

    def forward(
        self,
        inputs: Tensor,
        times: Tensor | None = None,
        lengths: Tensor | None = None,
        sequence: bool = False,
    ) -> Tensor:
        """Hidden state after each sample's last input (batch, hidden), or after every input if `sequence`.

        inputs (batch, length, channels); times (batch, length), not decreasing; lengths (batch,) if padded.
        """
        shares = elapsed_shares(times, lengths) if times is not None else None
        state, hidden = self.start(inputs), []
        for k, x in enumerate(inputs.unbind(1)):
            share = shares[:, k] if shares is not None else 1 / max(k, 1)
            state = self.step(x, state, share)
            hidden.append(state[0])
        hidden = torch.stack(hidden, dim=1)
        return hidden if sequence else last(hidden, lengths)


def last(hidden: Tensor, lengths: Tensor | None) -> Tensor:
    """The entry of `hidden` (batch, length, units) at each sample's last step, (batch, units)."""
    if lengths is None:
        return hidden[:, -1]
    return hidden[torch.arange(len(hidden), device=hidden.device), lengths.long() - 1]


def elapsed_shares(times: Tensor, lengths: Tensor | None = None) -> Tensor:
    """(t_k - t_{k-1}) / t_k for timestamps (batch, length), the step of a scale-invariant memory.

    The first entry of each sample is 1: what came before the first sample is taken to equal it. Where no
    time has passed (a zero or repeated timestamp, padding), the entry is 0 and that sample's memory stays.
    ValueError where time runs backwards.
    """
    elapsed = intervals(times, lengths)
    shares = torch.where(elapsed > 0, elapsed / torch.where(times > 0, times, 1), 0)
    return torch.cat([torch.ones_like(times[:, :1]), shares[:, 1:]], dim=1)


def intervals(times: Tensor, lengths: Tensor | None = None) -> Tensor:
    """t_k - t_{k-1} for timestamps (batch, length); 0 for each sample's first and where it is padded.

    ValueError where time runs backwards, or is not finite.
    """
    times = times if times.is_floating_point() else times.double()  # differences of unsigned integers would wrap
    elapsed = times.diff(dim=1)
    if lengths is not None:
        inside = torch.arange(1, times.shape[1], device=times.device) < lengths.unsqueeze(1)
        elapsed = torch.where(inside, elapsed, 0)
    if not bool(
        ((times[:, 0] >= 0) & (times[:, 0] < math.inf)).all() and ((elapsed >= 0) & (elapsed < math.inf)).all()
    ):
        raise ValueError("times are negative, decrease or are not finite; sort each sample's timestamps")
    return torch.cat([torch.zeros_like(times[:, :1]), elapsed], dim=1)
