"""The impulse."""

import numpy as np
import pytest

from hippo.data.impulse import Impulse


def test_an_impulse_has_the_area_1():
    options = Impulse(length=500, interval=0.01)
    inputs = options.build().parts["test"].inputs
    assert inputs.shape == (1, 500, 1) and inputs.dtype == np.float32
    assert inputs[0, 0, 0] == 100 and not inputs[0, 1:].any()
    assert options.oldest == pytest.approx(5)


def test_it_ends_after_the_windows():
    with pytest.raises(ValueError, match="200 steps of interval = 0.01 end at the age 2; expected more than 2"):
        Impulse(length=200, interval=0.01)
