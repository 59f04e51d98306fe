"""Base class of recurrent cells, and the time arithmetic that cells have in common.

Letters in shape comments: B samples, L steps of a sequence, C input channels, H hidden units.
"""

import math

import torch
from torch import Tensor, nn


class Cell(nn.Module):
    """A recurrence over whole sequences: (batch, length, channels) -> (batch, length, hidden).

    A plain cell defines `step`, and `start` if it has other states than a hidden state that begins at zero; this class
    unrolls it under autograd. A cell that computes whole sequences in another way overrides `hidden_states`, and its
    `start` and `step` are the reference form that it is tested against (`reference`).

    Parameters
    ----------
    input_size : int
        Input channels.
    hidden_size : int
        Hidden units. `output_size`, which every backbone has, is the same number.
    """

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.output_size = hidden_size

    def start(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the state before the first input; by default a hidden state of zeros.

        Parameters
        ----------
        inputs : Tensor, shape (batch, length, channels)
            Define batch size, dtype and device.

        Returns
        -------
        tuple of Tensor
            The first entry is the hidden state (batch, hidden).
        """
        return (inputs.new_zeros(len(inputs), self.hidden_size),)

    def step(self, x: Tensor, state: tuple[Tensor, ...], step_ratio: float | Tensor) -> tuple[Tensor, ...]:
        """Return the state after one more input.

        Parameters
        ----------
        x : Tensor, shape (batch, channels)
            Input of this step.
        state : tuple of Tensor
            State before this step, as `start` or `step` returned it.
        step_ratio : float, or Tensor of shape (batch,)
            Δt/t of this step: the time since the previous input as a fraction of the time since the start, one number
            for the batch or one per sample. Without timestamps 1 / max(k, 1) at step k = 0, 1, ...

        Returns
        -------
        tuple of Tensor
            The first entry is the hidden state (batch, hidden).

        Raises
        ------
        NotImplementedError
            If the cell computes whole sequences only.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no step-by-step form: call it with whole sequences (batch, length, channels)"
        )

    def counters(self) -> dict[str, int]:
        """Return counts since the last call by name, and reset them. Each is a column of a trial's history."""
        return {}

    def forward(
        self,
        inputs: Tensor,
        times: Tensor | None = None,
        lengths: Tensor | None = None,
        sequence: bool = False,
    ) -> Tensor:
        """Compute the hidden states of whole sequences.

        Parameters
        ----------
        inputs : Tensor, shape (batch, length, channels)
            Input sequences.
        times : Tensor, shape (batch, length), optional
            Timestamps, not negative and not decreasing along each sample. Without them inputs are one unit of time
            apart.
        lengths : Tensor of int, shape (batch,), optional
            True lengths of samples that are padded at their end.
        sequence : bool, default False
            Return the hidden state after every input.

        Returns
        -------
        Tensor, shape (batch, hidden), or (batch, length, hidden) if `sequence`
            Hidden state after the last input of each sample, or after every input.

        Raises
        ------
        ValueError
            If a shape or dtype is wrong, or if times decrease.
        """
        self._check_shapes(inputs, times)
        every_step = sequence or lengths is not None
        hidden = self.hidden_states(inputs, times, lengths, every_step)  # (B, L, H) or (B, H)
        return last(hidden, lengths) if every_step and not sequence else hidden

    def hidden_states(self, inputs: Tensor, times: Tensor | None, lengths: Tensor | None, every_step: bool) -> Tensor:
        """Return the hidden state after every step (batch, length, hidden), or after the last one (batch, hidden).

        Arguments are those of `forward`, whose shapes have been checked. `lengths` exclude padding from checks of the
        timestamps; values in the padding are not used.
        """
        hidden = self.reference(inputs, times, lengths)
        return hidden if every_step else hidden[:, -1]

    def reference(self, inputs: Tensor, times: Tensor | None = None, lengths: Tensor | None = None) -> Tensor:
        """Compute the hidden states one `step` at a time under autograd: slow, and the oracle of faster forms.

        Parameters
        ----------
        inputs, times, lengths : Tensor
            As in `forward`.

        Returns
        -------
        Tensor, shape (batch, length, hidden)
        """
        step_ratios = None if times is None else step_ratios_of(times, lengths)  # (B, L)
        state, hidden = self.start(inputs), []
        for k, x in enumerate(inputs.unbind(1)):  # x (B, C)
            step_ratio = 1 / max(k, 1) if step_ratios is None else step_ratios[:, k]
            state = self.step(x, state, step_ratio)
            hidden.append(state[0])
        return torch.stack(hidden, dim=1)  # (B, L, H)

    def _check_shapes(self, inputs: Tensor, times: Tensor | None) -> None:
        if inputs.ndim != 3 or inputs.shape[1] == 0 or inputs.shape[2] != self.input_size:
            raise ValueError(
                f"inputs have shape {tuple(inputs.shape)}; expected (batch, length, {self.input_size}) with at least "
                "one step"
            )
        if times is not None and times.shape != inputs.shape[:2]:
            raise ValueError(
                f"times have shape {tuple(times.shape)}; expected (batch, length) = {tuple(inputs.shape[:2])}. "
                "The second argument of a cell is the timestamps; a cell takes no initial hidden state"
            )


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
    if not bool(
        ((times[:, 0] >= 0) & (times[:, 0] < math.inf)).all() and ((elapsed >= 0) & (elapsed < math.inf)).all()
    ):
        raise ValueError("times are negative, decrease or are not finite; sort each sample's timestamps")
    return torch.cat([torch.zeros_like(times[:, :1]), elapsed], dim=1)  # (B, L)
