"""Components that are found through entry points, so that another package can add its own.

Models, classifiers and datasets are registered as torch-free classes of options: the workflow validates options while
it plans its jobs, and only a job that trains imports the code behind them. Tasks and figures are registered as
instances of `hippo.lab.plan.task.Task` and `hippo.lab.reporting.figure.Figure`.
"""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Literal, overload

from hippo.errors import ConfigError, closest

if TYPE_CHECKING:
    from hippo.config import Options

GROUPS = ("models", "classifiers", "datasets", "tasks", "figures")


@cache
def _registered(group: str) -> dict[str, EntryPoint]:
    """Entry points of a group by name. Cached, because a query reads the metadata of every installed package."""
    return {entry.name: entry for entry in sorted(entry_points(group=f"hippo.{group}"))}


def names(group: str) -> list[str]:
    """Return the registered names of a group.

    Parameters
    ----------
    group : {"models", "classifiers", "datasets", "tasks", "figures"}
        The part of the entry-point group after "hippo.".

    Returns
    -------
    list of str
        Sorted names.

    Raises
    ------
    ValueError
        If there is no such group.

    Examples
    --------
    >>> "legs" in names("models")
    True
    """
    if group not in GROUPS:
        raise ValueError(f"unknown group {group!r}; {closest(group, GROUPS)}")
    return list(_registered(group))


@overload
def find(group: Literal["models", "classifiers", "datasets"], name: str, where: str) -> "type[Options]": ...


@overload
def find(group: str, name: str, where: str) -> Any: ...


def find(group: str, name: str, where: str) -> Any:
    """Import a registered component.

    Parameters
    ----------
    group : {"models", "classifiers", "datasets", "tasks", "figures"}
        The part of the entry-point group after "hippo.".
    name : str
        Name of the component.
    where : str
        Place that the name comes from, for error messages: a file and a key.

    Returns
    -------
    type or object
        For models, classifiers and datasets a subclass of `hippo.config.Options`; for tasks and figures an instance
        of `Task` or `Figure`.

    Raises
    ------
    ConfigError
        If the name is not registered. The message names `where` and the nearest registered name.
    ValueError
        If there is no such group.
    """
    if name not in names(group):
        kind = group.removesuffix("s")
        raise ConfigError(f"{where}: unknown {kind} {name!r}; {closest(name, names(group))}")
    return _registered(group)[name].load()
