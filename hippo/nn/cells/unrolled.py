"""A cell that the engine unrolls."""

from functools import partial

import torch
from torch import Tensor

from hippo.nn.cells.cell import Cell, elapsed_shares, last
from hippo.nn.engine.graph import Graphed
from hippo.nn.engine.options import EngineOptions
from hippo.nn.engine.unroll import unroll


class UnrolledCell(Cell):
    """A cell whose sequences run in the engine: says which recurrence it is, and with which weights."""

    engine = EngineOptions()

    def weights(self) -> tuple[Tensor, ...]:
        """Weights in the recurrence's order; biases are the last column of those that multiply the input."""
        raise NotImplementedError

    def recurrence(self, shares: Tensor | None):
        """What makes the recurrence from (hidden size, compute type, *weights), a class or a partial of one."""
        raise NotImplementedError

    def forward(
        self,
        inputs: Tensor,
        times: Tensor | None = None,
        lengths: Tensor | None = None,
        sequence: bool = False,
    ) -> Tensor:
        """As `Cell.forward`; ValueError for inputs of another type than float32, float64 or the weights'."""
        weights = self.weights()
        if inputs.dtype not in (torch.float32, torch.float64) or inputs.dtype != weights[0].dtype:
            raise ValueError(
                f"inputs are {inputs.dtype}, the weights {weights[0].dtype}; both float32, or both float64"
            )
        shares = elapsed_shares(times, lengths) if times is not None else None
        compute = torch.bfloat16 if self.engine.precision == "bfloat16" else inputs.dtype
        make = partial(self.recurrence(shares), self.hidden_size, compute)
        steps = torch.cat([inputs, torch.ones_like(inputs[:, :, :1])], dim=2).transpose(0, 1).contiguous()
        every = sequence or lengths is not None
        if inputs.is_cuda and shares is None and not self.engine.checkpoint:
            hidden = Graphed.apply(self, make, every, torch.is_grad_enabled(), steps, *weights)
        else:
            hidden = unroll(make, steps, weights, every, self.engine.checkpoint)
        if not every:
            return hidden
        hidden = hidden.transpose(0, 1)
        return hidden if sequence else last(hidden, lengths)


def with_bias(weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """(rows, columns + 1): the bias (zero if none) as the weight of a last input that is 1."""
    column = weight.new_zeros(len(weight)) if bias is None else bias
    return torch.cat([weight, column.unsqueeze(1)], dim=1)
