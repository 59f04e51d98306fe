"""Hyperparameters of the baselines, one class per registered model.

They are apart from the cells because the workflow validates them while it plans its jobs: this module must not import
torch, and the file of a cell does.
"""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from hippo.classifiers import ClassifierOptions
from hippo.nn.options import ModelOptions

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin
    from torch import nn

    from baselines.solver import Solver

Method = Literal["euler", "midpoint", "rk4", "dopri5"]
METHOD = "Method of torchdiffeq. dopri5 chooses its step sizes for the whole batch; the others take fixed steps."


class GRU(ModelOptions):
    """Gated recurrent unit (Cho et al. 2014)."""

    def backbone(self, input_size: int) -> "nn.Module":
        """Build a `GRUCell` for `input_size` channels."""
        from baselines.gru import GRUCell

        return GRUCell(input_size, self.hidden_size)


class LSTM(ModelOptions):
    """Long short-term memory (Hochreiter & Schmidhuber 1997, with a forget gate)."""

    def backbone(self, input_size: int) -> "nn.Module":
        """Build an `LSTMCell` for `input_size` channels."""
        from baselines.lstm import LSTMCell

        return LSTMCell(input_size, self.hidden_size)


class MGU(ModelOptions):
    """Minimal gated unit (Zhou et al. 2016)."""

    def backbone(self, input_size: int) -> "nn.Module":
        """Build an `MGUCell` for `input_size` channels."""
        from baselines.mgu import MGUCell

        return MGUCell(input_size, self.hidden_size)


class RNN(ModelOptions):
    """Plain recurrent network with tanh (Elman 1990)."""

    def backbone(self, input_size: int) -> "nn.Module":
        """Build an `RNNCell` for `input_size` channels."""
        from baselines.rnn import RNNCell

        return RNNCell(input_size, self.hidden_size)


class ExpRNN(ModelOptions):
    """Orthogonal recurrent matrix by the exponential map (Lezcano-Casado & Martínez-Rubio 2019)."""

    def backbone(self, input_size: int) -> "nn.Module":
        """Build an `ExpRNNCell` for `input_size` channels."""
        from baselines.exprnn import ExpRNNCell

        return ExpRNNCell(input_size, self.hidden_size)


class MiniRocket(ClassifierOptions):
    """MiniRocket features and a ridge classifier on them (Dempster, Schmidt, Webb 2021)."""

    test_options: ClassVar[dict[str, Any]] = {"kernels": 84}

    kernels: PositiveInt = Field(10_000, description="Number of features, rounded down to a multiple of 84.")

    def classifier(self, seed: int, timestamps: bool) -> "ClassifierMixin":
        """Build a pipeline of `MiniRocketFeatures` and `RidgeClassifierCV`."""
        from baselines.minirocket import MiniRocketFeatures
        from hippo.estimators import ridge

        return ridge(MiniRocketFeatures(self.kernels, seed))


class GRUD(ModelOptions):
    """GRU whose hidden state and missing inputs (NaN) decay with the time elapsed (Che et al. 2018)."""

    uses_times: ClassVar[bool] = True

    def backbone(self, input_size: int) -> "nn.Module":
        """Build a `GRUDCell` for `input_size` channels."""
        from baselines.gru_d import GRUDCell

        return GRUDCell(input_size, self.hidden_size)


class ODEOptions(ModelOptions):
    """Hyperparameters of cells whose hidden state solves a differential equation."""

    uses_times: ClassVar[bool] = True

    field_size: PositiveInt | None = Field(
        None, description="Units of the hidden layer of the vector field; null: as many as hidden_size."
    )
    time_unit: PositiveFloat = Field(
        1.0,
        description="Unit of time of the equation, in the unit of the timestamps; in inputs if there are none.",
    )
    solver: Method = Field(description=METHOD)
    steps: PositiveInt = Field(1, description="Steps of a fixed-step solver between two inputs.")
    tolerance: PositiveFloat | None = Field(None, description="Relative and absolute error per step of dopri5.")
    max_evaluations: PositiveInt = Field(
        10_000,
        description="Limit of evaluations of the vector field in one forward pass; beyond it the trial diverges.",
    )

    @model_validator(mode="after")
    def _fits_solver(self):
        adaptive = self.solver == "dopri5"
        if adaptive != (self.tolerance is not None):
            raise ValueError("solver dopri5 requires tolerance, and other solvers do not take it")
        if adaptive and self.steps != 1:
            raise ValueError("steps is for fixed-step solvers; dopri5 chooses its own steps")
        return self

    def settings(self) -> tuple[int, float, "Solver"]:
        """Return the units of the vector field's hidden layer, the unit of time, and the solver."""
        from baselines.solver import Solver

        solver = Solver(self.solver, self.steps, self.tolerance, self.max_evaluations)
        return self.field_size or self.hidden_size, self.time_unit, solver


class ODERNN(ODEOptions):
    """A hidden state that follows a differential equation between inputs (Rubanova et al. 2019).

    The default is one Euler step between two inputs, as the authors use for short intervals.
    """

    solver: Method = Field("euler", description=METHOD)

    def backbone(self, input_size: int) -> "nn.Module":
        """Build an `ODERNNCell` for `input_size` channels."""
        from baselines.ode_rnn import ODERNNCell

        return ODERNNCell(input_size, self.hidden_size, *self.settings())


class NCDE(ODEOptions):
    """Neural controlled differential equation (Kidger et al. 2020).

    The default is one step of the fourth-order Runge-Kutta rule between two inputs, as the authors use.
    """

    solver: Method = Field("rk4", description=METHOD)

    def backbone(self, input_size: int) -> "nn.Module":
        """Build an `NCDECell` for `input_size` channels."""
        from baselines.ncde import NCDECell

        return NCDECell(input_size, self.hidden_size, *self.settings())
