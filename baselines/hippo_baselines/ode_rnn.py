"""ODE-RNN: the hidden state follows a differential equation between observations and is updated at each observation.

Its hyperparameters are `ODERNNOptions` in `options.py`. Letters in shape comments: B samples, L steps of a sequence, C
input channels, H hidden units.
"""

import torch
from torch import Tensor, nn
from torchdiffeq import odeint

from hippo.nn.cells.cell import Cell
from hippo.nn.cells.times import intervals, stream_times, unseen
from hippo.nn.engine.tracing import refuse_tracing
from hippo_baselines.flows.equation import IDENTITY, TANH, Equation, Inputs, Weights
from hippo_baselines.flows.node import solve_flow
from hippo_baselines.flows.runge_kutta import fixed_grid
from hippo_baselines.gru import stack_input_weights
from hippo_baselines.solver import Solver


class VectorField(nn.Sequential):
    """The vector field f: one hidden layer of tanh."""

    def weights(self) -> tuple[Tensor, ...]:
        """Return the weights as a flow takes them; time is the only channel of its path."""
        inner, _, outer = self
        return inner.weight, inner.bias, outer.weight.unsqueeze(0), outer.bias.unsqueeze(0)


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
        self.field = VectorField(nn.Linear(hidden_size, field_size), nn.Tanh(), nn.Linear(field_size, hidden_size))
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
        elapsed = self.elapsed(inputs, times, lengths)  # (B, L)
        return self._solve(inputs, inputs.new_zeros(len(inputs), self.hidden_size), elapsed, every_step)

    def _solve(self, inputs: Tensor, h: Tensor, elapsed: Tensor, every_step: bool) -> Tensor:
        """Hidden states for the state h (B, H) just before the first input; elapsed (B, L) is not used there."""
        refuse_tracing(type(self).__name__)
        # The adjoint of the fixed-step form is that of this vector field only.
        if self.solver.tableau is None or type(self.field) is not VectorField:
            hidden = self._unroll(inputs, h, elapsed)  # (B, L, H)
            return hidden if every_step else hidden[:, -1]
        equation = Equation("ode_rnn", TANH, IDENTITY, self.solver.tableau, self.solver.steps)
        sizes = fixed_grid(0, 1, self.solver.steps, like=inputs).diff()  # (substeps,)
        controls = elapsed[:, 1:].t().unsqueeze(1) * sizes.unsqueeze(1)  # (L - 1, substeps, B)
        controls = controls.flatten(0, 1).repeat_interleave(equation.stages, dim=0).unsqueeze(2)  # (E, B, 1)
        self.solver.count(len(controls))
        ones = torch.ones_like(inputs[:, :, :1])  # the input of the biases
        x = torch.cat([inputs, ones], dim=2).transpose(0, 1).contiguous()  # (L, B, C + 1)
        hidden = solve_flow(equation, Inputs(h, controls, x), self.weights(), every_step)
        return hidden.transpose(0, 1) if every_step else hidden  # (B, L, H) or (B, H)

    def weights(self) -> Weights:
        """Return the weights as a flow takes them."""
        return Weights(*self.field.weights(), stack_input_weights(self.update), self.update.weight_hh)

    def reference(self, inputs: Tensor, times: Tensor | None = None, lengths: Tensor | None = None) -> Tensor:
        """Solve the equation with torchdiffeq under autograd; arguments and result as in `Cell.reference`."""
        self.solver.begin()
        h = inputs.new_zeros(len(inputs), self.hidden_size)
        return self._unroll(inputs, h, self.elapsed(inputs, times, lengths))

    def _unroll(self, inputs: Tensor, h: Tensor, elapsed: Tensor) -> Tensor:
        """`_solve` with torchdiffeq, at every step."""
        hidden = []
        for k, x in enumerate(inputs.unbind(1)):  # x (B, C)
            if k:
                h = self.flow(h, elapsed[:, k : k + 1])
            h = self.update(x, h)
            hidden.append(h)
        return torch.stack(hidden, dim=1)  # (B, L, H)

    # -- chunks of a stream -------------------------------------------------------------------------------------

    def initial_state(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the state with which `run` begins, that of `start`."""
        return self.start(inputs)

    def start(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Return (h, t): hidden state (B, H) of zeros, and the time of the last input (B,), -1."""
        return *super().start(inputs), unseen(inputs)

    def step(
        self, x: Tensor, state: tuple[Tensor, ...], step_ratio: float | Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Return (h, t) after the input x (B, C), one unit of time after the input before."""
        self.solver.begin()
        h, time = state
        return self.update(x, self._flow_to(h, time, time + 1)), time + 1

    def resume(
        self, inputs: Tensor, state: tuple[Tensor, ...], times: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Solve the equation from a state; arguments and result as in `Cell.resume`."""
        self.solver.begin()
        h, time = state
        now = stream_times(time, times, inputs.shape[1])  # (B, L)
        h = self._flow_to(h, time, now[:, 0].double())
        elapsed = self.elapsed(inputs, now, None)
        hidden = self._solve(inputs, h, elapsed, every_step=True)
        return hidden, (hidden[:, -1], now[:, -1].double())

    def _flow_to(self, h: Tensor, time: Tensor, now: Tensor) -> Tensor:
        """The hidden state (B, H) at the times `now` (B,); it stays zero before the first input."""
        elapsed = torch.where(time < 0, 0, now - time).to(h.dtype) / self.time_unit
        return self.flow(h, elapsed.unsqueeze(1)) if elapsed.any() else h

    def elapsed(self, inputs: Tensor, times: Tensor | None, lengths: Tensor | None) -> Tensor:
        """Return the time since the previous input (batch, length), in units of the equation."""
        if times is None:
            return inputs.new_ones(inputs.shape[:2]) / self.time_unit
        return intervals(times, lengths).to(inputs.dtype) / self.time_unit

    def flow(self, h: Tensor, elapsed: Tensor) -> Tensor:
        """Return the hidden state (batch, hidden) after the time `elapsed` (batch, 1)."""
        return self.solver(odeint, lambda s, y: elapsed * self.field(y), h, (0, 1))[-1]

    def counters(self) -> dict[str, int]:
        """Return the evaluations of f since the last call."""
        return {"evaluations": self.solver.take_count()}
