"""Base class of recurrent cells: whole sequences, and chunks of a stream with their state.

Letters in shape comments: B samples, L steps of a sequence, C input channels, H hidden units.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hippo.nn.cells.padding import check_lengths, last, run_padded, true_steps
from hippo.nn.cells.states import check_state
from hippo.nn.cells.times import step_ratios_of, stream_ratios, unseen
from hippo.nn.engine.tracing import NotScriptable, call_directly
from hippo.nn.tensors import check_tensor


class Cell(NotScriptable, nn.Module):
    """A recurrence over whole sequences: (batch, length, channels) -> (batch, length, hidden).

    A plain cell defines `step`, and `start` if it has other states than a hidden state that begins at zero; this class
    unrolls it under autograd. A cell that computes whole sequences in another way overrides `hidden_states` and
    `resume`, and its `start` and `step` are the reference form that it is tested against (`reference`).

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
        return (inputs.new_zeros(inputs.shape[0], self.hidden_size),)

    def step(
        self, x: Tensor, state: tuple[Tensor, ...], step_ratio: float | Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Return the state after one more input.

        Parameters
        ----------
        x : Tensor, shape (batch, channels)
            Input of this step.
        state : tuple of Tensor
            State before this step, as `start` or `step` returned it.
        step_ratio : float, or Tensor of shape (batch,)
            Δt/t of this step: the time since the previous input as a fraction of the time since the start, one number
            for the batch or one per sample. Without timestamps 1 / max(k, 1) at step k = 0, 1, ... The cells of this
            project need none if inputs are one unit of time apart: their state counts the inputs.

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

    # -- whole sequences ----------------------------------------------------------------------------------------

    def forward(
        self,
        inputs: Tensor,
        *misplaced: object,
        times: Tensor | None = None,
        lengths: Tensor | Sequence[int] | None = None,
        sequence: bool = False,
    ) -> Tensor:
        """Compute the hidden states of whole sequences.

        Parameters
        ----------
        inputs : Tensor, shape (batch, length, channels)
            Input sequences.
        *misplaced
            Refused: other arguments have names, so that `cell(inputs, h0)` does not take a state for timestamps.
        times : Tensor, shape (batch, length), optional
            Timestamps, not negative and not decreasing along each sample. Without them inputs are one unit of time
            apart.
        lengths : Tensor or sequence of int, shape (batch,), optional
            True lengths of samples that are padded at their end.
        sequence : bool, default False
            Return the hidden state after every input.

        Returns
        -------
        Tensor, shape (batch, hidden), or (batch, length, hidden) if `sequence`
            Hidden state after the last input of each sample, or after every input.

        Raises
        ------
        TypeError
            If another argument than the inputs has no name.
        ValueError
            If a shape, a dtype or a length is wrong, if times decrease, or if they require a gradient that the cell
            does not compute.
        """
        if misplaced:
            raise TypeError(
                f"{type(self).__name__} takes the inputs alone by position: name times=... and lengths=...; "
                "run(inputs, state) takes an initial state and also returns the final one"
            )
        if self._leaves_graph(inputs):
            return call_directly(self.forward, inputs, times=times, lengths=lengths, sequence=sequence)
        self._check_shapes(inputs, times)
        if lengths is not None:
            lengths = check_lengths(lengths, inputs)
            # The gradient of 0 times a NaN in the padding would be NaN.
            inputs = inputs.where(true_steps(lengths, inputs.shape[1]).unsqueeze(2), 0)
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

    # -- chunks of a stream -------------------------------------------------------------------------------------

    def initial_state(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the state with which `run` begins: that of `start`, and the time of the last input.

        Parameters
        ----------
        inputs : Tensor, shape (batch, length, channels)
            Define batch size, dtype and device.

        Returns
        -------
        tuple of Tensor
            The first entry is the hidden state (batch, hidden). Where a cell depends on time, the last one is the time
            of the last input (batch,), -1 before the first. Inputs without timestamps are at times 0, 1, 2, ..., so
            that it is the number of inputs seen, minus 1.
        """
        return (*self.start(inputs), unseen(inputs))

    def run(
        self,
        inputs: Tensor,
        state: Sequence[Tensor] | None = None,
        *,
        times: Tensor | None = None,
        lengths: Tensor | Sequence[int] | None = None,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Compute the hidden states of a chunk of a stream, and the state from which the next chunk resumes.

        Parameters
        ----------
        inputs : Tensor, shape (batch, length, channels)
            Inputs of the chunk.
        state : sequence of Tensor, optional
            State after the inputs before these, as `run` or `initial_state` returned it. Default: `initial_state`.
        times : Tensor, shape (batch, length), optional
            Timestamps since the start of the stream, in all chunks or in none.
        lengths : Tensor or sequence of int, shape (batch,), optional
            True lengths of samples that are padded at their end. Outputs in the padding are zero.

        Returns
        -------
        hidden : Tensor, shape (batch, length, hidden)
            Hidden states after every input.
        state : tuple of Tensor
            State after the last true input of each sample. Gradients flow through it; `detach` its entries for
            truncated backpropagation through time.

        Raises
        ------
        ValueError
            If a shape or dtype is wrong, or if times decrease.
        NotImplementedError
            If the cell computes whole sequences only.
        """
        if self._leaves_graph(inputs, state):
            return call_directly(self.run, inputs, state, times=times, lengths=lengths)
        self._check_shapes(inputs, times)
        initial = self.initial_state(inputs)
        state = initial if state is None else check_state(state, initial, type(self).__name__)
        if lengths is None:
            return self.resume(inputs, state, times)
        lengths = check_lengths(lengths, inputs)
        return run_padded(self.resume, inputs, state, times, lengths)

    def resume(
        self, inputs: Tensor, state: tuple[Tensor, ...], times: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Compute `run` for samples without padding and arguments that have been checked; by default with `step`."""
        *own, time = state
        current, hidden = tuple(own), []
        even = times is None and bool((time == time[:1]).all())
        step_ratios, time_after = stream_ratios(time, times, inputs.shape[1])
        for k, x in enumerate(inputs.unbind(1)):  # x (B, C)
            current = self.step(x, current, float(step_ratios[0, k]) if even and len(x) else step_ratios[:, k])
            hidden.append(current[0])
        return torch.stack(hidden, dim=1), (*current, time_after)

    def _leaves_graph(self, inputs: Tensor, state: Sequence[Tensor] | None = None) -> bool:
        """Whether a call is faster outside of the program that `torch.compile` reads; a plain cell is part of it."""
        return False

    def _check_shapes(self, inputs: Tensor, times: Tensor | None) -> None:
        check_tensor("inputs", inputs)
        if times is not None:
            check_tensor("times", times)
        if inputs.ndim != 3 or inputs.shape[1] == 0 or inputs.shape[2] != self.input_size:
            raise ValueError(
                f"inputs have shape {tuple(inputs.shape)}; expected (batch, length, {self.input_size}) with at least "
                "one step"
            )
        if times is not None and times.shape != inputs.shape[:2]:
            raise ValueError(
                f"times have shape {tuple(times.shape)}; expected (batch, length) = {tuple(inputs.shape[:2])}"
            )
