"""Spoken digits: the waveforms of the Free Spoken Digit Dataset."""

from hippo.data.spoken_digits.dataset import SpokenDigits

__all__ = ["SpokenDigits"]
