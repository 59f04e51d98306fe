"""Spoken digits as a dataset: raw waveforms at one sampling rate, and tested at half and at twice that rate."""

import math
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from hippo.data.dataset import Dataset, DatasetOptions, Part
from hippo.data.spoken_digits.recordings import ARCHIVE, FOLDER, HZ, Recordings

# Repetitions of each speaker and digit. The official test set is the recordings 0 to 4; the validation part is held
# out of the official train set.
REPETITIONS = {"train": range(10, 50), "validation": range(5, 10), "test": range(5)}
RATES = {"half_rate": 0.5, "double_rate": 2.0}


class SpokenDigits(DatasetOptions):
    """Raw waveforms of ten spoken digits, padded at their end to the longest of a part.

    The small real counterpart of the Speech Commands experiment of the second paper: ten words of one speaker out of
    six instead of 35 words of thousands of speakers. Inputs have shape (samples, length, 1), float32, divided by the
    standard deviation over the train part. Targets have shape (samples,), int64. Every part has true lengths.

    Train, validation and test are sampled at `hz`. The parts `half_rate` and `double_rate` are the test recordings at
    half and at twice that rate. Recordings are published at 8 kHz and are resampled by polyphase filtering
    (`scipy.signal.resample_poly`).

    Attributes
    ----------
    hz : int, default 8000
        Sampling rate of train, validation and test, from 1000 to 48000, in Hz.
    seconds : float, optional
        Longer recordings are cut at this time, in seconds. Default: none is cut; the longest has 2.3 seconds.
    timestamps : bool, default False
        If True, `Part.times` has shape (samples, length), float32: the time of each sample in seconds.
    samples : int, optional
        Recordings per part, at most; every digit is in turn, then every speaker. Default: all, which are 2400, 300
        and 300.
    """

    task: ClassVar[str] = "resampled_classification"
    user_supplied: ClassVar[bool] = True
    test_options: ClassVar[dict[str, Any]] = {"samples": 60, "seconds": 0.2}

    hz: Annotated[int, Field(ge=1000, le=48_000)] = HZ
    seconds: Annotated[float, Field(ge=0.01)] | None = None
    timestamps: bool = False
    samples: Annotated[int, Field(ge=10)] | None = None

    def fetch(self, sources) -> dict[str, str]:
        """Download the archive of the recordings into the cache (`DatasetOptions.fetch`)."""
        found = sources.load(ARCHIVE, FOLDER)
        paths = found.paths if len(found.paths) == 1 else [found.paths[0].parent]
        return {str(path): found.origin for path in paths}

    def build(self, sources) -> Dataset:
        """Build the parts train, validation, test, half_rate and double_rate (`DatasetOptions.build`)."""
        recordings = sources.load(ARCHIVE, FOLDER).content
        chosen = {
            name: np.flatnonzero(np.isin(recordings.repetitions, numbers))[: self.samples]
            for name, numbers in REPETITIONS.items()
        }
        waves = {name: self._waveforms(recordings, indices, self.hz) for name, indices in chosen.items()}
        spread = np.concatenate(waves["train"]).std()
        for name, factor in RATES.items():
            chosen[name] = chosen["test"]
            waves[name] = self._waveforms(recordings, chosen["test"], self.hz * factor)
        parts = {
            name: self._part(waves[name], recordings.digits[indices], spread, self.hz * RATES.get(name, 1))
            for name, indices in chosen.items()
        }
        return Dataset(parts, classes=10, source="spoken digits (Free Spoken Digit Dataset)")

    def sampling_ratios(self) -> dict[str, float]:
        """Return the time between samples of each part relative to the train part (`DatasetOptions.sampling_ratios`).

        Returns
        -------
        dict of float
            2 for `half_rate`, 0.5 for `double_rate`.
        """
        return {name: 1 / factor for name, factor in RATES.items()}

    def _waveforms(self, recordings: Recordings, indices: np.ndarray, hz: float) -> list[np.ndarray]:
        """Recordings at a sampling rate, cut at `seconds`, each (length,), float64."""
        longest = None if self.seconds is None else max(1, int(self.seconds * HZ))
        return [resample(recordings.waveforms[index][:longest].astype(float), hz) for index in indices]

    def _part(self, waveforms: list[np.ndarray], digits: np.ndarray, spread: float, hz: float) -> Part:
        """Padded waveforms divided by `spread`, with their digits and lengths."""
        lengths = np.array([len(waveform) for waveform in waveforms])
        inputs = np.zeros((len(waveforms), lengths.max(), 1), dtype=np.float32)
        for padded, waveform in zip(inputs, waveforms, strict=True):
            padded[: len(waveform), 0] = waveform / spread
        times = np.tile((np.arange(inputs.shape[1]) / hz).astype(np.float32), (len(inputs), 1))
        return Part(inputs, digits, times if self.timestamps else None, lengths)


def resample(waveform: np.ndarray, hz: float) -> np.ndarray:
    """Resample a recording from 8 kHz.

    Parameters
    ----------
    waveform : ndarray, shape (length,), float64
        Samples at 8 kHz.
    hz : float
        New sampling rate, a multiple of 0.5.

    Returns
    -------
    ndarray, shape (ceil(length * hz / 8000),), float64
    """
    from scipy.signal import resample_poly

    up, down = int(2 * hz), 2 * HZ
    common = math.gcd(up, down)
    return waveform if up == down else resample_poly(waveform, up // common, down // common)
