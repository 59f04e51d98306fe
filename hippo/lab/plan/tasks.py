"""What a trial can do, and the numbers that its table shows. Free of torch."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from hippo import registry
from hippo.config import ConfigError, Options, closest


@dataclass(frozen=True)
class Column:
    """One number of a table: the outcome's `metric` times `factor`, printed with `form`."""

    metric: str
    label: str
    factor: float = 1.0
    form: str = ".1f"


@dataclass(frozen=True)
class Task:
    """One kind of trial: where its models are found, whether it trains them, and its table's columns.

    Rows are ranked by the column of `score`.
    """

    runner: str
    model: Callable[[str, str], type[Options]]
    trained: bool
    columns: tuple[Column, ...]
    score: str
    higher_is_better: bool = True  # of the score, and of the first column, by which a sweep chooses

    def column(self, metric: str) -> Column:
        """The column of a metric, also of one that no table prints: percent for accuracies."""
        named = {column.metric: column for column in self.columns}
        factor, form = (100, ".1f") if metric.endswith("accuracy") else (1, ".4g")
        return named.get(metric) or Column(metric, metric, factor, form)

    def run(self, *args, **kwargs):
        """Run a trial of this task; imports torch."""
        module, function = self.runner.split(":")
        return getattr(import_module(module), function)(*args, **kwargs)


class MemoryOptions(Options):
    """An online memory, fed a signal once and asked to reconstruct all of it."""

    measure: Literal["legs", "legt", "lmu", "lagt", "fout"] = Field("legs", description="measure of the projection")
    order: PositiveInt = Field(256, description="coefficients: units of memory")
    discretization: Literal["bilinear", "backward", "euler", "zoh"] | None = Field(
        None, description="rule that makes a step; by default the measure's own"
    )
    dtype: Literal["float32", "float64"] = Field("float32", description="type of the memory")

    time_constants: PositiveFloat | None = Field(
        None, description="lagt, whose past only fades: how many of its time constants the signal lasts"
    )

    @model_validator(mode="after")
    def _fits_measure(self):
        if (self.measure == "lagt") != (self.time_constants is not None):
            raise ValueError("time_constants belongs to measure lagt, which needs it, and to no other")
        if self.measure == "legs" and self.discretization == "zoh":
            raise ValueError("measure legs has no zoh in linear time; choose bilinear, backward or euler")
        return self


class LSTMOptions(Options):
    """An LSTM trained to answer, from its last hidden state, the coefficients of the signal that it has read.

    Trained on fresh draws of the same noise, `length` samples long. Its memory is its hidden state.
    """

    hidden_size: PositiveInt = Field(256, description="units of the hidden state")
    order: PositiveInt = Field(256, description="Legendre coefficients that it answers")
    length: PositiveInt = Field(1000, description="samples of a training signal")
    steps: PositiveInt = Field(1000, description="optimiser steps")
    batch_size: PositiveInt = Field(32, description="signals per optimiser step")
    learning_rate: PositiveFloat = Field(1e-3, description="Adam's step size")


def _registered(name: str, where: str) -> type[Options]:
    """A cell to be trained, or a classifier that is fitted at once."""
    groups = ("models", "classifiers")
    for group in groups:
        if name in registry.names(group):
            return registry.find(group, name, where)
    known = [known for group in groups for known in registry.names(group)]
    raise ConfigError(f"{where}: unknown model {name!r}; {closest(name, known)}")


def _reconstructor(name: str, where: str) -> type[Options]:
    kinds = {"memory": MemoryOptions, "lstm": LSTMOptions}
    if name not in kinds:
        raise ConfigError(f"{where}: unknown model {name!r}; {closest(name, kinds)}")
    return kinds[name]


TASKS = {
    "classification": Task(
        runner="hippo.lab.training.trainer:run",
        model=_registered,
        trained=True,
        columns=(
            Column("validation_accuracy", "validation, %", 100),
            Column("test_accuracy", "test, %", 100),
        ),
        score="test_accuracy",
    ),
    "regression": Task(
        runner="hippo.lab.training.trainer:run",
        model=lambda name, where: registry.find("models", name, where),
        trained=True,
        columns=(
            Column("validation_nrmse", "validation, NRMSE", 1, ".4f"),
            Column("test_nrmse", "test, NRMSE", 1, ".4f"),
            Column("test_loss", "test, MSE", 1, ".6f"),
        ),
        score="test_nrmse",
        higher_is_better=False,
    ),
    "reconstruction": Task(
        runner="hippo.lab.training.reconstruction:run",
        model=_reconstructor,
        trained=False,
        columns=(
            Column("mse", "MSE", 1, ".6f"),
            Column("optimal_mse", "optimum", 1, ".6f"),
            Column("steps_per_second", "steps/s", 1, ",.0f"),
        ),
        score="mse",
        higher_is_better=False,
    ),
}
