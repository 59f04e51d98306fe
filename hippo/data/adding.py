"""The adding task: the sum of two marked numbers in a long sequence."""

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from hippo.data.dataset import Dataset, Part
from hippo.data.synthetic import SyntheticDataset


class Adding(SyntheticDataset):
    """Numbers uniform on [0, 1). One in each half of the sequence is marked, and the target is their sum.

    Inputs have shape (samples, length, 2), float32: the number, and a mark that is 1 at the marked steps and else 0.
    Targets have shape (samples, 1), float32. The constant answer 1 has a mean squared error of 1/6 and an NRMSE of 1.

    Attributes
    ----------
    length : int, default 200
        Numbers in a sequence, at least 2.

    References
    ----------
    S. Hochreiter, J. Schmidhuber, Long short-term memory, Neural Computation 9, 1997, section 5.4.
    """

    task: ClassVar[str] = "regression"
    test_options: ClassVar[dict[str, Any]] = {"length": 20, "train_samples": 30, "eval_samples": 10}

    length: Annotated[int, Field(ge=2, description="numbers in a sequence")] = 200

    def build(self, sources=None) -> Dataset:
        """Generate the dataset. `sources` is not used."""
        return Dataset(self.parts(), classes=None, source=f"adding task, seed {self.seed}")

    def part(self, seed: list[int], samples: int) -> Part:
        """Generate one part (`SyntheticDataset.part`)."""
        rng = np.random.default_rng(seed)
        numbers = rng.uniform(size=(samples, self.length)).astype(np.float32)
        half = self.length // 2
        marked = np.stack([rng.integers(0, half, samples), rng.integers(half, self.length, samples)], axis=1)
        marks = np.zeros_like(numbers)
        np.put_along_axis(marks, marked, 1, axis=1)
        return Part(np.stack([numbers, marks], axis=2), (numbers * marks).sum(axis=1, keepdims=True))
