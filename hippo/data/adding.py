"""The adding task: the sum of two marked numbers among many (Hochreiter, Schmidhuber 1997)."""

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt

from hippo.data.dataset import Dataset, DatasetConfig, Part


class Adding(DatasetConfig):
    """Numbers uniform on [0, 1], of which one in each half of the sequence is marked; the answer is their sum.

    inputs (samples, length, 2) float32: the number, and 1 where it is marked; targets (samples, 1) float32. Always
    answering 1 has a mean squared error of 1/6, an NRMSE of 1.
    """

    task: ClassVar[str] = "regression"

    length: Annotated[int, Field(ge=2, description="numbers in a sequence")] = 200
    train_samples: PositiveInt = Field(10_000, description="sequences to train on")
    eval_samples: PositiveInt = Field(1000, description="sequences of the validation and of the test part")
    seed: NonNegativeInt = 0

    def fetch(self, sources) -> dict[str, str]:
        """Nothing: the sequences are drawn."""
        return {}

    def build(self, sources=None) -> Dataset:
        """The sequences that these options describe."""
        sizes = {"train": self.train_samples, "validation": self.eval_samples, "test": self.eval_samples}
        parts = {name: self._part([self.seed, number], size) for number, (name, size) in enumerate(sizes.items())}
        return Dataset(parts, classes=None, source=f"adding task, seed {self.seed}")

    def _part(self, seed: list[int], samples: int) -> Part:
        rng = np.random.default_rng(seed)
        numbers = rng.uniform(size=(samples, self.length)).astype(np.float32)
        half = self.length // 2
        marked = np.stack([rng.integers(0, half, samples), rng.integers(half, self.length, samples)], axis=1)
        marks = np.zeros_like(numbers)
        np.put_along_axis(marks, marked, 1, axis=1)
        return Part(np.stack([numbers, marks], axis=2), (numbers * marks).sum(axis=1, keepdims=True))
