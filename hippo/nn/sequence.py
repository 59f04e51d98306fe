"""A cell and a linear head: sequences in, one answer per sequence (or per step) out."""

import torch
from torch import Tensor, nn

from hippo.config import ConfigError
from hippo.nn.cells.cell import intervals
from hippo.nn.cells.unrolled import UnrolledCell
from hippo.nn.engine.options import EngineOptions
from hippo.nn.options import ModelOptions


class SequenceModel(nn.Module):
    """Reads sequences with the cell that `options` describe, and answers from its hidden state.

    With `timestamps`, every call gives times (batch, length): the cell's own, or one more channel where its
    options say that it cannot use them. With `return_sequence`, one answer per step. `engine` sets precision and
    checkpointing of cells that the engine unrolls; ConfigError where one is asked of another cell. With an
    `embedding_size` in the options, inputs are integers (batch, length) below input_size.
    """

    def __init__(
        self,
        options: ModelOptions,
        input_size: int,
        output_size: int,
        *,
        timestamps: bool = False,
        return_sequence: bool = False,
        engine: EngineOptions | None = None,
    ):
        super().__init__()
        self.input_size = input_size
        self.timestamps = timestamps
        self.return_sequence = return_sequence
        self.times_as_channel = timestamps and not options.uses_times
        embedding_size = options.embedding_size
        self.embedding = None if embedding_size is None else nn.Embedding(input_size, embedding_size)
        self.cell = options.cell((embedding_size or input_size) + self.times_as_channel)
        if isinstance(self.cell, UnrolledCell):
            self.cell.engine = engine or EngineOptions()
        elif engine not in (None, EngineOptions()):
            raise ConfigError(f"{type(options).__name__} is not run by the engine: leave {engine!r} at its defaults")
        self.dropout = nn.Dropout(options.dropout) if options.dropout else nn.Identity()
        self.head = nn.Linear(self.cell.hidden_size, output_size)

    def forward(self, inputs: Tensor, times: Tensor | None = None, lengths: Tensor | None = None) -> Tensor:
        """Answers (batch, output), or (batch, length, output) with `return_sequence`.

        inputs (batch, length, input_size), or integers (batch, length) to be embedded; times (batch, length), not
        decreasing; lengths (batch,) int64 where samples are padded at their end: what is padded does not matter.
        ValueError for a wrong shape.
        """
        self._check(inputs, times, lengths)
        inside = None
        if lengths is not None:
            lengths = lengths.long()
            inside = torch.arange(inputs.shape[1], device=inputs.device) < lengths.unsqueeze(1)
        if self.embedding is not None:
            inputs = self._embedded(inputs if inside is None else inputs.where(inside, 0))
        if self.times_as_channel:
            intervals(times, lengths)  # refuses what the cells that take times refuse
            inputs = torch.cat([inputs, times.to(inputs.dtype).unsqueeze(2)], dim=2)
            times = None
        if inside is not None:  # whatever stands in the padding, even NaN, whose gradient would be NaN
            inputs = inputs.where(inside.unsqueeze(2), 0)
        hidden = self.cell(inputs, times, lengths, sequence=self.return_sequence)
        return self.head(self.dropout(hidden))

    def _embedded(self, inputs: Tensor) -> Tensor:
        """Integers (batch, length) as vectors; ValueError for one that there is none for."""
        low, high = (int(end) for end in inputs.aminmax()) if inputs.numel() else (0, 0)
        if not 0 <= low <= high < self.input_size:
            raise ValueError(f"inputs span {low} to {high}; expected 0 to {self.input_size - 1}")
        return self.embedding(inputs)

    def parameter_groups(self, learning_rate: float) -> list[dict]:
        """Groups for an optimiser: parameters of the cell may learn at a share of the rate."""
        factors = {f"cell.{name}": factor for name, factor in self.cell.learning_rate_factors.items()}
        groups: dict[float, list] = {}
        for name, parameter in self.named_parameters():
            groups.setdefault(factors.get(name, 1.0), []).append(parameter)
        return [{"params": params, "lr": learning_rate * factor} for factor, params in groups.items()]

    def _check(self, inputs: Tensor, times: Tensor | None, lengths: Tensor | None) -> None:
        channels = () if self.embedding is not None else (self.input_size,)
        if inputs.shape[2:] != channels or inputs.ndim < 2 or inputs.shape[1] == 0:
            expected = ", ".join(["batch", "length", *map(str, channels)])
            raise ValueError(f"inputs have shape {tuple(inputs.shape)}; expected ({expected})")
        if (times is not None) != self.timestamps:
            fault = "missing from a model with" if times is None else "given to a model without"
            raise ValueError(f"times {fault} timestamps; build_model(..., timestamps={times is not None})")
        if times is not None and times.shape != inputs.shape[:2]:
            raise ValueError(f"times have shape {tuple(times.shape)}; expected {tuple(inputs.shape[:2])}")
        if times is not None and times.requires_grad and torch.is_grad_enabled():
            raise ValueError("times require a gradient, which cells do not give: pass times.detach()")
        if lengths is None:
            return
        if lengths.is_floating_point() or lengths.dtype == torch.bool:
            raise ValueError(f"lengths are {lengths.dtype}; expected integers")
        if lengths.shape != inputs.shape[:1]:
            raise ValueError(f"lengths have shape {tuple(lengths.shape)}; expected ({len(inputs)},)")
        if not len(lengths):
            return
        low, high = int(lengths.min()), int(lengths.max())
        if not 1 <= low <= high <= inputs.shape[1]:
            raise ValueError(f"lengths span {low} to {high}; expected 1 to {inputs.shape[1]}")
