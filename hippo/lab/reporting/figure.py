"""Figures: declared in one file each and found in the entry-point group `hippo.figures`.

Neither this module nor a figure's file may import matplotlib, pandas or torch at its top: the workflow reads the
declarations before any job starts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hippo import registry

if TYPE_CHECKING:
    from hippo.lab.plan.experiment import Experiment
    from hippo.lab.results.results import Results


@dataclass(frozen=True)
class Figure:
    """Declaration of one figure.

    Parameters
    ----------
    title : str
        Name in Snakemake's report.
    caption : str
        What the figure shows, in sentences.
    needs : "results", "memories" or "benchmark"
        What `plot` receives: the results of an experiment, None, or the path of a benchmark file.
    plot : callable
        (source, out) -> None. Writes `out`.png and `out`.svg, with a `out`.csv if the numbers are nowhere else. The
        suffix of `out` is replaced.
    applies : callable
        (experiment) -> whether an experiment has the figure. For a figure of the memories: whether a report that
        contains the experiment has it. By default every experiment.
    file : Path, optional
        The benchmark file that `plot` receives by default; only for needs="benchmark".
    test_options : mapping
        Keyword arguments of `plot` with which it takes less than a second; for tests.
    """

    title: str
    caption: str
    needs: Literal["results", "memories", "benchmark"]
    plot: Callable[..., None]
    applies: "Callable[[Experiment], bool]" = lambda experiment: True
    file: Path | None = None
    test_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        if (self.file is not None) != (self.needs == "benchmark"):
            raise ValueError(f"figure {self.title!r}: state file if, and only if, needs is 'benchmark'")

    def belongs_to(self, experiment: "Experiment") -> bool:
        """Return whether the report on an experiment has this figure. A sweep has only its own figure."""
        if self.needs == "results" and experiment.spec.sweep:
            return False
        return self.applies(experiment)


def available_figures() -> dict[str, Figure]:
    """Return all registered figures by name, in alphabetical order."""
    return {name: find_figure(name) for name in registry.names("figures")}


def find_figure(name: str) -> Figure:
    """Return the registered figure called `name`; ConfigError for any other name, with the closest one."""
    return registry.find("figures", name, "hippo figure")


def plot_figure(name: str, source: "Results | Path | None", out: Path) -> None:
    """Plot a registered figure.

    Parameters
    ----------
    name : str
        Registered name.
    source : Results, Path or None
        What the figure needs (`Figure.needs`).
    out : Path
        The file; its suffix is replaced.
    """
    find_figure(name).plot(source, out)
