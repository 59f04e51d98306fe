import numpy as np
import pytest

from hippo.data.float32 import in_float32, times_in_float32
from hippo.errors import ConfigError

LARGEST = float(np.finfo(np.float32).max)


def test_what_float32_holds_is_kept():
    values = np.array([[0.1, np.nan], [-LARGEST, 3.0]])
    found = in_float32(values, "here")
    assert found.dtype == np.float32 and np.array_equal(found, np.float32(values), equal_nan=True)


def test_what_is_too_large_is_refused():
    with pytest.raises(ConfigError, match="here: 1e\\+300 is too large"):
        in_float32(np.array([1.0, 1e300]), "here")


def test_times_that_become_equal_are_refused():
    """Neighbors in float32 at 2^24 differ by 2."""
    start = 2.0**24
    with pytest.raises(ConfigError, match="here: times from 16777216 are equal in float32; subtract the start"):
        times_in_float32(start + np.arange(4.0), "here")
    assert times_in_float32(start + 2 * np.arange(4.0), "here").tolist() == (start + 2 * np.arange(4)).tolist()
    assert times_in_float32(np.array([1.0, 1.0, 2.0]), "here").tolist() == [1, 1, 2]  # equal before, too
