"""Errors that a user can cause, and what their messages suggest. Needs no other package."""

from collections.abc import Iterable
from difflib import get_close_matches
from importlib.util import find_spec


class ConfigError(ValueError):
    """A setting that cannot be used. The message names its place and what to write instead."""


class MissingExtraError(ImportError):
    """A package is not installed that belongs to an extra of hippo-lab. The message says how to install it."""


def closest(name: object, valid: Iterable[object]) -> str:
    """Return a clause that suggests a valid name.

    Parameters
    ----------
    name : object
        The name that was not found, as text.
    valid : iterable
        All valid names.

    Returns
    -------
    str
        The nearest valid name, whatever the case of its letters; all valid names if none is near; or that there are
        none.

    Examples
    --------
    >>> closest("LegS", ["legs", "legt"])
    "did you mean 'legs'?"
    """
    valid = sorted(str(v) for v in valid)
    if not valid:
        return "there are no valid names"
    folded = {v.casefold(): v for v in valid}
    match = get_close_matches(str(name).casefold(), folded, n=1, cutoff=0.5)
    return f"did you mean {folded[match[0]]!r}?" if match else f"valid: {', '.join(valid)}"


def closest_and_all(name: object, valid: Iterable[object], also: str = "") -> str:
    """Return a clause that suggests a valid name and lists all of them.

    Parameters
    ----------
    name : object
        The name that was not found, as text.
    valid : iterable
        All valid names, at least one.
    also : str, default ""
        Text after the list.

    Returns
    -------
    str

    Examples
    --------
    >>> closest_and_all("LegS", ["legs", "lagt"])
    "did you mean 'legs'? (valid: legs, lagt)"
    """
    names = [str(v) for v in valid]
    hint, everything = closest(name, names), f"valid: {', '.join(names)}{also}"
    return everything if hint.startswith("valid") else f"{hint} ({everything})"


def require_extra(extra: str, *modules: str, needed_by: str) -> None:
    """Check that the packages of an extra are installed, without importing them.

    Parameters
    ----------
    extra : str
        Name of the extra, as in ``pip install 'hippo-lab[nn]'``.
    *modules : str
        Top-level modules of its packages.
    needed_by : str
        What needs them, for the message.

    Raises
    ------
    MissingExtraError
        If one is not installed.

    Examples
    --------
    >>> require_extra("nn", "no_such_module", needed_by="hippo.nn")
    Traceback (most recent call last):
    hippo.errors.MissingExtraError: hippo.nn needs no_such_module: pip install 'hippo-lab[nn]'
    """
    for module in modules:
        if find_spec(module) is None:
            raise MissingExtraError(missing_extra(needed_by, module, extra), name=module)


def missing_extra(needed_by: str, module: str, extra: str) -> str:
    """Return the message that `needed_by` needs a module of an extra."""
    return f"{needed_by} needs {module}: pip install 'hippo-lab[{extra}]'"
