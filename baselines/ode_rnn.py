"""ODE-RNN (Rubanova, Chen, Duvenaud, NeurIPS 2019): the hidden state flows between observations, and jumps at each."""

import torch
from torch import Tensor, nn
from torchdiffeq import odeint

from baselines.solver import Solver
from hippo.nn.cells.cell import Cell, intervals, last


class ODERNNCell(Cell):
    """h~ = h + int_{t_{k-1}}^{t_k} f(h) dt;  h' = GRU(x_k, h~), with f one hidden layer of tanh.

    Every sample has times of its own, so each interval is integrated over s in [0, 1] with f times the sample's
    t_k - t_{k-1}; without timestamps that is 1. The state is zero until the first observation. As in the authors'
    code, weights of f start from N(0, 0.1) and its biases from zero.
    """

    takes_times = True

    def __init__(self, input_size: int, hidden_size: int, field_size: int, time_unit: float, solver: Solver):
        super().__init__(input_size, hidden_size)
        self.time_unit, self.solver = time_unit, solver
        self.field = nn.Sequential(nn.Linear(hidden_size, field_size), nn.Tanh(), nn.Linear(field_size, hidden_size))
        for layer in self.field[::2]:
            nn.init.normal_(layer.weight, std=0.1)
            nn.init.zeros_(layer.bias)
        self.update = nn.GRUCell(input_size, hidden_size)

    def forward(
        self,
        inputs: Tensor,
        times: Tensor | None = None,
        lengths: Tensor | None = None,
        sequence: bool = False,
    ) -> Tensor:
        """As `Cell.forward`; Diverged where the solver gives up."""
        self.solver.begin()
        elapsed = inputs.new_ones(inputs.shape[:2]) if times is None else intervals(times, lengths).to(inputs.dtype)
        elapsed = elapsed / self.time_unit
        h, hidden = inputs.new_zeros(len(inputs), self.hidden_size), []
        for k, x in enumerate(inputs.unbind(1)):
            if k:
                h = self.flow(h, elapsed[:, k : k + 1])
            h = self.update(x, h)
            hidden.append(h)
        if not (sequence or lengths is not None):
            return h
        hidden = torch.stack(hidden, dim=1)
        return hidden if sequence else last(hidden, lengths)

    def flow(self, h: Tensor, elapsed: Tensor) -> Tensor:
        """The hidden state (batch, hidden) after `elapsed` (batch, 1)."""
        return self.solver(odeint, lambda s, y: elapsed * self.field(y), h, (0, 1))[-1]

    def counters(self) -> dict[str, int]:
        """Evaluations of f since last asked."""
        return {"evaluations": self.solver.take_count()}
