"""The HiPPO recurrent cell: a hidden state that writes to a HiPPO memory and is rebuilt from it."""

import torch
from torch import Tensor, nn

from hippo.nn.cell import Cell


class HiPPOCell(Cell):
    """HiPPO recurrent cell over any memory (HiPPO paper, section 3 and appendix F).

    u = W_u [x, h] + b_u;  m' = memory(m, u);  h' = (1 - g) h + g tanh(W_h [x, m'] + b_h)
    with the gate g = sigmoid(W_g [x, m'] + b_g), or g = 1 where not `gated`. No hidden-to-hidden matrix.
    """

    def __init__(self, input_size: int, hidden_size: int, memory: nn.Module, memory_size: int = 1, gated: bool = True):
        super().__init__(input_size, hidden_size)
        self.memory = memory
        self.memory_size = memory_size
        self.takes_times = memory.takes_times
        features = input_size + memory_size * memory.order
        self.write = nn.Linear(input_size + hidden_size, memory_size)
        self.candidate = nn.Linear(features, hidden_size)
        self.gate = nn.Linear(features, hidden_size) if gated else None
        nn.init.kaiming_uniform_(self.write.weight, nonlinearity="linear")
        nn.init.xavier_normal_(self.candidate.weight)
        if gated:
            nn.init.kaiming_normal_(self.gate.weight, nonlinearity="linear")

    def start(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Zero hidden state (batch, hidden), no memory yet."""
        hidden = inputs.new_zeros(len(inputs), self.hidden_size)
        memory = inputs.new_zeros(len(inputs), self.memory_size, self.memory.order)
        return hidden, memory, True

    def step(self, x: Tensor, state: tuple[Tensor, ...], share: float | Tensor) -> tuple[Tensor, ...]:
        """One step of the equations above."""
        hidden, memory, first = state
        u = self.write(torch.cat([x, hidden], dim=1))
        memory = self.memory(memory, u, share, first)
        features = torch.cat([x, memory.flatten(1)], dim=1)
        candidate = torch.tanh(self.candidate(features))
        if self.gate is None:
            return candidate, memory, False
        return torch.lerp(hidden, candidate, torch.sigmoid(self.gate(features))), memory, False
