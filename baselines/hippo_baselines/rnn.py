"""The plain recurrent network, and the parameters that all standard recurrent cells have.

Its hyperparameters are `RNNOptions` in `options.py`. Letters in shape comments: B samples, C input channels, H hidden
units, G gates of the cell.
"""

import torch
from torch import Tensor, nn

from hippo.nn.cells.unrolled import UnrolledCell, with_bias
from hippo.nn.engine.recurrence import Recurrence


class GateWeights(UnrolledCell):
    """Base class of cells with a weight of input and hidden state, and two biases, for each of `gates` gates.

    Names, shapes and initial values of the parameters are those of `torch.nn.RNN`, `GRU` and `LSTM`. PyTorch's own
    modules are not used, because their backward pass on a CPU is many times slower than the engine.

    Parameters
    ----------
    input_size, hidden_size : int
        Input channels and hidden units.

    Attributes
    ----------
    gates : int
        Number of gates, defined by the subclass.
    weight_ih, weight_hh : Parameter, shape (gates * hidden, input) and (gates * hidden, hidden)
    bias_ih, bias_hh : Parameter, shape (gates * hidden,)
    """

    gates: int

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__(input_size, hidden_size)
        rows, bound = self.gates * hidden_size, hidden_size**-0.5
        self.weight_ih = nn.Parameter(torch.empty(rows, input_size).uniform_(-bound, bound))
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden_size).uniform_(-bound, bound))
        self.bias_ih = nn.Parameter(torch.empty(rows).uniform_(-bound, bound))
        self.bias_hh = nn.Parameter(torch.empty(rows).uniform_(-bound, bound))

    def weights(self) -> tuple[Tensor, ...]:
        """Return (W with the sum of both biases, U)."""
        return with_bias(self.weight_ih, self.bias_ih + self.bias_hh), self.weight_hh  # (G*H, C + 1), (G*H, H)


class RNNRecurrence(Recurrence):
    """The engine's form of `RNNCell`: h' = tanh(W x + U h)."""

    kernel = "rnn"

    def step(self, t: int, k: int) -> None:
        """Compute one step (equation in the class docstring)."""
        z, hidden = self.tape["z"][t], self.tape["hidden"]  # (B, H), (T + 1, B, H)
        self.add_recurrent_product(z, hidden[t])
        hidden[t + 1].copy_(z.tanh_())
        self.state["h"].copy_(z)

    def adjoint(self, t: int, k: int) -> None:
        """Backpropagate through one step."""
        z, grad_h = self.tape["z"][t], self.grad["h"]
        z.copy_(grad_h * (1 - z * z))
        grad_h.copy_(self.operand_gradient(z))


class RNNCell(GateWeights):
    """Plain recurrent cell, h' = tanh(W x + b + U h + b').

    Parameters
    ----------
    input_size, hidden_size : int
        Input channels and hidden units.

    References
    ----------
    Elman, "Finding structure in time", Cognitive Science 1990.
    """

    gates = 1

    def recurrence(self, step_ratios: Tensor | None):
        """Return the engine's form of this cell."""
        return RNNRecurrence

    def step(
        self, x: Tensor, state: tuple[Tensor, ...], step_ratio: float | Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Return (h,) after the input x (B, C): the reference form."""
        (h,) = state
        return (torch.tanh(x @ self.weight_ih.T + self.bias_ih + h @ self.weight_hh.T + self.bias_hh),)
