"""Models and datasets found by entry point, so that another package can bring its own.

What is registered is a torch-free block of options (`ModelConfig`, `DatasetConfig`): the workflow validates
hyperparameters while it parses its DAG, and only a job that trains imports the code behind them.
"""

from importlib.metadata import entry_points

from hippo.config import Config, ConfigError, closest


def names(group: str) -> list[str]:
    """Registered names of `group` ("models" or "datasets"), sorted."""
    return sorted({entry.name for entry in entry_points(group=f"hippo.{group}")})


def find(group: str, name: str, where: str) -> type[Config]:
    """The registered option class called `name`; ConfigError names `where` and the closest registered name."""
    matches = [entry for entry in entry_points(group=f"hippo.{group}") if entry.name == name]
    if not matches:
        kind = group.removesuffix("s")
        raise ConfigError(f"{where}: unknown {kind} {name!r}; {closest(name, names(group))}")
    return matches[0].load()
