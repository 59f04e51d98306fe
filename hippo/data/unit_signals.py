"""Unit signals: inputs of mean square 1, on which the scale of a layer's output is measured."""

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from hippo.data.band_limited_noise import BandLimitedNoise
from hippo.data.dataset import Dataset, Part
from hippo.data.generated_dataset import GeneratedDataset


class UnitSignals(BandLimitedNoise, GeneratedDataset):
    """Noise of mean square 1, or the constant 1. The only part, "test", has inputs (samples, length, 1), float32.

    Time is in the unit of the systems that read the signals: `interval` is their step.

    Attributes
    ----------
    signal : {"noise", "constant"}, default "noise"
        Kind of signal. `band_limit` and `rms` are for noise only.
    samples : int, default 256
        Number of signals.
    seed : int, default 0
        Seed of the noise.
    """

    task: ClassVar[str] = "normalization"
    test_options: ClassVar[dict[str, Any]] = {"length": 50, "interval": 0.05, "band_limit": 4.0, "samples": 5}

    signal: Literal["noise", "constant"] = Field("noise", description="kind of signal")
    length: Annotated[int, Field(ge=4)] = 5000
    interval: PositiveFloat = Field(2e-3, description="step, in the unit of time of the systems")
    band_limit: PositiveFloat = Field(10.0, description="highest frequency, cycles per unit of time")
    rms: PositiveFloat = Field(1.0, description="root of the expected square of a sample")
    samples: PositiveInt = Field(256, description="number of signals")
    seed: NonNegativeInt = 0

    @model_validator(mode="after")
    def _check_rms(self):
        if self.signal == "constant" and self.rms != 1:
            raise ValueError("rms is an option of noise; a constant signal is 1")
        return self

    def build(self, sources=None) -> Dataset:
        """Generate the dataset. `sources` is not used."""
        if self.signal == "noise":
            inputs = self.noise([self.seed, 2], self.samples)
        else:
            inputs = np.ones((self.samples, self.length), np.float32)
        source = f"unit signals, {self.signal}, seed {self.seed}"
        return Dataset({"test": Part(inputs[:, :, None])}, classes=None, source=source)
