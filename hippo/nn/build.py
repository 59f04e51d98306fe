"""From a registered name and its hyperparameters to a model."""

from typing import TYPE_CHECKING

from hippo import registry
from hippo.config import ConfigError, parse
from hippo.nn.engine.options import EngineOptions

if TYPE_CHECKING:
    from hippo.nn.sequence import SequenceModel


def available_models() -> list[str]:
    """Names that `build_model` takes, sorted: this project's and those of any other installed package."""
    return registry.names("models")


def build_model(
    name: str,
    input_size: int,
    output_size: int,
    *,
    timestamps: bool = False,
    return_sequence: bool = False,
    engine: EngineOptions | dict | None = None,
    **hyperparameters,
) -> "SequenceModel":
    """The model called `name`: (batch, length, input_size) -> (batch, output_size).

    `timestamps`: each call also gives times (batch, length). A model that cannot use them as such
    (`uses_times` of its options) reads them as one more channel. ConfigError for an unknown name or a
    hyperparameter that is unknown or out of range. `return_sequence`: one answer per step, (batch, length,
    output_size). `engine`: precision and checkpointing (`EngineOptions`).
    """
    for key, size in (("input_size", input_size), ("output_size", output_size)):
        if not isinstance(size, int) or size < 1:
            raise ConfigError(f"build_model({name!r}): {key} is {size!r}; expected a positive integer")
    options_type = registry.find("models", name, where="build_model")
    options = parse(options_type, hyperparameters, where=f"model {name!r}")
    from hippo.nn.sequence import SequenceModel

    return SequenceModel(
        options,
        input_size,
        output_size,
        timestamps=timestamps,
        return_sequence=return_sequence,
        engine=parse(EngineOptions, engine or {}, where="engine"),
    )
