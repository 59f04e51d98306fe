"""Training options: optimizer, schedule, and how the engine runs the model."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from hippo.config import ADDED_LATER
from hippo.nn.engine.options import EngineOptions


class TrainingOptions(EngineOptions):
    """Options of one training.

    The defaults are the settings of the first HiPPO paper: Adam at a constant learning rate, without weight decay,
    gradient clipping or early stopping. The loss follows from the dataset: cross-entropy for classes, mean squared
    error for numbers.
    """

    epochs: int = Field(50, ge=1, le=1_000_000, description="passes over the training part")
    batch_size: int = Field(100, ge=1, le=1_000_000, description="samples per optimizer step")
    learning_rate: PositiveFloat = Field(1e-3, description="learning rate of the optimizer")
    device: str = Field("auto", description="auto (a CUDA device if there is one), cpu, cuda, cuda:1, …")
    optimizer: Annotated[
        Literal["adam", "adamw"], ADDED_LATER, Field(description="adamw decouples the weight decay from the gradient")
    ] = "adam"
    weight_decay: Annotated[NonNegativeFloat, ADDED_LATER, Field(description="weight decay of adamw")] = 0.0
    schedule: Annotated[
        Literal["constant", "cosine"],
        ADDED_LATER,
        Field(description="learning rate over the steps; cosine falls to 0 at the last step"),
    ] = "constant"
    warmup_steps: Annotated[
        NonNegativeInt, ADDED_LATER, Field(description="steps over which the learning rate rises linearly from 0")
    ] = 0
    gradient_clip: Annotated[
        PositiveFloat | None, ADDED_LATER, Field(description="largest global norm of the gradients; null: no clipping")
    ] = None
    early_stopping: Annotated[
        PositiveInt | None,
        ADDED_LATER,
        Field(description="epochs without a better validation score after which training ends; null: never"),
    ] = None

    @model_validator(mode="after")
    def _check_optimizer(self):
        if self.weight_decay and self.optimizer != "adamw":
            raise ValueError("weight_decay needs optimizer: adamw")
        return self

    @property
    def engine(self) -> EngineOptions:
        """Options of the engine that runs the model."""
        return EngineOptions(**{name: getattr(self, name) for name in EngineOptions.model_fields})
