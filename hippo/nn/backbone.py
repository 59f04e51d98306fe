"""What a backbone is: a map of sequences to sequences, such as a recurrent cell or a stack of layers."""

from collections.abc import Iterable
from typing import Any, Protocol

from torch import Tensor, nn

from hippo.config import ConfigError
from hippo.nn.engine.options import EngineOptions


class Backbone(Protocol):
    """The interface of a backbone, which is a `torch.nn.Module`.

    A backbone, or a module inside it, may also have

    * a method `counters() -> dict[str, int]`, which returns counts since its last call by name;
    * an attribute `engine`, an `EngineOptions`, if the unrolling engine runs it: a model sets the attribute;
    * a method `parameter_options()`, see `hippo.nn.parameter_groups`.

    Attributes
    ----------
    output_size : int
        Channels of the outputs.
    """

    output_size: int

    def __call__(
        self, inputs: Tensor, times: Tensor | None = None, lengths: Tensor | None = None, sequence: bool = False
    ) -> Tensor:
        """Compute the outputs.

        Parameters
        ----------
        inputs : Tensor, shape (batch, length, channels)
            Input sequences.
        times : Tensor, shape (batch, length), optional
            Timestamps. They are given only if the model's options declare `uses_times`.
        lengths : Tensor of int64, shape (batch,), optional
            True lengths of padded samples. Inputs in the padding must not change the outputs at true steps.
        sequence : bool, default False
            Return the outputs at all steps instead of those at each sample's last true step.

        Returns
        -------
        Tensor, shape (batch, output_size), or (batch, length, output_size) if `sequence`
        """


def sum_counters(modules: Iterable[nn.Module]) -> dict[str, int]:
    """Return the sums of the counters of several backbones by name, and reset them.

    Parameters
    ----------
    modules : iterable of torch.nn.Module
        Backbones; one without a method `counters` counts nothing.

    Returns
    -------
    dict
        Count by name.
    """
    total: dict[str, int] = {}
    for module in modules:
        for name, count in getattr(module, "counters", dict)().items():
            total[name] = total.get(name, 0) + count
    return total


def engine_options(module: nn.Module) -> list[EngineOptions]:
    """Return the options of every part of a module that the engine runs; an empty list if it runs none."""
    options = [engine_options_of(part) for part in module.modules()]
    return [found for found in options if found]


def engine_options_of(module: nn.Module) -> EngineOptions | None:
    """Return the options of a module that the engine runs, else None."""
    options = getattr(module, "engine", None)
    return options if isinstance(options, EngineOptions) else None


def set_engine(backbone: nn.Module, engine: EngineOptions, name: str) -> None:
    """Hand precision and checkpointing to every module of a backbone that the engine runs.

    Parameters
    ----------
    backbone : torch.nn.Module
        Its modules with an attribute `engine` of type `EngineOptions` are run by the engine.
    engine : EngineOptions
        The options.
    name : str
        Name of the model, for the error message.

    Raises
    ------
    ConfigError
        If the engine runs no module of the backbone and the options are other than the defaults; its products are in
        float32, which is one meaning of the precision `auto`.
    """
    unrolled: list[Any] = [module for module in backbone.modules() if engine_options_of(module)]
    if not unrolled and engine not in (EngineOptions(), EngineOptions(precision="auto")):
        raise ConfigError(f"{name} is not run by the engine: leave {engine!r} at its defaults")
    for module in unrolled:
        module.engine = engine
