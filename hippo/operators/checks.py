"""Checks of numeric arguments, with messages that name the argument."""

from operator import index

import numpy as np


def check_integer(name: str, value, least: float = 1) -> int:
    """Return an integer argument as `int`.

    Parameters
    ----------
    name : str
        Name of the argument, for error messages.
    value : int
        The argument: anything that has ``__index__``, except booleans.
    least : float, default 1
        Smallest value that is accepted; -inf for any integer.

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


def check_even(name: str, value) -> int:
    """Return the number of states of a system whose states are pairs as `int`.

    Parameters
    ----------
    name : str
        Name of the argument, for error messages.
    value : int
        The argument: anything that has ``__index__``, except booleans.

    Returns
    -------
    int

    Raises
    ------
    TypeError
        If `value` is not an integer.
    ValueError
        If `value` is odd or below 2.
    """
    number = check_integer(name, value, least=-np.inf)
    if number < 2 or number % 2:
        use = "2" if number < 2 else f"{number - 1} or {number + 1}"
        raise ValueError(f"{name} must be even and at least 2, because the states are pairs, got {number}: use {use}")
    return number


def as_double(values) -> np.ndarray:
    """Return numbers as an array of complex128 if they are complex, and of float64 otherwise.

    Parameters
    ----------
    values : array_like
        Numbers.

    Returns
    -------
    ndarray
    """
    values = np.asarray(values)
    return np.asarray(values, dtype=np.complex128 if np.iscomplexobj(values) else np.float64)


def check_pair(A, B) -> tuple[np.ndarray, np.ndarray]:
    """Return the matrices of a system as arrays of float64, or of complex128 if they are complex.

    Parameters
    ----------
    A : array_like, shape (N, N)
    B : array_like, shape (N,)

    Returns
    -------
    A : ndarray, shape (N, N)
    B : ndarray, shape (N,)

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    A, B = as_double(A), as_double(B)
    if A.ndim != 2 or A.shape != (len(A), len(A)) or B.shape != (len(A),):
        raise ValueError(f"expected A (N, N) and B (N,), got {A.shape} and {B.shape}")
    return A, B
