"""Hyperparameters of models. Free of torch: the workflow validates them while it plans its jobs."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from hippo.config import ADDED_LATER, Options

if TYPE_CHECKING:
    from torch import nn

Discretization = Literal["zoh", "bilinear", "backward"]
DISCRETIZATION = "Rule that turns the differential equation of the memory into a step."


class ModelOptions(Options):
    """Hyperparameters that every model has.

    A subclass adds the hyperparameters of one kind of layer and defines `backbone`.

    Attributes
    ----------
    uses_times : bool
        Class attribute. True if the layer takes timestamps; if False, timestamps are one more input channel.
    builds_stack : bool
        Class attribute. True if `backbone` builds all layers and reads the options of the stack itself.
    test_options : dict
        Class attribute. Small hyperparameters with which the contract tests build the model.
    """

    uses_times: ClassVar[bool] = False
    builds_stack: ClassVar[bool] = False
    test_options: ClassVar[dict[str, Any]] = {"hidden_size": 8}

    hidden_size: int = Field(256, ge=1, le=100_000, description="Units of the hidden state.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Fraction of units set to zero before the output layer.")
    embedding_size: PositiveInt | None = Field(
        None,
        description="Channels that the inputs are encoded in: by an embedding of tokens, or by a linear map of real "
        "channels. null: real channels are not encoded, tokens are embedded in hidden_size channels.",
    )
    pooling: Annotated[
        Literal["last", "mean"],
        ADDED_LATER,
        Field(description="How the outputs of all steps become one per sequence: the last one, or their mean."),
    ] = "last"
    layers: Annotated[PositiveInt, ADDED_LATER, Field(description="Layers, each with parameters of its own.")] = 1
    bidirectional: Annotated[
        bool,
        ADDED_LATER,
        Field(description="Each layer also reads the reversed sequence with a second copy; outputs are concatenated."),
    ] = False
    residual: Annotated[
        bool,
        ADDED_LATER,
        Field(description="Add each layer's input to its output, by a linear map where their channels differ."),
    ] = False
    norm: Annotated[
        Literal["layer", "batch"] | None,
        ADDED_LATER,
        Field(description="Normalization of each layer over channels (layer) or over samples and steps (batch)."),
    ] = None
    prenorm: Annotated[
        bool,
        ADDED_LATER,
        Field(description="Normalize before each layer and after the last one; if false, after each layer."),
    ] = True
    layer_dropout: Annotated[
        float, ADDED_LATER, Field(ge=0, lt=1, description="Fraction of units set to zero after each layer.")
    ] = 0.0
    tie_dropout: Annotated[
        bool, ADDED_LATER, Field(description="Layer dropout sets the same units to zero at all steps of a sequence.")
    ] = False

    @property
    def is_plain(self) -> bool:
        """Whether the backbone is one layer in one direction, without residual connection, norm and layer dropout."""
        return self.layers == 1 and not (self.bidirectional or self.residual or self.norm or self.layer_dropout)

    def backbone(self, input_size: int) -> "nn.Module":
        """Build one layer.

        Parameters
        ----------
        input_size : int
            Channels of its inputs.

        Returns
        -------
        torch.nn.Module
            A backbone (`hippo.nn.backbone.Backbone`): a recurrent cell, or another map of sequences to sequences.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define backbone(input_size)")

    def layer(self, input_size: int) -> "nn.Module":
        """Build one layer in all its directions: by default two copies of `backbone` if `bidirectional`, else one.

        A subclass whose layer has a second direction of its own overrides this method.

        Parameters
        ----------
        input_size : int
            Channels of its inputs.

        Returns
        -------
        torch.nn.Module
            A backbone.
        """
        if not self.bidirectional:
            return self.backbone(input_size)
        from hippo.nn.bidirectional import Bidirectional

        return Bidirectional(self.backbone, input_size)

    def encoder_size(self, vocabulary: int | None) -> int | None:
        """Return the channels that the inputs are encoded in, or None if they are not encoded.

        Parameters
        ----------
        vocabulary : int or None
            Number of token ids; None for real-valued inputs.
        """
        return self.embedding_size if vocabulary is None else self.embedding_size or self.hidden_size


class HiPPOOptions(ModelOptions):
    """Hyperparameters that every HiPPO recurrent cell has (HiPPO paper, section 3)."""

    order: PositiveInt | None = Field(
        None, description="Coefficients per memory channel; null: as many as hidden_size."
    )
    memory_size: PositiveInt = Field(1, description="Channels projected from the hidden state into memory.")
    gated: bool = Field(True, description="Blend the candidate with the previous state by a gate.")

    @property
    def coefficients(self) -> int:
        """Coefficients per memory channel."""
        return self.order or self.hidden_size


