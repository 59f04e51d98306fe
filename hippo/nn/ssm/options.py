"""Hyperparameters of models with S4 layers. Free of torch."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from hippo.nn.options import ModelOptions

if TYPE_CHECKING:
    from torch import nn

Part = Literal["A", "B", "C", "D", "step"]


class S4Options(ModelOptions):
    """Stack of S4 layers: convolutions with the responses of HiPPO systems (Gu et al. 2022).

    The defaults of the stack are those of the papers: residual connections, layer normalization before each layer, and
    the mean of all outputs.
    """

    test_options: ClassVar[dict[str, Any]] = {"hidden_size": 8, "state_size": 4, "layers": 2, "pooling": "last"}

    hidden_size: int = Field(128, ge=1, le=100_000, description="Channels of every layer.")
    embedding_size: PositiveInt | None = Field(
        None, description="Channels that the inputs are encoded in; null: hidden_size, which the layers read."
    )
    pooling: Literal["last", "mean"] = Field(
        "mean", description="How the outputs of all steps become one per sequence: the last one, or their mean."
    )
    layers: PositiveInt = Field(4, description="Layers, each with parameters of its own.")
    bidirectional: bool = Field(
        False, description="Each layer also convolves later inputs, with a second response; outputs are added."
    )
    residual: bool = Field(True, description="Add each layer's input to its output.")
    norm: Literal["layer", "batch"] | None = Field(
        "layer", description="Normalization of each layer over channels (layer) or over samples and steps (batch)."
    )
    layer_dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Fraction of units set to zero inside each layer after the activation, and after it.",
    )

    measure: str = Field(
        "legs",
        description="System that A and B begin with: legs, legt, fout, lagt, diag_legs, diag_inv, diag_lin, diag_real, "
        "or a mixture such as legs+fout.",
    )
    state_size: int = Field(64, description="Size of the state of each channel; even.")
    dt_min: PositiveFloat = Field(0.001, description="Least initial step size: 1 / the longest dependency, in steps.")
    dt_max: PositiveFloat = Field(0.1, description="Largest initial step size.")
    n_ssm: PositiveInt | None = Field(
        None, description="Copies of A and B, which channels share; null: one of each system of the mixture."
    )
    discretization: Literal["bilinear", "zoh"] = Field(
        "bilinear", description="Rule that turns the differential equation into a recurrence; zoh: diagonal systems."
    )
    activation: Literal["gelu"] | None = Field("gelu", description="Activation after the convolution; null: none.")
    output: Literal["glu", "linear"] | None = Field(
        "glu", description="Map of the channels after the convolution; null: none, and no activation."
    )
    frozen: tuple[Part, ...] = Field((), description="Parts that are not trained, of A, B, C, D and step.")
    learning_rate_A: PositiveFloat | None = Field(0.001, description="Learning rate of A; null: the global one.")
    learning_rate_B: PositiveFloat | None = Field(0.001, description="Learning rate of B; null: the global one.")
    learning_rate_step: PositiveFloat | None = Field(
        0.001, description="Learning rate of the step sizes; null: the global one."
    )

    known_rate: bool = Field(
        False,
        description="Where a dataset samples a part at another rate than its train part, multiply the step sizes by "
        "the ratio of the times between samples.",
    )

    @model_validator(mode="after")
    def _check(self):
        from hippo.nn.ssm.settings import check_settings  # imports NumPy, which other models do not need here

        check_settings(
            self.hidden_size,
            self.state_size,
            self.measure,
            self.dt_min,
            self.dt_max,
            self.n_ssm,
            self.discretization,
            self.frozen,
        )
        return self

    def encoder_size(self, vocabulary: int | None) -> int | None:
        """Return `embedding_size`, by default `hidden_size`, or None if a plain layer maps real inputs itself."""
        if self.is_plain and vocabulary is None:
            return self.embedding_size
        return self.embedding_size or self.hidden_size

    def layer(self, input_size: int) -> "nn.Module":
        """Build one layer, whose second direction, if there is one, is inside of it."""
        return self.backbone(input_size)

    def backbone(self, input_size: int) -> "nn.Module":
        """Build an `S4Backbone`.

        Parameters
        ----------
        input_size : int
            Channels of its inputs.
        """
        from hippo.nn.ssm.backbone import S4Backbone
        from hippo.nn.ssm.layer import S4

        layer = S4(
            self.hidden_size,
            self.state_size,
            self.measure,
            dt_min=self.dt_min,
            dt_max=self.dt_max,
            n_ssm=self.n_ssm,
            discretization=self.discretization,
            bidirectional=self.bidirectional,
            activation=self.activation,
            dropout=self.layer_dropout,
            tie_dropout=self.tie_dropout,
            output=self.output,
            frozen=self.frozen,
            learning_rate_A=self.learning_rate_A,
            learning_rate_B=self.learning_rate_B,
            learning_rate_step=self.learning_rate_step,
        )
        return S4Backbone(input_size, layer)


class S4DOptions(S4Options):
    """Stack of S4 layers with diagonal systems (Gu, Gupta, Goel, Ré 2022)."""

    measure: str = Field(
        "diag_inv",
        description="System that A begins with: diag_legs, diag_inv, diag_lin, diag_real, or a mixture such as "
        "diag_inv+diag_lin.",
    )
    discretization: Literal["bilinear", "zoh"] = Field(
        "zoh", description="Rule that turns the differential equation into a recurrence."
    )
