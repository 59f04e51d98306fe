"""Band-limited Gaussian noise: harmonics with independent normal coefficients.

A signal is a linear function of the coefficients of its harmonics. The expected square of everything that is linear in
the signal is therefore exact, and needs no samples.
"""

from functools import lru_cache
from typing import Annotated, ClassVar, Protocol

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from hippo.config import Options
from hippo.data.dataset import Dataset, Part
from hippo.data.generated_dataset import GeneratedDataset

ROUNDING = 1e-9  # of a number of harmonics
BLOCK = 512  # signals that are generated at once


class BandLimitedNoise(Options):
    """Options of band-limited noise.

    Attributes
    ----------
    length : int, default 4000
        Samples of a signal.
    interval : float, default 0.001
        Time between samples, in seconds.
    band_limit : float, default 100
        Highest frequency, in Hz. It is below half the sampling rate, and at least one cycle over the signal.
    rms : float, default 0.5
        Root of the expected square of a sample.
    """

    length: Annotated[int, Field(ge=4)] = 4000
    interval: PositiveFloat = Field(1e-3, description="time between samples, seconds")
    band_limit: PositiveFloat = Field(100.0, description="highest frequency, Hz")
    rms: PositiveFloat = Field(0.5, description="root of the expected square of a sample")

    @model_validator(mode="after")
    def _harmonics_fit(self):
        if not 1 <= self.cycles <= (self.length - 1) // 2:
            raise ValueError(
                f"band_limit = {self.band_limit} Hz is {self.cycles} harmonics of {self.length} samples of "
                f"{self.interval} s; choose a band limit of 1 to {(self.length - 1) // 2} harmonics"
            )
        return self

    @property
    def cycles(self) -> int:
        """Number of harmonics: multiples of one cycle over the signal, up to the band limit."""
        return int(self.band_limit * self.length * self.interval + ROUNDING)

    @property
    def angles(self) -> np.ndarray:
        """Angles per step of the harmonics of the noise, in radians, shape (cycles,)."""
        return 2 * np.pi * np.arange(1, self.cycles + 1) / self.length

    def noise(self, seed: list[int], samples: int) -> np.ndarray:
        """Generate signals, shape (samples, length), float32."""
        generator = np.random.default_rng(seed)
        blocks = [min(BLOCK, samples - start) for start in range(0, samples, BLOCK)]
        signals = (band_limited_noise(block, self.length, self.cycles, self.rms, generator) for block in blocks)
        return np.concatenate([block.astype(np.float32) for block in signals])


class LinearStates(Protocol):
    """States of linear systems that read a signal."""

    def impulse_responses(self, length: int) -> np.ndarray:
        """Return the states (states, length) after an impulse, one step after another."""

    def responses(self, angles: np.ndarray) -> np.ndarray:
        """Return the complex amplitudes (states, angles) of the states for the inputs e^(i angle k) at all steps k."""


class FrozenTask(BandLimitedNoise, GeneratedDataset):
    """Base of datasets for the readout of states that are not trained: the part "test" only.

    Attributes
    ----------
    title : str
        Class attribute. Name of the task in titles of tables.
    samples : int, default 256
        Signals of the test part.
    seed : int, default 0
        Seed of these signals.
    """

    task: ClassVar[str] = "readout"
    title: ClassVar[str]

    samples: PositiveInt = Field(256, description="signals of the test part")
    seed: NonNegativeInt = 0

    def test_part(self) -> Part:
        """Generate the test signals and their targets."""
        raise NotImplementedError

    def build(self, sources=None) -> Dataset:
        """Generate the dataset. `sources` is not used."""
        return Dataset({"test": self.test_part()}, classes=None, source=f"{self.title}, seed {self.seed}")

    def coordinates(self, states: LinearStates) -> tuple[np.ndarray, np.ndarray]:
        """Return states and targets as linear functions of independent standard normal variables.

        Parameters
        ----------
        states : LinearStates
            The states.

        Returns
        -------
        states : ndarray, shape (states, variables)
        targets : ndarray, shape (targets, variables)
            The expected product of any two of these is the scalar product of their rows.
        """
        raise NotImplementedError

    def predict(self, readout: np.ndarray, states: LinearStates, inputs: np.ndarray) -> np.ndarray:
        """Apply a readout to the states that have read given signals.

        Parameters
        ----------
        readout : ndarray, shape (targets, states)
            Weights.
        states : LinearStates
            The states.
        inputs : ndarray, shape (samples, length)
            Signals.

        Returns
        -------
        ndarray
            In the shape of the targets of the part.
        """
        raise NotImplementedError


def band_limited_noise(
    samples: int, length: int, cycles: int, rms: float, generator: np.random.Generator
) -> np.ndarray:
    """Generate Gaussian noise with a flat spectrum of harmonics of the whole length.

    Parameters
    ----------
    samples : int
        Number of signals.
    length : int
        Samples of a signal.
    cycles : int
        Number of harmonics, less than length / 2. The frequency 0 is not among them.
    rms : float
        Root of the expected square of a sample.
    generator : numpy.random.Generator
        Source of the coefficients.

    Returns
    -------
    ndarray, shape (samples, length), float64

    References
    ----------
    White noise of Nengo, as in Voelker, Kajić and Eliasmith 2019 and in the published experiments of S4: normal
    coefficients, of which those above the band are set to 0 and the others scaled up to the same expected power.
    """
    spectrum = np.zeros((samples, length // 2 + 1), dtype=complex)
    cosines, sines = generator.standard_normal((2, samples, cycles)) * (rms * length / (2 * np.sqrt(cycles)))
    spectrum[:, 1 : cycles + 1] = cosines - 1j * sines
    return np.fft.irfft(spectrum, length)


@lru_cache(maxsize=1)
def harmonics(length: int, cycles: int, rms: float) -> np.ndarray:
    """Return the matrix that maps independent standard normal coefficients to band-limited noise.

    Parameters
    ----------
    length, cycles, rms
        As in `band_limited_noise`.

    Returns
    -------
    ndarray, shape (length, 2 cycles), float64, read-only
        Cosines and then sines, times rms / sqrt(cycles).
    """
    angle = 2 * np.pi * np.outer(np.arange(length), np.arange(1, cycles + 1)) / length
    matrix = np.concatenate([np.cos(angle), np.sin(angle)], axis=1) * (rms / np.sqrt(cycles))
    matrix.flags.writeable = False
    return matrix


def noise_coordinates(rows: np.ndarray, cycles: int, rms: float) -> np.ndarray:
    """Return linear functions of band-limited noise as functions of its independent standard normal coefficients.

    Parameters
    ----------
    rows : ndarray, shape (functions, length), float64
        Weights of the samples in each function.
    cycles, rms
        As in `band_limited_noise`.

    Returns
    -------
    ndarray, shape (functions, 2 cycles), float64
        `rows` times `harmonics`, by a Fourier transform.
    """
    spectrum = np.fft.rfft(rows, axis=1)[:, 1 : cycles + 1]
    return np.concatenate([spectrum.real, -spectrum.imag], axis=1) * (rms / np.sqrt(cycles))
