"""The HiPPO recurrent cell: a hidden state that writes to a HiPPO memory and is rebuilt from it."""

from functools import partial

import torch
from torch import Tensor, nn

from hippo.nn.cells.memories import MemoryUpdate
from hippo.nn.cells.memory_recurrence import HiPPORecurrence
from hippo.nn.cells.unrolled import UnrolledCell, with_bias


class HiPPOCell(UnrolledCell):
    """HiPPO recurrent cell over any memory (HiPPO paper, section 3 and appendix F).

    u = W_u [x, h] + b_u;  m' = memory(m, u);  h' = (1 - g) h + g tanh(W_h [x, m'] + b_h)
    with the gate g = sigmoid(W_g [x, m'] + b_g), or g = 1 where not `gated`. No hidden-to-hidden matrix.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        memory: MemoryUpdate,
        memory_size: int = 1,
        gated: bool = True,
    ):
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

    def weights(self) -> tuple[Tensor, ...]:
        """Candidate and gate in one product, split into what multiplies the input, the memory and the hidden state."""
        reads = [self.candidate] if self.gate is None else [self.candidate, self.gate]
        weight = torch.cat([read.weight for read in reads])
        bias = torch.cat([read.bias for read in reads])
        C = self.input_size
        w_in, u_in = with_bias(weight[:, :C], bias), with_bias(self.write.weight[:, :C], self.write.bias)
        return w_in, weight[:, C:], u_in, self.write.weight[:, C:]

    def recurrence(self, shares: Tensor | None):
        """The engine's form of this cell."""
        return partial(HiPPORecurrence, memory=self.memory, shares=shares)
