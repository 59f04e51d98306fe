"""Models and datasets found by entry point, so that another package can bring its own.

What is registered is a torch-free block of options (`ModelOptions`, `DatasetOptions`): the workflow validates
hyperparameters while it parses its DAG, and only a job that trains imports the code behind them.
"""

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from hippo.config import ConfigError, Options, closest


@cache
def _registered(group: str) -> dict[str, EntryPoint]:
    """Entry points of `group` by name; asked once, for each answer reads the metadata of every installed package."""
    return {entry.name: entry for entry in sorted(entry_points(group=f"hippo.{group}"))}


def names(group: str) -> list[str]:
    """Registered names of `group` ("models", "classifiers" or "datasets"), sorted."""
    return list(_registered(group))


def find(group: str, name: str, where: str) -> type[Options]:
    """The registered option class called `name`; ConfigError names `where` and the closest registered name."""
    if name not in names(group):
        kind = group.removesuffix("s")
        raise ConfigError(f"{where}: unknown {kind} {name!r}; {closest(name, names(group))}")
    return _registered(group)[name].load()
