"""Band-limited Gaussian white noise, the input of the function-reconstruction experiment."""

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from hippo.data.dataset import Dataset, DatasetOptions, Part


class WhiteNoise(DatasetOptions):
    """One signal of `samples` steps with a flat spectrum of `cycles` harmonics of its whole length.

    The one part "test" holds inputs (1, samples, 1) float32 of zero mean and unit RMS; the input is its own
    target. At a sample step of dt seconds the cutoff is cycles / (samples dt) Hz: 88 Hz where the 10^6
    samples are one second.

    The paper (HiPPO, section 4.3) does not give its cutoff. The default is the one at which order 256 has a
    mean squared error near the paper's 0.02. A harmonic e^{i pi k x} on [-1, 1] has the Legendre
    coefficients i^n sqrt(2n + 1) j_n(pi k), j_n the spherical Bessel functions, so the optimal projection
    of order N is expected to lose the share (1/K) sum_{k <= K} (1 - sum_{n < N} (2n + 1) j_n(pi k)^2) of
    such noise with K cycles (`expected_projection_error`). For N = 256:

        cycles  80      84      86      87      88      89      90      92      100
        error   0.0001  0.0063  0.0132  0.0171  0.0213  0.0254  0.0300  0.0392  0.0787

    One draw scatters about that by a standard deviation of 0.013 at 88 cycles, being dominated by its last
    few harmonics; the default seed's is 0.018. LegS itself is within 1e-6 of the optimum at 10^6 samples.
    """

    task: ClassVar[str] = "reconstruction"

    samples: Annotated[int, Field(ge=2)] = 1_000_000
    cycles: PositiveInt = 88
    seed: NonNegativeInt = 1

    @model_validator(mode="after")
    def _below_nyquist(self):
        if 2 * self.cycles >= self.samples:
            raise ValueError(f"cycles = {self.cycles} needs more than {2 * self.cycles} samples, got {self.samples}")
        return self

    def fetch(self, sources) -> dict[str, str]:
        """Nothing: the noise is computed."""
        return {}

    def build(self, sources=None) -> Dataset:
        """The signal that these options describe."""
        signal = white_noise(self.samples, self.cycles, self.seed).astype(np.float32)
        return Dataset(
            parts={"test": Part(inputs=signal.reshape(1, -1, 1))},
            classes=None,
            source=f"Gaussian white noise, {self.cycles} cycles, seed {self.seed}",
        )


def white_noise(samples: int, cycles: int, seed: int) -> np.ndarray:
    """Gaussian noise (samples,) float64, unit RMS: harmonics 1 … cycles with independent normal coefficients.

    The inverse real FFT of a flat random spectrum, as in Voelker et al., Legendre Memory Units (2019).
    """
    spectrum = np.zeros(samples // 2 + 1, dtype=complex)
    real, imaginary = np.random.default_rng(seed).standard_normal((2, cycles))
    spectrum[1 : cycles + 1] = real + 1j * imaginary
    signal = np.fft.irfft(spectrum, samples)
    return signal / np.sqrt(np.mean(signal**2))


def expected_projection_error(cycles: int, order: int) -> float:
    """Mean over all draws of the mean squared error of the best polynomial of degree order − 1."""
    from scipy.special import spherical_jn

    degree = np.arange(order)
    captured = [np.sum((2 * degree + 1) * spherical_jn(degree, np.pi * k) ** 2) for k in range(1, cycles + 1)]
    return float(1 - np.mean(captured))
