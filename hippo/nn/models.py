"""The HiPPO models' hyperparameters. Free of torch: the workflow validates them while it parses its DAG."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from hippo.config import Config

if TYPE_CHECKING:
    from torch import nn

Discretization = Literal["zoh", "bilinear", "backward"]


class ModelConfig(Config):
    """Hyperparameters of one model; `cell` builds the recurrence that they describe.

    `uses_times` declares that the cell takes timestamps as such; the others get them as one more channel.
    """

    uses_times: ClassVar[bool] = False

    hidden_size: PositiveInt = Field(256, description="Units of the hidden state.")

    def cell(self, input_size: int) -> "nn.Module":
        """The recurrent cell for inputs of `input_size` channels (the contract: `hippo.nn.cell.Cell`)."""
        raise NotImplementedError


class HiPPOConfig(ModelConfig):
    """What every HiPPO recurrent cell has (HiPPO paper, section 3)."""

    order: PositiveInt | None = Field(None, description="Coefficients per memory channel; none means `hidden_size`.")
    memory_size: PositiveInt = Field(1, description="Channels projected from the hidden state into memory.")
    gated: bool = Field(True, description="Blend the candidate with the previous state by a gate.")

    @property
    def coefficients(self) -> int:
        """The order in force."""
        return self.order or self.hidden_size


class LegS(HiPPOConfig):
    """HiPPO-LegS: a memory of the whole past under the scaled Legendre measure, free of timescale."""

    uses_times: ClassVar[bool] = True

    discretization: Literal["bilinear", "backward"] = Field(
        "bilinear", description="How the memory's differential equation becomes a step."
    )

    def cell(self, input_size: int) -> "nn.Module":
        """A `HiPPOCell` over a scale-invariant memory."""
        from hippo.nn.hippo_cell import HiPPOCell
        from hippo.nn.memory_update import ScaledLegendre

        memory = ScaledLegendre(self.coefficients, self.discretization)
        return HiPPOCell(input_size, self.hidden_size, memory, self.memory_size, self.gated)


class LMU(ModelConfig):
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
        from hippo.nn.lmu import LMUCell
        from hippo.nn.memory_update import TimeInvariant

        order = self.order or self.hidden_size
        memory = TimeInvariant("lmu", order, 1.0, self.discretization, theta=self.theta)
        return LMUCell(input_size, self.hidden_size, memory, self.memory_size)
