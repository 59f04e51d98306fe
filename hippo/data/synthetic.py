"""Datasets that are drawn from a seed, not recorded: three parts of sequences, nothing to fetch."""

from pydantic import Field, NonNegativeInt, PositiveInt

from hippo.data.dataset import DatasetOptions, Part


class SyntheticDataset(DatasetOptions):
    """What every drawn dataset has; a subclass says how one part is drawn, and makes the dataset of all."""

    train_samples: PositiveInt = Field(10_000, description="sequences to train on")
    eval_samples: PositiveInt = Field(1000, description="sequences of the validation and of the test part")
    seed: NonNegativeInt = 0

    def fetch(self, sources) -> dict[str, str]:
        """Nothing: the sequences are drawn."""
        return {}

    def part(self, seed: list[int], samples: int) -> Part:
        """`samples` sequences, the same for the same `seed`."""
        raise NotImplementedError

    def parts(self) -> dict[str, Part]:
        """Train, validation and test, each from a seed of its own."""
        sizes = {"train": self.train_samples, "validation": self.eval_samples, "test": self.eval_samples}
        return {name: self.part([self.seed, number], size) for number, (name, size) in enumerate(sizes.items())}
