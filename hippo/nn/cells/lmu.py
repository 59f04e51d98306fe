"""The Legendre Memory Unit (Voelker, Kajić, Eliasmith, NeurIPS 2019)."""

from functools import partial

import torch
from torch import Tensor, nn

from hippo.nn.cells.lmu_recurrence import LMURecurrence
from hippo.nn.cells.memories import MemoryUpdate
from hippo.nn.cells.unrolled import UnrolledCell, with_bias


class LMUCell(UnrolledCell):
    """u = e_x x + e_h h + e_m m;  m' = A m + B u;  h' = tanh(W_x x + W_h h + W_m m'); no biases.

    The encoders start by copying the input (e_x = 1, e_h = e_m = 0), and the hidden state by reading the
    memory alone (W_m Xavier normal, W_x = W_h = 0), as in the authors' code.
    """

    def __init__(self, input_size: int, hidden_size: int, memory: MemoryUpdate, memory_size: int = 1):
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

    def weights(self) -> tuple[Tensor, ...]:
        """(W_x, [W_h, W_m], e_x, [e_h, e_m])."""
        recurrent = torch.cat([self.weight_hidden, self.weight_memory], dim=1)
        encoder = torch.cat([self.encode_hidden, self.encode_memory], dim=1)
        return with_bias(self.weight_input), recurrent, with_bias(self.encode_input), encoder

    def recurrence(self, shares: Tensor | None):
        """The engine's form of this cell."""
        return partial(LMURecurrence, memory=self.memory)
