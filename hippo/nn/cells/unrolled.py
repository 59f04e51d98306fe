"""Base class of cells that the engine unrolls.

Letters in shape comments: B samples, L steps of a sequence, C input channels, H hidden units.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from hippo.kernels import product_precision
from hippo.nn.cells.cell import Cell, step_ratios_of
from hippo.nn.engine.graph import Graphed
from hippo.nn.engine.options import EngineOptions
from hippo.nn.engine.recurrence import Recurrence
from hippo.nn.engine.unroll import unroll


class UnrolledCell(Cell):
    """A cell whose sequences run in the engine.

    A subclass defines `weights` and `recurrence`, the fast form, and `step` (with `start` where the state is more than
    a hidden state), the reference form. The two share no code.

    Attributes
    ----------
    engine : EngineOptions
        Precision and checkpointing; defaults unless a model sets it.
    """

    engine = EngineOptions()

    def weights(self) -> tuple[Tensor, ...]:
        """Return the weights in the order in which the recurrence takes them.

        Biases are the last column of the weights of the input (`with_bias`).
        """
        raise NotImplementedError(f"{type(self).__name__} does not define weights()")

    def recurrence(self, step_ratios: Tensor | None) -> Callable[..., Recurrence]:
        """Return the recurrence of this cell, a class or a `functools.partial` of one.

        Parameters
        ----------
        step_ratios : Tensor, shape (batch, length), or None
            Δt/t of every step if there are timestamps.

        Returns
        -------
        callable
            `(hidden_size, compute, *weights) -> Recurrence`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define recurrence(step_ratios)")

    def hidden_states(self, inputs: Tensor, times: Tensor | None, lengths: Tensor | None, every_step: bool) -> Tensor:
        """Run the engine; arguments and result as in `Cell.hidden_states`.

        Raises
        ------
        ValueError
            If inputs and weights are not both float32 or both float64.
        """
        weights = self.weights()
        if inputs.dtype not in (torch.float32, torch.float64) or inputs.dtype != weights[0].dtype:
            raise ValueError(
                f"inputs are {inputs.dtype}, the weights {weights[0].dtype}; expected both float32 or both float64"
            )
        step_ratios = None if times is None else step_ratios_of(times, lengths)  # (B, L)
        # float32 on a CPU without bfloat16 units, where bfloat16 products would be slower than float32.
        precision = product_precision(self.engine.precision, inputs.device)
        compute = torch.bfloat16 if precision == "bfloat16" else inputs.dtype
        make = partial(self.recurrence(step_ratios), self.hidden_size, compute)
        ones = torch.ones_like(inputs[:, :, :1])  # the input of the biases
        inputs = torch.cat([inputs, ones], dim=2).transpose(0, 1).contiguous()  # (L, B, C + 1)
        if inputs.is_cuda and step_ratios is None and not self.engine.checkpoint:
            hidden = Graphed.apply(self, make, every_step, torch.is_grad_enabled(), inputs, *weights)
        else:
            hidden = unroll(make, inputs, weights, every_step, self.engine.checkpoint)
        return hidden.transpose(0, 1) if every_step else hidden  # (B, L, H) or (B, H)


def with_bias(weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Append a bias to a weight, as the weight of a last input that is 1.

    Parameters
    ----------
    weight : Tensor, shape (rows, columns)
    bias : Tensor, shape (rows,), optional
        Zero if not given.

    Returns
    -------
    Tensor, shape (rows, columns + 1)
    """
    column = weight.new_zeros(len(weight)) if bias is None else bias
    return torch.cat([weight, column.unsqueeze(1)], dim=1)
