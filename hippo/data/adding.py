"""The adding task: the sum of two marked numbers among many (Hochreiter, Schmidhuber 1997)."""

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from hippo.data.dataset import Dataset, Part
from hippo.data.synthetic import SyntheticDataset


class Adding(SyntheticDataset):
    """Numbers uniform on [0, 1], of which one in each half of the sequence is marked; the answer is their sum.

    inputs (samples, length, 2) float32: the number, and 1 where it is marked; targets (samples, 1) float32. Always
    answering 1 has a mean squared error of 1/6, an NRMSE of 1.
    """

    task: ClassVar[str] = "regression"

    length: Annotated[int, Field(ge=2, description="numbers in a sequence")] = 200

    def build(self, sources=None) -> Dataset:
        """The sequences that these options describe."""
        return Dataset(self.parts(), classes=None, source=f"adding task, seed {self.seed}")

    def part(self, seed: list[int], samples: int) -> Part:
        """As `SyntheticDataset.part`."""
        rng = np.random.default_rng(seed)
        numbers = rng.uniform(size=(samples, self.length)).astype(np.float32)
        half = self.length // 2
        marked = np.stack([rng.integers(0, half, samples), rng.integers(half, self.length, samples)], axis=1)
        marks = np.zeros_like(numbers)
        np.put_along_axis(marks, marked, 1, axis=1)
        return Part(np.stack([numbers, marks], axis=2), (numbers * marks).sum(axis=1, keepdims=True))
