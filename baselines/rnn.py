"""Gated cells with the weights (names, layout, initial values) of `torch.nn.GRU` and `torch.nn.LSTM`.

Stepped here and not by the stock modules, whose backward pass on a CPU is many times slower.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from hippo.nn.cell import Cell


class _GatedCell(Cell):
    """Weights of `gates` stacked gates: (gates * hidden, input or hidden), each with a bias."""

    gates: int

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__(input_size, hidden_size)
        rows, bound = self.gates * hidden_size, hidden_size**-0.5
        self.weight_ih = nn.Parameter(torch.empty(rows, input_size).uniform_(-bound, bound))
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden_size).uniform_(-bound, bound))
        self.bias_ih = nn.Parameter(torch.empty(rows).uniform_(-bound, bound))
        self.bias_hh = nn.Parameter(torch.empty(rows).uniform_(-bound, bound))

    def _products(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        from_input = functional.linear(x, self.weight_ih, self.bias_ih)
        return from_input, functional.linear(hidden, self.weight_hh, self.bias_hh)


class GRUCell(_GatedCell):
    """r, z = sigmoid(W x + U h);  n = tanh(W_n x + b + r (U_n h + b'));  h' = (1 - z) n + z h."""

    gates = 3

    def start(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Zero hidden state (batch, hidden)."""
        return (inputs.new_zeros(len(inputs), self.hidden_size),)

    def step(self, x: Tensor, state: tuple[Tensor, ...], share: float | Tensor) -> tuple[Tensor, ...]:
        """One step of the equations above."""
        (hidden,) = state
        from_input, from_hidden = self._products(x, hidden)
        split = [2 * self.hidden_size, self.hidden_size]
        (gates_x, new_x), (gates_h, new_h) = from_input.split(split, 1), from_hidden.split(split, 1)
        reset, update = torch.sigmoid(gates_x + gates_h).chunk(2, 1)
        return (torch.lerp(torch.tanh(torch.addcmul(new_x, reset, new_h)), hidden, update),)


class LSTMCell(_GatedCell):
    """i, f, o = sigmoid(W x + U h);  g = tanh(W_g x + U_g h);  c' = f c + i g;  h' = o tanh(c')."""

    gates = 4

    def start(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Zero hidden state and zero cell state, each (batch, hidden)."""
        zeros = inputs.new_zeros(len(inputs), self.hidden_size)
        return zeros, zeros

    def step(self, x: Tensor, state: tuple[Tensor, ...], share: float | Tensor) -> tuple[Tensor, ...]:
        """One step of the equations above."""
        hidden, content = state
        into, forget, new, out = sum(self._products(x, hidden)).chunk(4, 1)
        content = torch.sigmoid(forget) * content + torch.sigmoid(into) * torch.tanh(new)
        return torch.sigmoid(out) * torch.tanh(content), content
