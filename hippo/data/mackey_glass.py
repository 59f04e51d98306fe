"""Mackey–Glass prediction: a chaotic delay differential equation, predicted some steps ahead."""

from typing import Any, ClassVar

import numpy as np
from pydantic import Field, PositiveInt

from hippo.data.dataset import Dataset, Part
from hippo.data.synthetic import SyntheticDataset

DECAY, GAIN, POWER = 0.1, 0.2, 10
SUBSTEPS = 10  # solver steps per sample
SETTLING = 500  # samples that are dropped: the trajectory then is on the attractor


class MackeyGlass(SyntheticDataset):
    """Trajectories of x' = 0.2 x(t - tau) / (1 + x(t - tau)^10) - 0.1 x, to be predicted `horizon` samples ahead.

    Inputs have shape (samples, length, 1), float32: x - 1 (the mean of x is near 1), one sample per unit of time.
    Targets have the same shape and dtype: the inputs `horizon` samples later. Each trajectory starts from a random
    constant history, uniform on [0.2, 1.4).

    Attributes
    ----------
    length : int, default 500
        Samples of a trajectory that are read.
    horizon : int, default 15
        Samples from an input to its target.
    tau : int, default 17
        Delay, in samples.
    train_samples, eval_samples : int, default 128 and 64
        Trajectories in the train part, and in each of the other parts.

    References
    ----------
    M. C. Mackey, L. Glass, Oscillation and chaos in physiological control systems, Science 197, 1977.
    A. Voelker, I. Kajić, C. Eliasmith, Legendre Memory Units, NeurIPS 2019, section 3.3: tau 17, horizon 15.
    """

    task: ClassVar[str] = "regression"
    test_options: ClassVar[dict[str, Any]] = {"length": 30, "train_samples": 6, "eval_samples": 3}

    length: PositiveInt = Field(500, description="samples of a trajectory that are read")
    horizon: PositiveInt = Field(15, description="samples from an input to its target")
    tau: PositiveInt = Field(17, description="delay, in samples")
    train_samples: PositiveInt = Field(128, description="trajectories in the train part")
    eval_samples: PositiveInt = Field(64, description="trajectories in the validation part, and in the test part")

    def build(self, sources=None) -> Dataset:
        """Generate the dataset. `sources` is not used."""
        return Dataset(self.parts(), classes=None, source=f"Mackey–Glass equation, seed {self.seed}")

    def part(self, seed: list[int], samples: int) -> Part:
        """Generate one part (`SyntheticDataset.part`)."""
        history = np.random.default_rng(seed).uniform(0.2, 1.4, size=(samples, 1))
        x = trajectories(history, self.tau, SETTLING + self.length + self.horizon, SUBSTEPS)[:, SETTLING:] - 1
        x = x.astype(np.float32)[:, :, None]
        return Part(x[:, : self.length], np.ascontiguousarray(x[:, self.horizon :]))


def trajectories(history: np.ndarray, tau: int, steps: int, substeps: int) -> np.ndarray:
    """Solve the Mackey–Glass equation.

    Parameters
    ----------
    history : ndarray
        Value of x at all times up to 0, shape (samples, 1), float64.
    tau : int
        Delay, in samples.
    steps : int
        Samples to compute.
    substeps : int
        Solver steps per sample.

    Returns
    -------
    ndarray
        x at the times 1, 2, ..., steps, shape (samples, steps), float64.

    Notes
    -----
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
