"""A recurrent layer with the interface of `torch.nn.GRU`, over any registered recurrent cell.

Letters in shape comments: B samples, L steps, C channels, H hidden units, D layers times directions.
"""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from hippo import registry
from hippo.config import ConfigError, closest, parse
from hippo.nn.backbone import set_engine
from hippo.nn.bidirectional import reverse, reverse_times
from hippo.nn.cells.cell import Cell
from hippo.nn.cells.padding import check_lengths
from hippo.nn.cells.states import check_state
from hippo.nn.cells.unrolled import check_dtypes
from hippo.nn.engine.options import EngineOptions
from hippo.nn.tensors import check_tensor

if TYPE_CHECKING:
    from hippo.nn.options import ModelOptions

State = Tensor | tuple[Tensor, ...]
# Arguments by name beside the hyperparameters of the cell.
ARGUMENTS = ("num_layers", "batch_first", "dropout", "bidirectional", "engine", "device", "dtype")


class HiPPOLayer(nn.Module):
    """Recurrent layers in the place of `torch.nn.GRU` or `torch.nn.LSTM`: `output, state = layer(input, state)`.

    Parameters
    ----------
    input_size : int
        Channels of the inputs.
    hidden_size : int
        Hidden units.
    num_layers : int, default 1
        Layers; each reads the outputs of the one before.
    cell : str, default "legs"
        Name of a registered recurrent model (`hippo.nn.available_models`), for example "legs", "legt", "lmu" or "gru".
    batch_first : bool, default False
        Inputs and outputs are (batch, length, channels) instead of (length, batch, channels).
    dropout : float, default 0.0
        Fraction of the outputs of each layer but the last that is set to zero in training.
    bidirectional : bool, default False
        Each layer also reads the reversed sequence with a second cell; the outputs are concatenated.
    engine : EngineOptions or dict, optional
        Precision and checkpointing of the cells (`hippo.nn.engine.options`).
    device, dtype
        As in the modules of PyTorch; dtype float32 or float64.
    **hyperparameters
        Further hyperparameters of the cell, for example `order`, `memory_size` or `theta`.

    Attributes
    ----------
    cells : torch.nn.ModuleList
        The cells: layer 0 forward, layer 0 backward if bidirectional, layer 1 forward, and so on.

    Raises
    ------
    ConfigError
        If the name or a hyperparameter is unknown, a value is out of range, or the model is not a recurrent cell.

    Examples
    --------
    >>> import torch
    >>> from hippo.nn import HiPPOLayer
    >>> layer = HiPPOLayer(3, 32, cell="legs", order=16, batch_first=True)
    >>> output, (hidden, memory, time) = layer(torch.zeros(4, 100, 3))
    >>> output.shape, hidden.shape, memory.shape
    (torch.Size([4, 100, 32]), torch.Size([1, 4, 32]), torch.Size([1, 4, 1, 16]))

    A stream in chunks:

    >>> first, state = layer(torch.zeros(4, 60, 3))
    >>> second, state = layer(torch.zeros(4, 40, 3), state)
    >>> torch.allclose(torch.cat([first, second], 1), output, atol=1e-6)
    True
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        cell: str = "legs",
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        engine: EngineOptions | dict | None = None,
        device=None,
        dtype: torch.dtype | None = None,
        **hyperparameters: Any,
    ):
        super().__init__()
        for name, value in (("input_size", input_size), ("num_layers", num_layers)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigError(f"HiPPOLayer: {name} is {value!r}; expected a positive integer")
        for name, flag in (("batch_first", batch_first), ("bidirectional", bidirectional)):
            if not isinstance(flag, bool):
                raise ConfigError(f"HiPPOLayer: {name} is {flag!r}; expected True or False")
        if not isinstance(dropout, (int, float)) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ConfigError(f"HiPPOLayer: dropout is {dropout!r}; expected a number from 0 to 1")
        if dtype not in (None, torch.float32, torch.float64):
            raise ConfigError(
                f"HiPPOLayer: dtype is {dtype!r}; expected torch.float32 or torch.float64; engine.precision has less"
            )
        if dropout and num_layers == 1:
            warnings.warn("dropout acts between layers, and there is one layer: it has no effect", stacklevel=2)
        self.options = self._parse(cell, hidden_size, hyperparameters)
        self.cell, self.input_size, self.hidden_size, self.num_layers = cell, input_size, hidden_size, num_layers
        self.batch_first, self.dropout, self.bidirectional = batch_first, dropout, bidirectional
        self.directions = 2 if bidirectional else 1
        self.output_size = self.directions * hidden_size
        self.cells = nn.ModuleList(self._build(k // self.directions) for k in range(num_layers * self.directions))
        set_engine(self.cells, parse(EngineOptions, engine or {}, where="engine"), cell)
        if device is not None or dtype is not None:
            self.to(device=device, dtype=dtype)
        self._check_states()

    @staticmethod
    def _parse(cell: str, hidden_size: int, hyperparameters: dict[str, Any]) -> "ModelOptions":
        """The options of the cell, after a check that none of them belongs to a stack of layers."""
        from hippo.nn.options import ModelOptions

        where = f"HiPPOLayer(cell={cell!r})"
        options_type = cast("type[ModelOptions]", registry.find("models", cell, where=where))
        outside = [key for key in hyperparameters if key in ModelOptions.model_fields]
        if outside:
            raise ConfigError(
                f"{where}: {', '.join(outside)} belong to build_model; expected num_layers, bidirectional, dropout"
            )
        own = [key for key in options_type.model_fields if key not in ModelOptions.model_fields]
        for key in hyperparameters:
            if key not in own:
                raise ConfigError(f"{where}: unknown key {key!r}; {closest(key, [*ARGUMENTS, *own])}")
        return parse(options_type, {"hidden_size": hidden_size, **hyperparameters}, where=where)

    def _build(self, layer: int) -> Cell:
        """A new cell of a layer."""
        cell = self.options.backbone(self.output_size if layer else self.input_size)
        if not isinstance(cell, Cell):
            raise ConfigError(
                f"HiPPOLayer(cell={self.cell!r}): {self.cell} is not a recurrent cell; for S4 take hippo.nn.S4"
            )
        return cell

    def _check_states(self) -> None:
        """ConfigError unless the states of all cells can be stacked."""
        try:
            states = self._initial_states(1)
        except NotImplementedError as error:
            raise ConfigError(f"HiPPOLayer(cell={self.cell!r}): {error}") from error
        if len({tuple(entry.shape for entry in state) for state in states}) > 1:
            raise ConfigError(
                f"HiPPOLayer(cell={self.cell!r}): the layers have states of different shapes; expected num_layers = 1"
            )

    # -- states -------------------------------------------------------------------------------------------------

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first input.

        Parameters
        ----------
        batch_size : int
            Number of samples.

        Returns
        -------
        Tensor or tuple of Tensor
            The hidden state (num_layers * directions, batch, hidden) if the cell has no other state. Otherwise a tuple
            with the hidden state first; "legs" has (hidden, memory, time), see `Cell.initial_state`.
        """
        return self._unwrap(self._stack(self._initial_states(batch_size)))

    def _initial_states(self, batch_size: int) -> list[tuple[Tensor, ...]]:
        """Of each cell."""
        like = next(self.parameters())
        return [cell.initial_state(like.new_zeros(batch_size, 1, cell.input_size)) for cell in self._cells()]

    def _cells(self) -> list[Cell]:
        return cast(list[Cell], list(self.cells))

    @staticmethod
    def _stack(states: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        """One tensor (D, B, ...) per entry."""
        return tuple(torch.stack(entries) for entries in zip(*states, strict=True))

    @staticmethod
    def _unwrap(state: tuple[Tensor, ...]) -> State:
        return state[0] if len(state) == 1 else state

    def reset_parameters(self) -> None:
        """Set all parameters to new initial values."""
        for k, cell in enumerate(self.cells):
            cell.load_state_dict(self._build(k // self.directions).state_dict())

    def flatten_parameters(self) -> None:
        """Do nothing. Programs for `torch.nn.GRU` call this method."""

    # -- the layer ----------------------------------------------------------------------------------------------

    def forward(
        self,
        input: Tensor | PackedSequence,
        state: State | None = None,
        *,
        times: Tensor | None = None,
        lengths: Tensor | Sequence[int] | None = None,
    ) -> tuple[Tensor | PackedSequence, State]:
        """Compute the outputs at all steps and the state after the last one.

        Parameters
        ----------
        input : Tensor or PackedSequence
            (length, batch, input_size), with `batch_first` (batch, length, input_size), or without a batch
            (length, input_size).
        state : Tensor or tuple of Tensor, optional
            State after the inputs before these, as this method or `initial_state` returned it. Default:
            `initial_state`. Without a batch its second dimension is left out.
        times : Tensor, optional
            Timestamps since the start of the stream, in the shape of the input without channels; for a PackedSequence
            in that of the padded input. Cells without a notion of time ignore them.
        lengths : Tensor or sequence of int, shape (batch,), optional
            True lengths of padded samples. Outputs in the padding are zero, and the state is that after each sample's
            last true step.

        Returns
        -------
        output : Tensor or PackedSequence
            In the form of the input, with `directions * hidden_size` channels.
        state : Tensor or tuple of Tensor
            State of each layer and direction after its last step. `detach` it for truncated backpropagation through
            time.

        Raises
        ------
        ValueError
            If a shape or dtype is wrong, or times decrease.
        TypeError
            If the input, the state or the times are not tensors.
        """
        entries = None if state is None else _entries(state)
        if not isinstance(input, PackedSequence):
            return self._run_tensor(input, entries, times, lengths)
        if lengths is not None:
            raise ValueError("lengths are given beside a PackedSequence, which has its own")
        if input.data.ndim != 2 or input.data.shape[1] != self.input_size:
            shape = tuple(input.data.shape)
            raise ValueError(f"the packed data has shape {shape}; expected (steps of all samples, {self.input_size})")
        padded, lengths = pad_packed_sequence(input, batch_first=True)
        times = times if times is None or self.batch_first else times.t()
        output, after = self._run(padded, entries, times, lengths.to(padded.device))
        return _packed_like(input, output), self._unwrap(after)

    def _run_tensor(self, inputs: Tensor, state: tuple[Tensor, ...] | None, times: Tensor | None, lengths):
        """`forward` for a tensor."""
        check_tensor("inputs", inputs)
        if times is not None:
            check_tensor("times", times)
        if inputs.ndim not in (2, 3) or inputs.shape[-1] != self.input_size:
            batched = "(batch, length" if self.batch_first else "(length, batch"
            raise ValueError(
                f"input has shape {tuple(inputs.shape)}; expected {batched}, {self.input_size}) or "
                f"(length, {self.input_size})"
            )
        if inputs.ndim == 2:
            if state is not None:
                state = tuple(entry.unsqueeze(1) for entry in state)
            times = None if times is None else times.unsqueeze(0)
            output, state = self._run(inputs.unsqueeze(0), state, times, lengths)
            return output.squeeze(0), self._unwrap(tuple(entry.squeeze(1) for entry in state))
        if self.batch_first:
            output, state = self._run(inputs, state, times, lengths)
            return output, self._unwrap(state)
        output, state = self._run(inputs.transpose(0, 1), state, None if times is None else times.t(), lengths)
        return output.transpose(0, 1), self._unwrap(state)

    def _run(
        self, inputs: Tensor, state: tuple[Tensor, ...] | None, times: Tensor | None, lengths
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Outputs (B, L, D * H) and state for inputs (B, L, C)."""
        weight = next(self.parameters())
        if torch.is_autocast_enabled(inputs.device.type):  # the engine has its own mixed precision
            with torch.autocast(inputs.device.type, enabled=False):
                return self._run(inputs.to(weight.dtype), state, times, lengths)
        check_dtypes(inputs, weight)
        if self.bidirectional and times is not None and state is not None:
            raise ValueError(
                "times of a bidirectional layer with a state: the reversed sequence begins at no known time"
            )
        lengths = None if lengths is None else check_lengths(lengths, inputs)
        states = self._initial_states(inputs.shape[0])
        if state is not None:
            entries = check_state(state, self._stack(states), "HiPPOLayer")
            states = [tuple(entry[k] for entry in entries) for k in range(len(self.cells))]
        final = []
        for layer in range(self.num_layers):
            outputs = []
            for k in range(layer * self.directions, (layer + 1) * self.directions):
                run = self._run_reversed if k % self.directions else self._run_cell
                hidden, after = run(self.cells[k], inputs, states[k], times, lengths)
                outputs.append(hidden)
                final.append(after)
            inputs = torch.cat(outputs, 2) if self.bidirectional else outputs[0]  # (B, L, H or 2 * H)
            if self.dropout and layer + 1 < self.num_layers:
                inputs = nn.functional.dropout(inputs, self.dropout, self.training)
        return inputs, self._stack(final)

    @staticmethod
    def _run_cell(cell, inputs, state, times, lengths):
        return cell.run(inputs, state, times=times, lengths=lengths)

    @staticmethod
    def _run_reversed(cell, inputs, state, times, lengths):
        """`_run_cell` of the sequences reversed within their true lengths."""
        times = None if times is None else reverse_times(times, lengths)
        hidden, after = cell.run(reverse(inputs, lengths), state, times=times, lengths=lengths)
        return reverse(hidden, lengths), after

    def extra_repr(self) -> str:
        """Return the arguments, for `repr`."""
        text = f"{self.input_size}, {self.hidden_size}, cell={self.cell!r}"
        defaults = (("num_layers", 1), ("batch_first", False), ("dropout", 0.0), ("bidirectional", False))
        changed = ((name, getattr(self, name)) for name, default in defaults if getattr(self, name) != default)
        return ", ".join([text, *(f"{name}={value}" for name, value in changed)])


def _entries(state: State) -> tuple[Tensor, ...]:
    """The entries of a state; TypeError if it is not a tensor or a tuple of tensors."""
    entries = (state,) if isinstance(state, Tensor) else state
    if not isinstance(entries, tuple | list) or not all(isinstance(entry, Tensor) for entry in entries):
        raise TypeError(f"expected a state as the layer returns it, a tensor or a tuple of tensors, not {state!r:.80}")
    return tuple(entries)


def _packed_like(packed: PackedSequence, padded: Tensor) -> PackedSequence:
    """Pack padded outputs (B, L, C) as their inputs were packed."""
    ordered = padded if packed.sorted_indices is None else padded[packed.sorted_indices]
    batch = torch.arange(len(padded))
    inside = (batch < packed.batch_sizes.unsqueeze(1)).to(padded.device)  # (L, B)
    return PackedSequence(
        ordered.transpose(0, 1)[inside], packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices
    )
