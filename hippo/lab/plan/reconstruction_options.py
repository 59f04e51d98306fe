"""Options of the reconstruction task's methods: an online memory and a trained LSTM. Free of torch."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from hippo.config import Options


class MemoryOptions(Options):
    """An online memory that reads a signal once and reconstructs all of it."""

    measure: Literal["legs", "legt", "lmu", "lagt", "fout"] = Field("legs", description="measure of the projection")
    order: PositiveInt = Field(256, description="number of coefficients")
    discretization: Literal["bilinear", "backward", "euler", "zoh"] | None = Field(
        None, description="discretization rule; null: the default of the measure"
    )
    dtype: Literal["float32", "float64"] = Field("float32", description="type of the coefficients")
    time_constants: PositiveFloat | None = Field(
        None, description="length of the signal in time constants; for measure lagt only, which has no window"
    )

    @model_validator(mode="after")
    def _check_measure(self):
        if (self.measure == "lagt") != (self.time_constants is not None):
            raise ValueError("time_constants is required by measure lagt and not allowed for any other")
        if self.measure == "legs" and self.discretization == "zoh":
            raise ValueError("measure legs has no zoh in linear time; choose bilinear, backward or euler")
        return self


class LSTMOptions(Options):
    """An LSTM that is trained to output the coefficients of the signal that it has read.

    Trained on new synthetic signals of the same distribution, `length` samples long. Its memory is its hidden state.
    """

    hidden_size: PositiveInt = Field(256, description="units of the hidden state")
    order: PositiveInt = Field(256, description="Legendre coefficients of the output")
    length: PositiveInt = Field(1000, description="samples of a training signal")
    steps: PositiveInt = Field(1000, description="optimizer steps")
    batch_size: PositiveInt = Field(32, description="signals per optimizer step")
    learning_rate: PositiveFloat = Field(1e-3, description="learning rate of Adam")
