"""Task: what a trial does, which models it takes, and the columns of its table. Free of torch."""

from collections.abc import Callable
from dataclasses import dataclass

from hippo.config import ConfigError, Options, closest


@dataclass(frozen=True)
class Column:
    """One column of a table: the outcome's `metric` times `factor`, printed with `format`."""

    metric: str
    label: str
    factor: float = 1.0
    format: str = ".1f"


@dataclass(frozen=True)
class Task:
    """One kind of trial, registered in the entry-point group `hippo.tasks`.

    Parameters
    ----------
    find_model : callable
        (name, where) -> options class of a model that the task can use; ConfigError for any other name.
    run : callable
        (trial, dataset, recorder) -> outcome: a mapping with `status` and the metrics. Imports torch when called.
    trained : bool
        Whether trials have training options.
    columns : tuple of Column
        Columns of the table.
    score : str
        Metric by which models are ranked.
    selection : str
        Metric by which a sweep chooses a value.
    higher_is_better : bool
        Whether high values of `score` and `selection` are good.
    """

    find_model: Callable[[str, str], type[Options]]
    run: Callable[..., dict]
    trained: bool
    columns: tuple[Column, ...]
    score: str
    selection: str
    higher_is_better: bool = True

    def column(self, metric: str) -> Column:
        """Return the column of a metric; for a metric that no table prints, percent if it is an accuracy."""
        named = {column.metric: column for column in self.columns}
        factor, form = (100, ".1f") if metric.endswith("accuracy") else (1, ".4g")
        return named.get(metric) or Column(metric, metric, factor, form)

    def prefers_high(self, metric: str) -> bool:
        """Return whether high values of a metric are good; of others than the scores, if it is an accuracy or speed."""
        if metric in (self.score, self.selection):
            return self.higher_is_better
        return metric.endswith(("accuracy", "per_second"))


def find_among(models: dict[str, type[Options]]) -> Callable[[str, str], type[Options]]:
    """Return the `find_model` of a task that has models of its own, which are not registered.

    Parameters
    ----------
    models : dict of type
        Options class of each model.
    """

    def find_model(name: str, where: str) -> type[Options]:
        """Return the options class of a model; ConfigError for a name that the task does not have."""
        if name not in models:
            raise ConfigError(f"{where}: unknown model {name!r}; {closest(name, models)}")
        return models[name]

    return find_model
