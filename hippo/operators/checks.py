"""Checks of numeric arguments, with messages that name the argument."""

from operator import index

import numpy as np


def check_integer(name: str, value, least: int = 1) -> int:
    """Return an integer argument as `int`.

    Parameters
    ----------
    name : str
        Name of the argument, for error messages.
    value : int
        The argument: anything that has ``__index__``, except booleans.
    least : int, default 1
        Smallest value that is accepted.

    Returns
    -------
    int

    Raises
    ------
    TypeError
        If `value` is not an integer.
    ValueError
        If `value` is below `least`.
    """
    try:
        number = None if isinstance(value, bool | np.bool_) else index(value)
    except TypeError:
        number = None
    if number is None:
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {number}")
    return number


def check_positive(name: str, value, unit: str = "") -> float:
    """Return a positive finite argument as `float`.

    Parameters
    ----------
    name : str
        Name of the argument, for error messages.
    value : float
        The argument: anything that `float` converts, except strings and booleans.
    unit : str, optional
        Unit of the argument, for error messages.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If `value` is not a number.
    ValueError
        If `value` is not positive and finite.
    """
    unit = unit and f" of {unit}"
    try:
        number = None if isinstance(value, str | bytes | bool | np.bool_) else float(value)
    except (TypeError, ValueError):
        number = None
    if number is None:
        raise TypeError(f"{name} must be a positive number{unit}, got {value!r} of type {type(value).__name__}")
    if not (np.isfinite(number) and number > 0):
        raise ValueError(f"{name} must be a positive number{unit}, got {value!r}")
    return number
