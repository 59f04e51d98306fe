"""Neural controlled differential equation (Kidger, Morrill, Foster, Lyons, NeurIPS 2020)."""

from functools import partial

import torch
import torchcde
from torch import Tensor, nn

from baselines.solver import Solver
from hippo.nn.cells.cell import Cell, intervals, last


class VectorField(nn.Module):
    """f(z), a matrix (batch, hidden, channels) per state: one hidden layer of relu, and tanh at the end."""

    def __init__(self, hidden_size: int, field_size: int, channels: int):
        super().__init__()
        self.inner = nn.Linear(hidden_size, field_size)
        self.outer = nn.Linear(field_size, hidden_size * channels)
        self.channels = channels

    def forward(self, z: Tensor) -> Tensor:
        """The matrices."""
        return self.outer(self.inner(z).relu()).tanh().unflatten(-1, (-1, self.channels))


class NCDECell(Cell):
    """z_0 = W X_0 + b;  dz = f(z) dX, driven by the path X = (t, x) through the observations.

    The path is the cubic Hermite spline with backward differences (Morrill et al. 2021), not the natural spline of
    the first paper, whose every piece depends on the whole future. It is parametrised by the number of the
    observation, which changes nothing, since a controlled equation only sees the path's image; so samples of
    different times share one grid. Without timestamps t is that number.
    """

    takes_times = True

    def __init__(self, input_size: int, hidden_size: int, field_size: int, time_unit: float, solver: Solver):
        super().__init__(input_size, hidden_size)
        self.time_unit, self.solver = time_unit, solver
        self.initial = nn.Linear(1 + input_size, hidden_size)
        self.field = VectorField(hidden_size, field_size, 1 + input_size)

    def forward(
        self,
        inputs: Tensor,
        times: Tensor | None = None,
        lengths: Tensor | None = None,
        sequence: bool = False,
    ) -> Tensor:
        """As `Cell.forward`; Diverged where the solver gives up."""
        self.solver.begin()
        path = control(inputs, times, lengths, self.time_unit)
        z = self.initial(path[:, 0])
        every, steps = sequence or lengths is not None, path.shape[1] - 1
        if steps == 0:
            return z.unsqueeze(1) if sequence else z
        spline = torchcde.CubicSpline(torchcde.hermite_cubic_coefficients_with_backward_differences(path))
        points = range(steps + 1) if every else (0, steps)
        cdeint = partial(torchcde.cdeint, spline, adjoint=False)
        hidden = self.solver(cdeint, lambda t, y: self.field(y), z, points)
        return hidden if sequence else last(hidden, lengths)

    def counters(self) -> dict[str, int]:
        """Evaluations of f since last asked."""
        return {"evaluations": self.solver.take_count()}


def control(inputs: Tensor, times: Tensor | None, lengths: Tensor | None, unit: float) -> Tensor:
    """The path's points (batch, length, 1 + channels): time in `unit`s, then the inputs; it rests in the padding."""
    batch, length, channels = inputs.shape
    if times is None:
        times = torch.arange(length, device=inputs.device).expand(batch, length)
    else:
        times = times[:, :1] + intervals(times, lengths).cumsum(1)
    if lengths is not None:
        inside = torch.minimum(torch.arange(length, device=inputs.device), lengths.unsqueeze(1) - 1)
        inputs = inputs.gather(1, inside.unsqueeze(2).expand(-1, -1, channels))
        times = times.gather(1, inside)
    return torch.cat([times.to(inputs.dtype).unsqueeze(2) / unit, inputs], dim=2)
