"""Reconstruct: the last inputs of a noise signal, from what a model remembers at its end."""

from typing import Any, ClassVar

import numpy as np
from pydantic import Field, PositiveInt, model_validator

from hippo.data.band_limited_noise import BandLimitedNoise, FrozenTask, LinearStates, harmonics, noise_coordinates
from hippo.data.dataset import Dataset, Part
from hippo.data.synthetic import SyntheticDataset


class LastInputs(BandLimitedNoise):
    """Band-limited noise that begins at 0; the targets are its last `window` samples, oldest first.

    Attributes
    ----------
    window : int, default 1000
        Samples to reconstruct.
    """

    window: PositiveInt = Field(1000, description="samples to reconstruct, the last ones")

    @model_validator(mode="after")
    def _window_fits(self):
        if self.window >= self.length:
            raise ValueError(f"window = {self.window} does not fit into length = {self.length} with a sample before it")
        return self

    def part(self, seed: list[int], samples: int) -> Part:
        """Generate signals, from which the first sample is subtracted, and their last samples."""
        signals = self.noise(seed, samples)
        signals -= signals[:, :1].copy()
        return Part(signals[:, :, None], signals[:, -self.window :].copy())


class Reconstruct(LastInputs, SyntheticDataset):
    """Reconstruct the last `window` samples of band-limited noise from one output at its end.

    Inputs have shape (samples, length, 1) and targets (samples, window), float32. The constant answer 0 has an
    expected squared error of about 2 rms^2 if the window is far from the first sample, which is subtracted from each
    signal.

    References
    ----------
    Gu et al. 2022, arXiv 2206.12037, section 4.1: 4000 samples at 1 ms, band limit 100 Hz, the last 1000 samples; and
    the published configuration: rms 0.5, 16,384 new signals in every epoch, 1024 for evaluation.
    """

    task: ClassVar[str] = "regression"
    test_options: ClassVar[dict[str, Any]] = {"length": 60, "window": 10, "train_samples": 20, "eval_samples": 5}

    def build(self, sources=None) -> Dataset:
        """Generate the dataset. `sources` is not used."""
        return Dataset(self.parts(), classes=None, source=f"reconstruct task, seed {self.seed}")


class FrozenReconstruct(LastInputs, FrozenTask):
    """`Reconstruct` for the readout of states that are not trained, with the test part only."""

    title: ClassVar[str] = "frozen reconstruct task"
    test_options: ClassVar[dict[str, Any]] = {"length": 60, "window": 10, "samples": 5}

    def test_part(self) -> Part:
        """Generate the test signals and their last samples."""
        return self.part([self.seed, 2], self.samples)

    def coordinates(self, states: LinearStates) -> tuple[np.ndarray, np.ndarray]:
        """Return states at the last step and targets in coordinates of the noise (`FrozenTask.coordinates`)."""
        signal = harmonics(self.length, self.cycles, self.rms)  # (L, variables)
        last = states.impulse_responses(self.length)[:, ::-1]
        # The first sample, which is subtracted from all, is row 0.
        states_of_noise = noise_coordinates(last, self.cycles, self.rms)
        return states_of_noise - np.outer(last.sum(axis=1), signal[0]), signal[-self.window :] - signal[0]

    def predict(self, readout: np.ndarray, states: LinearStates, inputs: np.ndarray) -> np.ndarray:
        """Return the reconstruction (samples, window) from the states at the last step."""
        return inputs @ states.impulse_responses(self.length)[:, ::-1].T @ readout.T
