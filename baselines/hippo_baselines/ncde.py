"""The neural controlled differential equation.

Its hyperparameters are `NCDEOptions` in `options.py`. Letters in shape comments: B samples, L steps of a sequence, C
input channels, H hidden units.
"""

from functools import partial

import torch
import torchcde
from torch import Tensor, nn

from hippo.nn.cells.cell import Cell
from hippo.nn.cells.times import intervals
from hippo.nn.engine.tracing import refuse_tracing
from hippo_baselines.flows.equation import RELU, TANH, Equation, Inputs, Weights
from hippo_baselines.flows.node import solve_flow
from hippo_baselines.flows.runge_kutta import Tableau, fixed_grid, stage_times
from hippo_baselines.solver import Solver


class VectorField(nn.Module):
    """The vector field f(z), a matrix per state: one hidden layer of ReLU, and tanh at the end.

    Parameters
    ----------
    hidden_size : int
        Size of z.
    field_size : int
        Units of the hidden layer.
    channels : int
        Channels of the path that drives the equation.
    """

    def __init__(self, hidden_size: int, field_size: int, channels: int):
        super().__init__()
        self.inner = nn.Linear(hidden_size, field_size)
        self.outer = nn.Linear(field_size, hidden_size * channels)
        self.channels = channels

    def forward(self, z: Tensor) -> Tensor:
        """Return the matrices (batch, hidden, channels) for z (batch, hidden)."""
        return self.outer(self.inner(z).relu()).tanh().unflatten(-1, (-1, self.channels))

    def weights(self) -> Weights:
        """Return the weights as a flow takes them: one block of outputs per channel."""
        outer_weight = self.outer.weight.unflatten(0, (-1, self.channels)).transpose(0, 1)  # (1 + C, H, F)
        outer_bias = self.outer.bias.unflatten(0, (-1, self.channels)).t()  # (1 + C, H)
        return Weights(self.inner.weight, self.inner.bias, outer_weight, outer_bias)


