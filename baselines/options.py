"""The baselines' hyperparameters. Free of torch: the workflow validates them while it parses its DAG."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from hippo.classifiers import ClassifierOptions
from hippo.nn.options import ModelOptions

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin
    from torch import nn

    from baselines.solver import Solver

Method = Literal["euler", "midpoint", "rk4", "dopri5"]
METHOD = "Method of torchdiffeq; all take fixed steps but dopri5, which chooses its own for the batch as a whole."


class GRU(ModelOptions):
    """Gated recurrent unit (Cho et al. 2014)."""

    def backbone(self, input_size: int) -> "nn.Module":
        """A `GRUCell`."""
        from baselines.gru import GRUCell

        return GRUCell(input_size, self.hidden_size)


class LSTM(ModelOptions):
    """Long short-term memory (Hochreiter & Schmidhuber 1997, with a forget gate)."""

    def backbone(self, input_size: int) -> "nn.Module":
        """An `LSTMCell`."""
        from baselines.lstm import LSTMCell

        return LSTMCell(input_size, self.hidden_size)


class MGU(ModelOptions):
    """Minimal gated unit (Zhou et al. 2016)."""

    def backbone(self, input_size: int) -> "nn.Module":
        """An `MGUCell`."""
        from baselines.mgu import MGUCell

        return MGUCell(input_size, self.hidden_size)


class RNN(ModelOptions):
    """Plain recurrent network with tanh (Elman 1990)."""

    def backbone(self, input_size: int) -> "nn.Module":
        """An `RNNCell`."""
        from baselines.rnn import RNNCell

        return RNNCell(input_size, self.hidden_size)


class ExpRNN(ModelOptions):
    """Orthogonal recurrent matrix by the exponential map (Lezcano-Casado & Martínez-Rubio 2019)."""

    def backbone(self, input_size: int) -> "nn.Module":
        """An `ExpRNNCell`."""
        from baselines.exprnn import ExpRNNCell

        return ExpRNNCell(input_size, self.hidden_size)


class MiniRocket(ClassifierOptions):
    """MiniRocket features and a ridge classifier on them (Dempster, Schmidt, Webb 2021)."""

    kernels: PositiveInt = Field(10_000, description="Features, rounded down to a multiple of 84.")

    def classifier(self, seed: int, timestamps: bool) -> "ClassifierMixin":
        """A pipeline of `MiniRocketFeatures` and `RidgeClassifierCV`."""
        from baselines.minirocket import MiniRocketFeatures
        from hippo.estimators import ridge

        return ridge(MiniRocketFeatures(self.kernels, seed))


class GRUD(ModelOptions):
    """GRU whose hidden state and missing inputs (NaN) decay with the time elapsed (Che et al. 2018)."""

    uses_times: ClassVar[bool] = True

    def backbone(self, input_size: int) -> "nn.Module":
        """A `GRUDCell`."""
        from baselines.gru_d import GRUDCell

        return GRUDCell(input_size, self.hidden_size)


class ODEOptions(ModelOptions):
    """A hidden state that solves a differential equation, by one of torchdiffeq's methods."""

    uses_times: ClassVar[bool] = True

    field_size: PositiveInt | None = Field(
        None, description="Units of the hidden layer in the equation's vector field; none means `hidden_size`."
    )
    time_unit: PositiveFloat = Field(
        1.0,
        description="Time that the equation counts as 1, in the timestamps' unit, or in inputs where there are none.",
    )
    solver: Method = Field(description=METHOD)
    steps: PositiveInt = Field(1, description="Steps of a fixed-step solver from one input to the next.")
    tolerance: PositiveFloat | None = Field(
        None, description="Error that dopri5 allows per step, relative and absolute."
    )
    max_evaluations: PositiveInt = Field(
        10_000, description="Evaluations of the vector field in one forward pass, after which a trial ends as diverged."
    )

    @model_validator(mode="after")
    def _fits_solver(self):
        adaptive = self.solver == "dopri5"
        if adaptive != (self.tolerance is not None):
            raise ValueError("tolerance belongs to solver dopri5, which needs it, and to no other")
        if adaptive and self.steps != 1:
            raise ValueError("steps belongs to the fixed-step solvers; dopri5 chooses its own")
        return self

    def settings(self) -> tuple[int, float, "Solver"]:
        """Units of the vector field's hidden layer, the unit of time, and the solver."""
        from baselines.solver import Solver

        solver = Solver(self.solver, self.steps, self.tolerance, self.max_evaluations)
        return self.field_size or self.hidden_size, self.time_unit, solver


class ODERNN(ODEOptions):
    """A hidden state that flows by a differential equation between inputs (Rubanova et al. 2019).

    One Euler step from one input to the next, as the authors take where intervals are short.
    """

    solver: Method = Field("euler", description=METHOD)

    def backbone(self, input_size: int) -> "nn.Module":
        """An `ODERNNCell`."""
        from baselines.ode_rnn import ODERNNCell

        return ODERNNCell(input_size, self.hidden_size, *self.settings())


class NCDE(ODEOptions):
    """Neural controlled differential equation (Kidger et al. 2020).

    One step of the fourth-order Runge-Kutta rule from one input to the next, as the authors take.
    """

    solver: Method = Field("rk4", description=METHOD)

    def backbone(self, input_size: int) -> "nn.Module":
        """An `NCDECell`."""
        from baselines.ncde import NCDECell

        return NCDECell(input_size, self.hidden_size, *self.settings())
