"""The HiPPO models' hyperparameters. Free of torch: the workflow validates them while it parses its DAG."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from hippo.config import Options

if TYPE_CHECKING:
    from torch import nn

Discretization = Literal["zoh", "bilinear", "backward"]


class ModelOptions(Options):
    """Hyperparameters of one model; `cell` builds the recurrence that they describe.

    `uses_times` declares that the cell takes timestamps as such; the others get them as one more channel.
    `reads_missing` declares that inputs may be NaN where a channel was not observed.
    """

    uses_times: ClassVar[bool] = False
    reads_missing: ClassVar[bool] = False

    hidden_size: PositiveInt = Field(256, description="Units of the hidden state.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of hidden units dropped before the output layer.")
    embedding_size: PositiveInt | None = Field(
        None, description="Channels that an integer input is embedded in; none means real-valued channels."
    )

    def cell(self, input_size: int) -> "nn.Module":
        """The recurrent cell for inputs of `input_size` channels (the contract: `hippo.nn.cells.cell.Cell`)."""
        raise NotImplementedError


class HiPPOOptions(ModelOptions):
    """What every HiPPO recurrent cell has (HiPPO paper, section 3)."""

    order: PositiveInt | None = Field(None, description="Coefficients per memory channel; none means `hidden_size`.")
    memory_size: PositiveInt = Field(1, description="Channels projected from the hidden state into memory.")
    gated: bool = Field(True, description="Blend the candidate with the previous state by a gate.")

    @property
    def coefficients(self) -> int:
        """The order in force."""
        return self.order or self.hidden_size


class LegS(HiPPOOptions):
    """HiPPO-LegS: a memory of the whole past under the scaled Legendre measure, free of timescale."""

    uses_times: ClassVar[bool] = True

    discretization: Literal["bilinear", "backward"] = Field(
        "bilinear", description="How the memory's differential equation becomes a step."
    )

    def cell(self, input_size: int) -> "nn.Module":
        """A `HiPPOCell` over a scale-invariant memory."""
        from hippo.nn.cells.hippo import HiPPOCell
        from hippo.nn.cells.memories import ScaledLegendre

        memory = ScaledLegendre(self.coefficients, self.discretization)
        return HiPPOCell(input_size, self.hidden_size, memory, self.memory_size, self.gated)


class TimeInvariantOptions(HiPPOOptions):
    """A HiPPO cell over a measure that slides or fades: its memory moves one `step` per input."""

    measure: ClassVar[str]

    step: PositiveFloat = Field(1.0, description="Time between inputs, in the measure's unit.")
    discretization: Discretization = Field("zoh", description="How the memory's differential equation becomes a step.")

    def parameters(self) -> dict:
        """What the measure's transition takes besides its order."""
        return {}

    def cell(self, input_size: int) -> "nn.Module":
        """A `HiPPOCell` over a time-invariant memory."""
        from hippo.nn.cells.hippo import HiPPOCell
        from hippo.nn.cells.memories import TimeInvariant

        memory = TimeInvariant(self.measure, self.coefficients, self.step, self.discretization, **self.parameters())
        return HiPPOCell(input_size, self.hidden_size, memory, self.memory_size, self.gated)


class LegT(TimeInvariantOptions):
    """HiPPO-LegT: the last `theta` of the past under the uniform measure."""

    measure: ClassVar[str] = "legt"

    theta: PositiveFloat = Field(description="Length of the window; with step 1, in steps of the sequence.")

    def parameters(self) -> dict:
        """The window."""
        return {"theta": self.theta}


class LagT(TimeInvariantOptions):
    """HiPPO-LagT: the past under an exponentially fading measure."""

    measure: ClassVar[str] = "lagt"

    step: PositiveFloat = Field(0.01, description="Time between inputs; 1 / step inputs are remembered well.")


class FouT(LegT):
    """HiPPO-FouT: the last `theta` of the past in truncated Fourier series."""

    measure: ClassVar[str] = "fout"


class Rand(TimeInvariantOptions):
    """Random transition, the control of the HiPPO paper's table 1."""

    measure: ClassVar[str] = "random"

    step: PositiveFloat = Field(0.01, description="Time between inputs; large steps let the memory explode.")
    matrix_seed: NonNegativeInt = Field(0, description="Draws the random transition, whatever the trial's seed.")

    def parameters(self) -> dict:
        """The seed."""
        return {"seed": self.matrix_seed}


class LMU(ModelOptions):
    """Legendre Memory Unit (Voelker, Kajić, Eliasmith 2019): a sliding window of Legendre coefficients."""

    order: PositiveInt | None = Field(
        None, description="Legendre coefficients per memory channel; none means `hidden_size`."
    )
    memory_size: PositiveInt = Field(1, description="Channels written into memory.")
    theta: PositiveFloat = Field(
        description="Length of the window, in steps of the sequence; the papers take the sequence's length."
    )
    discretization: Discretization = Field("zoh", description="How the memory's differential equation becomes a step.")

    def cell(self, input_size: int) -> "nn.Module":
        """An `LMUCell`."""
        from hippo.nn.cells.lmu import LMUCell
        from hippo.nn.cells.memories import TimeInvariant

        order = self.order or self.hidden_size
        memory = TimeInvariant("lmu", order, 1.0, self.discretization, theta=self.theta)
        return LMUCell(input_size, self.hidden_size, memory, self.memory_size)