class LegSOptions(HiPPOOptions):
    """HiPPO-LegS: a memory of the whole past under the scaled Legendre measure, without a timescale."""

    uses_times: ClassVar[bool] = True

    discretization: Literal["bilinear", "backward"] = Field("bilinear", description=DISCRETIZATION)

    def backbone(self, input_size: int) -> "nn.Module":
        """Build a `HiPPOCell` with a scale-invariant memory."""
        from hippo.nn.cells.hippo import HiPPOCell
        from hippo.nn.cells.memories import LegSMemory

        memory = LegSMemory(self.coefficients, self.discretization)
        return HiPPOCell(input_size, self.hidden_size, memory, self.memory_size, self.gated)


class TimeInvariantOptions(HiPPOOptions):
    """Hyperparameters of a HiPPO cell whose measure has a fixed timescale: the memory moves by `step` per input."""

    measure: ClassVar[str]

    step: PositiveFloat = Field(1.0, description="Time between inputs, in the unit of the measure.")
    discretization: Discretization = Field("zoh", description=DISCRETIZATION)

    def measure_parameters(self) -> dict[str, Any]:
        """Return the parameters of the measure besides its order."""
        return {}

    def backbone(self, input_size: int) -> "nn.Module":
        """Build a `HiPPOCell` with a time-invariant memory."""
        from hippo.nn.cells.hippo import HiPPOCell
        from hippo.nn.cells.memories import DenseMemory
        from hippo.operators.dynamics import TimeInvariant

        system = TimeInvariant(self.measure, self.coefficients, **self.measure_parameters())
        memory = DenseMemory(system, self.step, self.discretization)
        return HiPPOCell(input_size, self.hidden_size, memory, self.memory_size, self.gated)


class LegTOptions(TimeInvariantOptions):
    """HiPPO-LegT: a sliding window of length `theta` under the uniform measure."""

    measure: ClassVar[str] = "legt"
    test_options: ClassVar[dict[str, Any]] = {"hidden_size": 8, "theta": 12.0}

    theta: PositiveFloat = Field(description="Length of the window; with step 1, in steps of the sequence.")

    def measure_parameters(self) -> dict[str, Any]:
        """Return the length of the window."""
        return {"window": self.theta}


class LagTOptions(TimeInvariantOptions):
    """HiPPO-LagT: the whole past under an exponentially decaying measure."""

    measure: ClassVar[str] = "lagt"
    test_options: ClassVar[dict[str, Any]] = {"hidden_size": 8, "step": 0.2}

    step: PositiveFloat = Field(0.01, description="Time between inputs; the last 1 / step inputs are remembered well.")


class FouTOptions(LegTOptions):
    """HiPPO-FouT: a sliding window of length `theta` in a truncated Fourier series; the order is even."""

    measure: ClassVar[str] = "fout"


class RandOptions(TimeInvariantOptions):
    """Random transition, the control of the HiPPO paper's table 1."""

    measure: ClassVar[str] = "random"
    test_options: ClassVar[dict[str, Any]] = {"hidden_size": 8, "step": 0.5}

    step: PositiveFloat = Field(0.01, description="Time between inputs; a large step lets the memory diverge.")
    matrix_seed: NonNegativeInt = Field(
        0, description="Seed of the random transition, independent of the seed of the trial."
    )

    def measure_parameters(self) -> dict[str, Any]:
        """Return the seed of the random transition."""
        return {"seed": self.matrix_seed}


class LMUOptions(ModelOptions):
    """Legendre Memory Unit (Voelker, Kajić, Eliasmith 2019): a sliding window of Legendre coefficients."""

    test_options: ClassVar[dict[str, Any]] = {"hidden_size": 8, "theta": 12.0}

    order: PositiveInt | None = Field(
        None, description="Legendre coefficients per memory channel; null: as many as hidden_size."
    )
    memory_size: PositiveInt = Field(1, description="Channels written into memory.")
    theta: PositiveFloat = Field(
        description="Length of the window, in steps of the sequence; the papers use the length of the sequence."
    )
    discretization: Discretization = Field("zoh", description=DISCRETIZATION)

    def backbone(self, input_size: int) -> "nn.Module":
        """Build an `LMUCell`."""
        from hippo.nn.cells.lmu import LMUCell
        from hippo.nn.cells.memories import DenseMemory
        from hippo.operators.dynamics import TimeInvariant

        system = TimeInvariant("lmu", self.order or self.hidden_size, window=self.theta)
        memory = DenseMemory(system, 1.0, self.discretization)
        return LMUCell(input_size, self.hidden_size, memory, self.memory_size)
