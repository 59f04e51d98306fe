"""Mackey–Glass prediction: a chaotic delay differential equation, some steps ahead (Mackey, Glass 1977)."""

from typing import ClassVar

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from hippo.data.dataset import Dataset, Part
from hippo.data.synthetic import SyntheticDataset

DECAY, GAIN, POWER = 0.1, 0.2, 10
SUBSTEPS = 10  # of the solver per sample
SETTLING = 500  # samples until a random history has fallen onto the attractor


class MackeyGlass(SyntheticDataset):
    """Trajectories of x' = 0.2 x(t - tau) / (1 + x(t - tau)^10) - 0.1 x, of which x is asked `horizon` steps ahead.

    inputs (samples, length, 1) float32, one sample per unit of time, less 1, near their mean; targets (samples,
    length, 1) float32, the same `horizon` later. Each trajectory starts from a random history. The task of Voelker et
    al. (Legendre Memory Units, 2019), section 3.3, has tau 17 and horizon 15.
    """

    task: ClassVar[str] = "regression"

    length: PositiveInt = Field(500, description="samples of a trajectory that are read")
    horizon: PositiveInt = Field(15, description="samples ahead that are to be predicted")
    tau: PositiveInt = Field(17, description="delay, in samples")
    train_samples: PositiveInt = Field(128, description="trajectories to train on")
    eval_samples: PositiveInt = Field(64, description="trajectories of the validation and of the test part")

    def build(self, sources=None) -> Dataset:
        """The trajectories that these options describe."""
        return Dataset(self.parts(), classes=None, source=f"Mackey–Glass equation, seed {self.seed}")

    def part(self, seed: list[int], samples: int) -> Part:
        """As `SyntheticDataset.part`."""
        history = np.random.default_rng(seed).uniform(0.2, 1.4, size=(samples, 1))
        x = trajectories(history, self.tau, SETTLING + self.length + self.horizon, SUBSTEPS)[:, SETTLING:] - 1
        x = x.astype(np.float32)[:, :, None]
        return Part(x[:, : self.length], np.ascontiguousarray(x[:, self.horizon :]))


def trajectories(history: np.ndarray, tau: PositiveFloat, steps: int, substeps: int) -> np.ndarray:
    """x (samples, steps) float64 at times 1, 2, …, from x = history (samples, 1) at all times up to 0.

    The decay is integrated exactly and the delayed term by the trapezoidal rule: second order in 1 / substeps.
    """
    lag, h = tau * substeps, 1 / substeps
    kept = np.exp(-DECAY * h)
    weight = (1 - kept) / DECAY
    x = np.repeat(history, lag + 1 + steps * substeps, axis=1)
    drive = GAIN * x / (1 + x**POWER)
    for n in range(lag, lag + steps * substeps):
        x[:, n + 1] = kept * x[:, n] + weight * (drive[:, n - lag] + drive[:, n + 1 - lag]) / 2
        drive[:, n + 1] = GAIN * x[:, n + 1] / (1 + x[:, n + 1] ** POWER)
    return x[:, lag + substeps :: substeps]
