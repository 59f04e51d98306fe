"""ODE-RNN: the hidden state follows a differential equation between observations and is updated at each observation.

Its hyperparameters are `ODERNN` in `baselines.options`. Letters in shape comments: B samples, L steps of a sequence, C
input channels, H hidden units.
"""

import torch
from torch import Tensor, nn
from torchdiffeq import odeint

from baselines.solver import Solver
from hippo.nn.cells.cell import Cell, intervals


class ODERNNCell(Cell):
    """h~ = h + int_{t_{k-1}}^{t_k} f(h) dt;  h' = GRU(x_k, h~), where f has one hidden layer of tanh.

    Every sample has its own times. Each interval is therefore integrated over s in [0, 1], with f multiplied by the
    sample's t_k - t_{k-1}, which is 1 without timestamps. The state is zero until the first observation. As in the
    authors' code, the initial weights of f are N(0, 0.1) and its biases zero.

    Parameters
    ----------
    input_size, hidden_size : int
        Input channels and hidden units.
    field_size : int
        Units of the hidden layer of f.
    time_unit : float
        Length of one unit of t, in the unit of the timestamps.
    solver : Solver
        Solver of the differential equation.

    References
    ----------
    Rubanova, Chen, Duvenaud, "Latent ODEs for Irregularly-Sampled Time Series", NeurIPS 2019.
    """

    def __init__(self, input_size: int, hidden_size: int, field_size: int, time_unit: float, solver: Solver):
        super().__init__(input_size, hidden_size)
        self.time_unit, self.solver = time_unit, solver
        self.field = nn.Sequential(nn.Linear(hidden_size, field_size), nn.Tanh(), nn.Linear(field_size, hidden_size))
        for layer in self.field[::2]:
            nn.init.normal_(layer.weight, std=0.1)
            nn.init.zeros_(layer.bias)
        self.update = nn.GRUCell(input_size, hidden_size)

    def hidden_states(self, inputs: Tensor, times: Tensor | None, lengths: Tensor | None, every_step: bool) -> Tensor:
        """Solve the equation from input to input; arguments and result as in `Cell.hidden_states`.

        Raises
        ------
        Diverged
            If the solver fails.
        """
        self.solver.begin()
        elapsed = inputs.new_ones(inputs.shape[:2]) if times is None else intervals(times, lengths).to(inputs.dtype)
        elapsed = elapsed / self.time_unit  # (B, L)
        h, hidden = inputs.new_zeros(len(inputs), self.hidden_size), []
        for k, x in enumerate(inputs.unbind(1)):  # x (B, C)
            if k:
                h = self.flow(h, elapsed[:, k : k + 1])
            h = self.update(x, h)
            hidden.append(h)
        return torch.stack(hidden, dim=1) if every_step else h  # (B, L, H) or (B, H)

    def flow(self, h: Tensor, elapsed: Tensor) -> Tensor:
        """Return the hidden state (batch, hidden) after the time `elapsed` (batch, 1)."""
        return self.solver(odeint, lambda s, y: elapsed * self.field(y), h, (0, 1))[-1]

    def counters(self) -> dict[str, int]:
        """Return the evaluations of f since the last call."""
        return {"evaluations": self.solver.take_count()}
