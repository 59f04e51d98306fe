"""Delay: the input of some steps ago, at every step of a noise signal."""

from typing import Any, ClassVar

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from hippo.data.band_limited_noise import BandLimitedNoise, FrozenTask, LinearStates
from hippo.data.dataset import Dataset, Part
from hippo.data.synthetic import SyntheticDataset


class DelayedNoise(BandLimitedNoise):
    """Band-limited noise up to half the highest frequency that its sampling rate allows, and a lag.

    Attributes
    ----------
    lag : int, default 1000
        Samples between an input and the step at which it is the target.
    interval, band_limit : float, default 1/4000 s and 1000 Hz
        As in `BandLimitedNoise`.
    """

    interval: PositiveFloat = Field(1 / 4000, description="time between samples, seconds")
    band_limit: PositiveFloat = Field(1000.0, description="highest frequency, Hz")
    lag: PositiveInt = Field(1000, description="samples between an input and the step at which it is the target")

    @model_validator(mode="after")
    def _lag_fits(self):
        if self.lag >= self.length:
            raise ValueError(f"lag = {self.lag} leaves no target in length = {self.length}")
        return self


class Delay(DelayedNoise, SyntheticDataset):
    """Output the input of `lag` steps ago, at every step; 0 before there is one.

    Inputs and targets have shape (samples, length, 1), float32. The first sample of each signal is subtracted from it.

    References
    ----------
    Gu et al. 2022, arXiv 2206.12037, section 4.1: the continuous delay task, one second at 4000 Hz, band limit 1000 Hz,
    delay 1000 samples; and the published configuration: rms 0.5, 16,384 new signals in every epoch.
    """

    task: ClassVar[str] = "regression"
    test_options: ClassVar[dict[str, Any]] = {"length": 80, "lag": 9, "train_samples": 20, "eval_samples": 5}
    test_options |= {"band_limit": 500.0}

    def build(self, sources=None) -> Dataset:
        """Generate the dataset. `sources` is not used."""
        return Dataset(self.parts(), classes=None, source=f"delay task, seed {self.seed}")

    def part(self, seed: list[int], samples: int) -> Part:
        """Generate one part (`SyntheticDataset.part`)."""
        signals = self.noise(seed, samples)[:, :, None]
        signals -= signals[:, :1].copy()
        targets = np.zeros_like(signals)
        targets[:, self.lag :] = signals[:, : -self.lag]
        return Part(signals, targets)


class FrozenDelay(DelayedNoise, FrozenTask):
    """`Delay` for the readout of states that are not trained, in the steady state, with the test part only.

    The noise repeats after its length, and has done so always: no transient is left, and every step is asked. The
    first sample is not subtracted, which would only add a constant.
    """

    title: ClassVar[str] = "frozen delay task"
    test_options: ClassVar[dict[str, Any]] = {"length": 80, "lag": 9, "samples": 5, "band_limit": 500.0}

    def test_part(self) -> Part:
        """Generate the test signals, and the same signals `lag` steps later."""
        signals = self.noise([self.seed, 2], self.samples)[:, :, None]
        return Part(signals, np.roll(signals, self.lag, axis=1))

    def coordinates(self, states: LinearStates) -> tuple[np.ndarray, np.ndarray]:
        """Return states and target at one step in coordinates of the noise (`FrozenTask.coordinates`)."""
        amplitudes = np.concatenate([states.responses(self.angles), np.exp(-1j * self.lag * self.angles)[None]])
        amplitudes *= self.rms / np.sqrt(self.cycles)
        both = np.concatenate([amplitudes.real, amplitudes.imag], axis=1)
        return both[:-1], both[-1:]

    def predict(self, readout: np.ndarray, states: LinearStates, inputs: np.ndarray) -> np.ndarray:
        """Return the outputs (samples, length, 1) at all steps."""
        spectrum = np.fft.rfft(inputs, axis=1)
        spectrum[:, 0] = spectrum[:, self.cycles + 1 :] = 0  # rounding of the inputs
        spectrum[:, 1 : self.cycles + 1] *= readout[0] @ states.responses(self.angles)
        return np.fft.irfft(spectrum, self.length, axis=1)[:, :, None]
