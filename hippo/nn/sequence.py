"""A cell and a linear head: sequences in, one answer per sequence (or per step) out."""

import torch
from torch import Tensor, nn

from hippo.nn.engine.cell import UnrolledCell
from hippo.nn.engine.options import EngineOptions
from hippo.nn.models import ModelConfig


class SequenceModel(nn.Module):
    """Reads sequences with the cell that `options` describe, and answers from its hidden state.

    With `timestamps`, every call gives times (batch, length): the cell's own, or one more channel where its
    options say that it cannot use them. With `return_sequence`, one answer per step. `engine` sets precision and
    checkpointing of cells that the engine unrolls; it does not matter to the others.
    """

    def __init__(
        self,
        options: ModelConfig,
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
        self.cell = options.cell(input_size + self.times_as_channel)
        if isinstance(self.cell, UnrolledCell) and engine is not None:
            self.cell.engine = engine
        self.head = nn.Linear(self.cell.hidden_size, output_size)

    def forward(self, inputs: Tensor, times: Tensor | None = None, lengths: Tensor | None = None) -> Tensor:
        """Answers (batch, output), or (batch, length, output) with `return_sequence`.

        inputs (batch, length, input_size); times (batch, length), not decreasing; lengths (batch,) int64
        where samples are padded at their end: what is padded does not matter. ValueError for a wrong shape.
        """
        self._check(inputs, times, lengths)
        if self.times_as_channel:
            inputs = torch.cat([inputs, times.to(inputs.dtype).unsqueeze(2)], dim=2)
            times = None
        return self.head(self.cell(inputs, times, lengths, sequence=self.return_sequence))

    def parameter_groups(self, learning_rate: float) -> list[dict]:
        """Groups for an optimiser: a parameter whose `learning_rate_factor` is set learns at that share."""
        groups: dict[float, list] = {}
        for parameter in self.parameters():
            groups.setdefault(getattr(parameter, "learning_rate_factor", 1.0), []).append(parameter)
        return [{"params": params, "lr": learning_rate * factor} for factor, params in groups.items()]

    def _check(self, inputs: Tensor, times: Tensor | None, lengths: Tensor | None) -> None:
        if inputs.ndim != 3 or inputs.shape[2] != self.input_size or inputs.shape[1] == 0:
            raise ValueError(f"inputs have shape {tuple(inputs.shape)}; expected (batch, length, {self.input_size})")
        if (times is not None) != self.timestamps:
            fault = "missing from a model with" if times is None else "given to a model without"
            raise ValueError(f"times {fault} timestamps; build_model(..., timestamps={times is not None})")
        if times is not None and times.shape != inputs.shape[:2]:
            raise ValueError(f"times have shape {tuple(times.shape)}; expected {tuple(inputs.shape[:2])}")
        if lengths is None:
            return
        if lengths.shape != inputs.shape[:1]:
            raise ValueError(f"lengths have shape {tuple(lengths.shape)}; expected ({len(inputs)},)")
        low, high = int(lengths.min()), int(lengths.max())
        if not 1 <= low <= high <= inputs.shape[1]:
            raise ValueError(f"lengths span {low} to {high}; expected 1 to {inputs.shape[1]}")
