"""From a registered name and its hyperparameters to a model."""

from typing import TYPE_CHECKING, cast

from hippo import registry
from hippo.config import ConfigError, parse
from hippo.nn.engine.options import EngineOptions

if TYPE_CHECKING:
    from hippo.nn.options import ModelOptions
    from hippo.nn.sequence import SequenceModel


def available_models() -> list[str]:
    """Return the names of all registered models, sorted.

    Returns
    -------
    list of str
        Names that `build_model` accepts: those of this project and of every installed package that registers models in
        the entry-point group "hippo.models".
    """
    return registry.names("models")


def build_model(
    name: str,
    input_size: int | None = None,
    output_size: int | None = None,
    *,
    vocabulary: int | None = None,
    timestamps: bool = False,
    return_sequence: bool = False,
    documents: int = 1,
    engine: EngineOptions | dict | None = None,
    **hyperparameters,
) -> "SequenceModel":
    """Build a registered model.

    Parameters
    ----------
    name : str
        Name of the model (`available_models`).
    input_size : int, optional
        Channels of the inputs. Required without a vocabulary; with one, leave it out.
    output_size : int
        Numbers per answer: classes, or targets of a regression. Required.
    vocabulary : int, optional
        Number of token ids. Inputs are then integers (batch, length) below it.
    timestamps : bool, default False
        Every call of the model gives times (batch, length). A model that does not use timestamps (`uses_times` of its
        options) reads them as one more channel.
    return_sequence : bool, default False
        Return one answer per step instead of one per sequence.
    documents : {1, 2}, default 1
        Sequences per sample; with 2, inputs are (batch, 2, length, ...), and there is one answer for both.
    engine : EngineOptions or dict, optional
        Precision and checkpointing.
    **hyperparameters
        Fields of the model's options.

    Returns
    -------
    SequenceModel
        A module (batch, length, input_size) -> (batch, output_size), or (batch, length, output_size) with
        `return_sequence`. Initial values are random, from torch's global generator.

    Raises
    ------
    ConfigError
        If the name or a hyperparameter is unknown, a value is out of range, or a size is missing.

    Examples
    --------
    >>> import torch
    >>> from hippo.nn import build_model
    >>> model = build_model("legs", input_size=1, output_size=10, hidden_size=32)
    >>> model(torch.zeros(4, 784, 1)).shape
    torch.Size([4, 10])
    >>> text = build_model("gru", output_size=2, vocabulary=256, layers=2, pooling="mean", hidden_size=32)
    >>> text(torch.randint(256, (4, 100)), lengths=torch.tensor([100, 3, 20, 50])).shape
    torch.Size([4, 2])
    """
    if vocabulary is not None:
        if input_size not in (None, 1):
            raise ConfigError(f"build_model({name!r}): input_size is {input_size!r}; leave it out with a vocabulary")
        input_size, vocabulary = 1, _positive(name, "vocabulary", vocabulary)
    input_size, output_size = _positive(name, "input_size", input_size), _positive(name, "output_size", output_size)
    options_type = cast("type[ModelOptions]", registry.find("models", name, where="build_model"))
    options = parse(options_type, hyperparameters, where=f"model {name!r}")
    from hippo.nn.sequence import SequenceModel

    return SequenceModel(
        options,
        input_size,
        output_size,
        vocabulary=vocabulary,
        timestamps=timestamps,
        return_sequence=return_sequence,
        documents=documents,
        engine=parse(EngineOptions, engine or {}, where="engine"),
    )


def _positive(name: str, key: str, size: int | None) -> int:
    """Return `size` if it is a positive integer; ConfigError otherwise."""
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise ConfigError(f"build_model({name!r}): {key} is {size!r}; expected a positive integer")
    return size
