"""What a trial can do, and the numbers that its table shows. Free of torch."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from pydantic import Field, PositiveInt

from hippo import registry
from hippo.config import Config, ConfigError, closest


@dataclass(frozen=True)
class Column:
    """One number of a table: the outcome's `metric` times `factor`, printed with `form`."""

    metric: str
    label: str
    factor: float = 1.0
    form: str = ".1f"


@dataclass(frozen=True)
class Task:
    """One kind of trial: where its models are found, whether they are trained, and its columns."""

    runner: str
    model: Callable[[str, str], type[Config]]
    trained: bool
    columns: tuple[Column, ...]

    def run(self, *args, **kwargs):
        """Run a trial of this task; imports torch."""
        module, function = self.runner.split(":")
        return getattr(import_module(module), function)(*args, **kwargs)


class MemoryOptions(Config):
    """An online memory, fed a signal once and asked to reconstruct all of it."""

    measure: str = Field("legs", description="measure of the projection (hippo.measures)")
    order: PositiveInt = Field(256, description="coefficients: units of memory")
    discretization: str | None = Field(None, description="bilinear, zoh, euler or backward; None: the measure's own")
    dtype: str = Field("float32", pattern="^float(32|64)$", description="float32 or float64")


def _registered(name: str, where: str) -> type[Config]:
    return registry.find("models", name, where)


def _memory(name: str, where: str) -> type[Config]:
    if name != "memory":
        raise ConfigError(f"{where}: unknown model {name!r}; {closest(name, ['memory'])}")
    return MemoryOptions


TASKS = {
    "classification": Task(
        runner="hippo.lab.classification:run",
        model=_registered,
        trained=True,
        columns=(
            Column("validation_accuracy", "validation, %", 100),
            Column("test_accuracy", "test, %", 100),
        ),
    ),
    "reconstruction": Task(
        runner="hippo.lab.reconstruction:run",
        model=_memory,
        trained=False,
        columns=(
            Column("mse", "MSE", 1, ".6f"),
            Column("optimal_mse", "optimum", 1, ".6f"),
            Column("steps_per_second", "steps/s", 1, ",.0f"),
        ),
    ),
}
