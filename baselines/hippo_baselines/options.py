"""Hyperparameters of the baselines, one class per registered model.

They are apart from the cells because the workflow validates them while it plans its jobs: this module must not import
torch, and the file of a cell does.
"""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from hippo.classifiers import ClassifierOptions
from hippo.config import ADDED_LATER
from hippo.errors import require_extra
from hippo.nn.options import ModelOptions

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin
    from torch import nn

    from hippo_baselines.solver import Solver

Method = Literal["euler", "midpoint", "rk4", "dopri5"]
METHOD = "Method of torchdiffeq. dopri5 chooses its step sizes for the whole batch; the others take fixed steps."


class GRUOptions(ModelOptions):
    """Gated recurrent unit (Cho et al. 2014)."""

    reset_gate: Annotated[
        bool, ADDED_LATER, Field(description="With its reset gate; without, as in the published code of HiPPO.")
    ] = True

    def backbone(self, input_size: int) -> "nn.Module":
        """Build a `GRUCell` for `input_size` channels, or an `UpdateGateCell`."""
        if not self.reset_gate:
            from hippo_baselines.update_gate import UpdateGateCell

            return UpdateGateCell(input_size, self.hidden_size)
        from hippo_baselines.gru import GRUCell

        return GRUCell(input_size, self.hidden_size)


class LSTMOptions(ModelOptions):
    """Long short-term memory (Hochreiter & Schmidhuber 1997, with a forget gate)."""

    def backbone(self, input_size: int) -> "nn.Module":
        """Build an `LSTMCell` for `input_size` channels."""
        from hippo_baselines.lstm import LSTMCell

        return LSTMCell(input_size, self.hidden_size)


class MGUOptions(ModelOptions):
    """Minimal gated unit (Zhou et al. 2016)."""

    def backbone(self, input_size: int) -> "nn.Module":
        """Build an `MGUCell` for `input_size` channels."""
        from hippo_baselines.mgu import MGUCell

        return MGUCell(input_size, self.hidden_size)


class RNNOptions(ModelOptions):
    """Plain recurrent network with tanh (Elman 1990)."""

    def backbone(self, input_size: int) -> "nn.Module":
        """Build an `RNNCell` for `input_size` channels."""
        from hippo_baselines.rnn import RNNCell

        return RNNCell(input_size, self.hidden_size)


class ExpRNNOptions(ModelOptions):
    """Orthogonal recurrent matrix by the exponential map (Lezcano-Casado & Martínez-Rubio 2019)."""

    def backbone(self, input_size: int) -> "nn.Module":
        """Build an `ExpRNNCell` for `input_size` channels."""
        from hippo_baselines.exprnn import ExpRNNCell

        return ExpRNNCell(input_size, self.hidden_size)


class TransformerOptions(ModelOptions):
    """Plain Transformer encoder with sinusoidal positions (Vaswani et al. 2017), PyTorch's.

    Its layers have residual connections, layer normalization and dropout of their own.
    """

    builds_stack: ClassVar[bool] = True
    test_options: ClassVar[dict[str, Any]] = {"hidden_size": 8, "heads": 2, "bidirectional": False, "pooling": "last"}

    hidden_size: int = Field(128, ge=1, le=100_000, description="Channels of every layer; a multiple of heads.")
    embedding_size: PositiveInt | None = Field(
        None, description="Channels that the inputs are encoded in; null: hidden_size, which the layers read."
    )
    pooling: Literal["last", "mean"] = Field(
        "mean", description="How the outputs of all steps become one per sequence: the last one, or their mean."
    )
    layers: PositiveInt = Field(4, description="Layers, each with parameters of its own.")
    bidirectional: bool = Field(
        True, description="Each step attends to all steps; if false, to itself and earlier ones."
    )
    residual: Literal[True] = Field(True, description="Add the inputs of attention and feed-forward network to theirs.")
    norm: Literal["layer"] = Field("layer", description="Layer normalization over channels.")
    tie_dropout: Literal[False] = Field(False, description="Dropout of each step is its own.")
    heads: PositiveInt = Field(4, description="Attention heads.")
    feedforward_size: PositiveInt | None = Field(
        None, description="Units of the hidden layer of each feed-forward network; null: four times hidden_size."
    )

    @model_validator(mode="after")
    def _fits_heads(self):
        if self.hidden_size % self.heads:
            raise ValueError(f"hidden_size = {self.hidden_size} is not a multiple of heads = {self.heads}")
        return self

    def encoder_size(self, vocabulary: int | None) -> int:
        """Return `embedding_size`, by default `hidden_size`: inputs are always encoded."""
        return self.embedding_size or self.hidden_size

    def backbone(self, input_size: int) -> "nn.Module":
        """Build a `TransformerBackbone` with all layers for `input_size` channels."""
        from hippo_baselines.transformer import TransformerBackbone

        return TransformerBackbone(
            input_size,
            self.hidden_size,
            self.layers,
            self.heads,
            self.feedforward_size or 4 * self.hidden_size,
            self.layer_dropout,
            self.prenorm,
            causal=not self.bidirectional,
        )


class MiniRocketOptions(ClassifierOptions):
    """MiniRocket features and a ridge classifier on them (Dempster, Schmidt, Webb 2021)."""

    test_options: ClassVar[dict[str, Any]] = {"kernels": 84}

    kernels: PositiveInt = Field(10_000, description="Number of features, rounded down to a multiple of 84.")

    def classifier(self, seed: int, timestamps: bool) -> "ClassifierMixin":
        """Build a pipeline of `MiniRocketFeatures` and `RidgeClassifierCV`."""
        require_extra("lab", "sktime", "numba", needed_by="the classifier minirocket")
        from hippo.estimators.ridge import ridge_classifier
        from hippo_baselines.minirocket import MiniRocketFeatures

        return ridge_classifier(MiniRocketFeatures(self.kernels, seed))


class GRUDOptions(ModelOptions):
    """GRU whose hidden state and missing inputs (NaN) decay with the time elapsed (Che et al. 2018)."""

    uses_times: ClassVar[bool] = True

    def backbone(self, input_size: int) -> "nn.Module":
        """Build a `GRUDCell` for `input_size` channels."""
        from hippo_baselines.gru_d import GRUDCell

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
        from hippo_baselines.solver import Solver

        solver = Solver(self.solver, self.steps, self.tolerance, self.max_evaluations)
        return self.field_size or self.hidden_size, self.time_unit, solver


class ODERNNOptions(ODEOptions):
    """A hidden state that follows a differential equation between inputs (Rubanova et al. 2019).

    The default is one Euler step between two inputs, as the authors use for short intervals.
    """

    solver: Method = Field("euler", description=METHOD)

    def backbone(self, input_size: int) -> "nn.Module":
        """Build an `ODERNNCell` for `input_size` channels."""
        require_extra("lab", "torchdiffeq", needed_by="the model ode_rnn")
        from hippo_baselines.ode_rnn import ODERNNCell

        return ODERNNCell(input_size, self.hidden_size, *self.settings())


class NCDEOptions(ODEOptions):
    """Neural controlled differential equation (Kidger et al. 2020).

    The default is one step of the fourth-order Runge-Kutta rule between two inputs, as the authors use.
    """

    solver: Method = Field("rk4", description=METHOD)

    def backbone(self, input_size: int) -> "nn.Module":
        """Build an `NCDECell` for `input_size` channels."""
        require_extra("lab", "torchcde", needed_by="the model ncde")
        from hippo_baselines.ncde import NCDECell

        return NCDECell(input_size, self.hidden_size, *self.settings())
