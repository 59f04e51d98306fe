"""What a trial can do, and the numbers that its table shows. Free of torch."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from pydantic import Field, PositiveInt, model_validator

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
    """One kind of trial: where its models are found, whether it trains them and classifies, and its columns."""

    runner: str
    model: Callable[[str, str], type[Config]]
    trained: bool
    classifies: bool
    columns: tuple[Column, ...]

    def run(self, *args, **kwargs):
        """Run a trial of this task; imports torch."""
        module, function = self.runner.split(":")
        return getattr(import_module(module), function)(*args, **kwargs)


class MemoryOptions(Config):
    """An online memory, fed a signal once and asked to reconstruct all of it."""

    measure: Literal["legs", "legt", "lmu", "lagt", "fout"] = Field("legs", description="measure of the projection")
    order: PositiveInt = Field(256, description="coefficients: units of memory")
    discretization: Literal["bilinear", "backward", "euler", "zoh"] | None = Field(
        None, description="rule that makes a step; by default the measure's own"
    )
    dtype: Literal["float32", "float64"] = Field("float32", description="type of the memory")

    @model_validator(mode="after")
    def _has_rule(self):
        if self.measure == "legs" and self.discretization == "zoh":
            raise ValueError("measure legs has no zoh in linear time; choose bilinear, backward or euler")
        return self


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
        classifies=True,
        columns=(
            Column("validation_accuracy", "validation, %", 100),
            Column("test_accuracy", "test, %", 100),
        ),
    ),
    "reconstruction": Task(
        runner="hippo.lab.reconstruction:run",
        model=_memory,
        trained=False,
        classifies=False,
        columns=(
            Column("mse", "MSE", 1, ".6f"),
            Column("optimal_mse", "optimum", 1, ".6f"),
            Column("steps_per_second", "steps/s", 1, ",.0f"),
        ),
    ),
}
