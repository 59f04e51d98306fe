"""The Legendre Memory Unit (Voelker, Kajić, Eliasmith, NeurIPS 2019)."""

import torch
from torch import Tensor, nn

from hippo.nn.cell import Cell


class LMUCell(Cell):
    """u = e_x x + e_h h + e_m m;  m' = A m + B u;  h' = tanh(W_x x + W_h h + W_m m'); no biases.

    The encoders start by copying the input (e_x = 1, e_h = e_m = 0), and the hidden state by reading the
    memory alone (W_m Xavier normal, W_x = W_h = 0), as in the authors' code.
    """

    def __init__(self, input_size: int, hidden_size: int, memory: nn.Module, memory_size: int = 1):
        super().__init__(input_size, hidden_size)
        self.memory = memory
        self.memory_size = memory_size
        units = memory_size * memory.order
        self.encode_input = nn.Parameter(torch.ones(memory_size, input_size))
        self.encode_hidden = nn.Parameter(torch.zeros(memory_size, hidden_size))
        self.encode_memory = nn.Parameter(torch.zeros(memory_size, units))
        self.weight_input = nn.Parameter(torch.zeros(hidden_size, input_size))
        self.weight_hidden = nn.Parameter(torch.zeros(hidden_size, hidden_size))
        self.weight_memory = nn.Parameter(nn.init.xavier_normal_(torch.empty(hidden_size, units)))

    def start(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Zero hidden state (batch, hidden) and zero memory (batch, memory_size, order)."""
        hidden = inputs.new_zeros(len(inputs), self.hidden_size)
        return hidden, inputs.new_zeros(len(inputs), self.memory_size, self.memory.order)

    def step(self, x: Tensor, state: tuple[Tensor, ...], share: float | Tensor) -> tuple[Tensor, ...]:
        """One step of the equations above."""
        hidden, memory = state
        u = x @ self.encode_input.T + hidden @ self.encode_hidden.T + memory.flatten(1) @ self.encode_memory.T
        memory = self.memory(memory, u, share, first=False)
        drive = x @ self.weight_input.T + hidden @ self.weight_hidden.T
        return torch.tanh(drive + memory.flatten(1) @ self.weight_memory.T), memory
