"""Signals that ask a trial to stop."""

import signal

import pytest

from hippo.lab.training.interruption import SIGNALS, Interrupted, Interruption


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_is_noted_and_the_second_stops_at_once(number):
    before = [signal.getsignal(each) for each in SIGNALS]
    with Interruption() as interruption:
        interruption.check()
        signal.raise_signal(number)
        assert interruption.caught == number
        with pytest.raises(Interrupted, match=f"stopped by {number.name}") as error:
            interruption.check()
        assert error.value.code == 128 + number
        with pytest.raises(Interrupted, match="stopped by SIGTERM"):
            signal.raise_signal(signal.SIGTERM)
        assert interruption.caught == number
    assert [signal.getsignal(each) for each in SIGNALS] == before
