"""Numbers and times in float32, in which models compute: refused where that would change what they say."""

import numpy as np

from hippo.errors import ConfigError


def in_float32(values: np.ndarray, place: object) -> np.ndarray:
    """Return numbers in float32.

    Parameters
    ----------
    values : ndarray
        Numbers, NaN among them if the model reads NaN.
    place : object
        Where they come from, for the message.

    Raises
    ------
    ConfigError
        If one is infinite in float32.
    """
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float32)
    if np.isinf(rounded).any():
        raise ConfigError(f"{place}: {values[np.isinf(rounded)][0]:g} is too large for the float32 numbers of a model")
    return rounded


def times_in_float32(times: np.ndarray, place: object) -> np.ndarray:
    """Return the times of one sequence (length,) in float32.

    Raises
    ------
    ConfigError
        If times that increase would become equal, or one is infinite in float32.
    """
    rounded = in_float32(times, place)
    if (np.diff(times) > 0)[np.diff(rounded) <= 0].any():
        raise ConfigError(f"{place}: times from {times[0]:.17g} are equal in float32; subtract the start")
    return rounded
