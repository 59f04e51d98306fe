"""The plain recurrent network (Elman 1990), and the weights that all the standard recurrent cells share."""

import torch
from torch import Tensor, nn

from hippo.nn.cells.unrolled import UnrolledCell, with_bias
from hippo.nn.engine.recurrence import Recurrence


class StackedCell(UnrolledCell):
    """Weights of `gates` stacked gates: (gates * hidden, input or hidden), each with a bias.

    Names, layout and initial values are those of `torch.nn.RNN`, `GRU` and `LSTM`. The stock modules
    themselves are no base: their backward pass on a CPU is many times slower than the engine.
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
        """(W with both biases, U)."""
        return with_bias(self.weight_ih, self.bias_ih + self.bias_hh), self.weight_hh


class RNNRecurrence(Recurrence):
    """h' = tanh(W x + U h)."""

    kernel = "rnn"

    def step(self, t: int, k: int) -> None:
        """The equation above."""
        z, hidden = self.tape["z"][t], self.tape["hidden"]
        self.recur(z, hidden[t])
        hidden[t + 1].copy_(z.tanh_())
        self.state["h"].copy_(z)

    def adjoint(self, t: int, k: int) -> None:
        """Backwards."""
        z, grad_h = self.tape["z"][t], self.grad["h"]
        z.copy_(grad_h * (1 - z * z))
        grad_h.copy_(self.pull_back(z))


class RNNCell(StackedCell):
    """The plain recurrent cell: one tanh of input and previous hidden state."""

    gates = 1

    def recurrence(self, shares: Tensor | None):
        """The engine's form of this cell."""
        return RNNRecurrence