class NCDECell(Cell):
    """z_0 = W X_0 + b;  dz = f(z) dX, driven by the path X = (t, x) through the observations.

    The path is the cubic Hermite spline with backward differences (Morrill et al. 2021), not the natural spline of
    Kidger et al., in which every piece depends on the whole future. The path is parametrized by the number of the
    observation. This does not change the solution, because a controlled equation depends on the image of the path
    only, and it lets samples with different times use one grid. Without timestamps t is the index of the observation.

    Parameters
    ----------
    input_size, hidden_size : int
        Input channels and size of z.
    field_size : int
        Units of the vector field's hidden layer.
    time_unit : float
        Length of one unit of t, in the unit of the timestamps.
    solver : Solver
        Solver of the differential equation.

    References
    ----------
    Kidger, Morrill, Foster, Lyons, "Neural Controlled Differential Equations for Irregular Time Series", NeurIPS 2020.
    """

    def __init__(self, input_size: int, hidden_size: int, field_size: int, time_unit: float, solver: Solver):
        super().__init__(input_size, hidden_size)
        self.time_unit, self.solver = time_unit, solver
        self.initial = nn.Linear(1 + input_size, hidden_size)
        self.field = VectorField(hidden_size, field_size, 1 + input_size)

    def hidden_states(self, inputs: Tensor, times: Tensor | None, lengths: Tensor | None, every_step: bool) -> Tensor:
        """Solve the equation; arguments and result as in `Cell.hidden_states`.

        Raises
        ------
        Diverged
            If the solver fails.
        """
        refuse_tracing(type(self).__name__)
        # The adjoint of the fixed-step form is that of this vector field only.
        if self.solver.tableau is None or type(self.field) is not VectorField:
            return self._solve(inputs, times, lengths, every_step)
        self.solver.begin()
        path = control_path(inputs, times, lengths, self.time_unit)  # (B, L, 1 + C)
        state = self.initial(path[:, 0])  # (B, H)
        if path.shape[1] == 1:
            return state.unsqueeze(1) if every_step else state
        equation = Equation("ncde", RELU, TANH, self.solver.tableau, self.solver.steps)
        controls = increments(path, equation.tableau, self.solver.steps)  # (E, B, 1 + C)
        self.solver.count(len(controls) + 1)  # torchcde evaluates the field once more, for its shape
        hidden = solve_flow(equation, Inputs(state, controls), self.field.weights(), every_step)
        return hidden.transpose(0, 1) if every_step else hidden  # (B, L, H) or (B, H)

    def reference(self, inputs: Tensor, times: Tensor | None = None, lengths: Tensor | None = None) -> Tensor:
        """Solve the equation with torchcde under autograd; arguments and result as in `Cell.reference`."""
        return self._solve(inputs, times, lengths, every_step=True)

    def _solve(self, inputs: Tensor, times: Tensor | None, lengths: Tensor | None, every_step: bool) -> Tensor:
        """Solve the equation with torchcde; arguments and result as in `hidden_states`."""
        self.solver.begin()
        path = control_path(inputs, times, lengths, self.time_unit)  # (B, L, 1 + C)
        z = self.initial(path[:, 0])  # (B, H)
        steps = path.shape[1] - 1
        if steps == 0:
            return z.unsqueeze(1) if every_step else z
        cdeint = partial(torchcde.cdeint, spline(path), adjoint=False)
        points = range(steps + 1) if every_step else (0, steps)
        hidden = self.solver(cdeint, lambda t, y: self.field(y), z, points)  # (B, points, H)
        return hidden if every_step else hidden[:, -1]

    def start(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Raise NotImplementedError: the path between two inputs depends on both, and on the input before them."""
        raise NotImplementedError(
            "NCDECell has no state that a stream could carry from chunk to chunk: "
            "call it with whole sequences (batch, length, channels)"
        )

    def counters(self) -> dict[str, int]:
        """Return the evaluations of the vector field since the last call."""
        return {"evaluations": self.solver.take_count()}


def control_path(inputs: Tensor, times: Tensor | None, lengths: Tensor | None, time_unit: float) -> Tensor:
    """Return the points of the path X; in the padding of a sample the path is constant.

    Parameters
    ----------
    inputs : Tensor, shape (batch, length, channels)
    times : Tensor, shape (batch, length), or None
        Timestamps; None: the number of the input.
    lengths : Tensor of int, shape (batch,), or None
        True lengths of padded samples.
    time_unit : float
        Length of one unit of t, in the unit of `times`.

    Returns
    -------
    Tensor, shape (batch, length, 1 + channels)
        Time, then the inputs.
    """
    batch, length, channels = inputs.shape
    if times is None:
        times = torch.arange(length, device=inputs.device).expand(batch, length)
    else:
        times = times[:, :1] + intervals(times, lengths).cumsum(1)
    if lengths is not None:
        inside = torch.minimum(torch.arange(length, device=inputs.device), lengths.unsqueeze(1) - 1)  # (B, L)
        inputs = inputs.gather(1, inside.unsqueeze(2).expand(-1, -1, channels))
        times = times.gather(1, inside)
    return torch.cat([times.to(inputs.dtype).unsqueeze(2) / time_unit, inputs], dim=2)


def spline(path: Tensor) -> torchcde.CubicSpline:
    """Return the cubic Hermite spline with backward differences through `path` (batch, length, channels)."""
    return torchcde.CubicSpline(torchcde.hermite_cubic_coefficients_with_backward_differences(path))


def increments(path: Tensor, tableau: Tableau, substeps: int) -> Tensor:
    """Compute the increments of the path over each step of the solver, at the rates of the stages of the step.

    Parameters
    ----------
    path : Tensor, shape (batch, length, channels)
        Points of the path.
    tableau : Tableau
        Rule of the solver.
    substeps : int
        Steps of the solver between two points.

    Returns
    -------
    Tensor, shape (evaluations, batch, channels)
        Evaluations of all steps of the solver in their order.
    """
    grid = fixed_grid(0, path.shape[1] - 1, substeps, like=path)  # (N + 1,)
    times = stage_times(tableau, grid)  # (N, S)
    rates = spline(path).derivative(times.flatten())  # (B, N*S, C)
    sizes = grid.diff().repeat_interleave(times.shape[1])  # (N*S,)
    return (rates * sizes.unsqueeze(1)).transpose(0, 1)  # (N*S, B, C)
