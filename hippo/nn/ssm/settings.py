"""Checks of the settings of S4 layers, shared by the modules and by their options. Free of torch."""

import math
from collections.abc import Collection
from numbers import Real

from hippo.errors import closest, closest_and_all
from hippo.operators import STRUCTURED, is_diagonal
from hippo.operators.checks import check_even, check_integer, check_positive

TRAINABLE = ("A", "B", "C", "D", "step")
DISCRETIZATIONS = ("bilinear", "zoh")


def split_measure(measure: str) -> tuple[str, ...]:
    """Return the names of the systems in a measure.

    Parameters
    ----------
    measure : str
        One name of `hippo.operators.STRUCTURED`, or a mixture of several, such as "legs+fout".

    Returns
    -------
    tuple of str

    Raises
    ------
    ValueError
        If a name is unknown.

    Examples
    --------
    >>> split_measure("legs+fout")
    ('legs', 'fout')
    """
    names = tuple(name.strip() for name in str(measure).split("+"))
    for name in names:
        if name not in STRUCTURED:
            valid = closest_and_all(name, STRUCTURED, ", or a mixture such as legs+fout")
            raise ValueError(f"measure = {measure!r}: no system is called {name!r}; {valid}")
    return names


def is_number(value: object, below: float = math.inf) -> bool:
    """Return whether a setting is a real number from 0 to below another one.

    Parameters
    ----------
    value : object
        The setting.
    below : float, default infinity
        The other number.
    """
    return isinstance(value, Real) and 0 <= float(value) < below


def check_settings(
    features: int,
    state_size: int,
    measure: str,
    dt_min: float,
    dt_max: float,
    n_ssm: int | None,
    discretization: str,
    frozen: Collection[str],
) -> None:
    """Check the settings of a state space.

    Parameters
    ----------
    features, state_size, measure, dt_min, dt_max, n_ssm, discretization, frozen
        As in `hippo.nn.ssm.system.StateSpace`.

    Raises
    ------
    ValueError
        If a value cannot be used, or values contradict each other. The message names them.
    TypeError
        If a value has the wrong type.
    """
    features = check_integer("hidden_size", features)
    check_even("state_size", state_size)
    names = split_measure(measure)
    low, high = check_positive("dt_min", dt_min), check_positive("dt_max", dt_max)
    if low > high:
        raise ValueError(f"dt_min = {dt_min} is larger than dt_max = {dt_max}: exchange them")
    copies = len(names) if n_ssm is None else check_integer("n_ssm", n_ssm)
    if copies % len(names):
        raise ValueError(
            f"n_ssm = {copies}: the mixture {measure!r} gives each of its {len(names)} systems the same number of "
            f"copies; use a multiple of {len(names)}"
        )
    if copies > features:
        raise ValueError(
            f"{copies} copies of A and B (n_ssm, or one for each system of {measure!r}) are more than "
            f"hidden_size = {features}: use at most one per feature"
        )
    if discretization not in DISCRETIZATIONS:
        raise ValueError(
            f"discretization = {discretization!r}: an S4 layer has {' and '.join(DISCRETIZATIONS)}; use one of them"
        )
    if discretization == "zoh" and not all(map(is_diagonal, names)):
        raise ValueError(
            f"discretization = 'zoh' needs a diagonal system, but {measure!r} has a low-rank term: use bilinear, or "
            "a measure whose name begins with diag_"
        )
    if isinstance(frozen, str) or not isinstance(frozen, Collection):
        example = frozen if isinstance(frozen, str) else "A"
        raise TypeError(f"frozen = {frozen!r}: expected a collection of names, such as ({example!r},)")
    for name in frozen:
        if name not in TRAINABLE:
            raise ValueError(
                f"frozen contains {name!r}; {closest(name, TRAINABLE)}; choose from {', '.join(TRAINABLE)}"
            )
