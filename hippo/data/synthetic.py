"""Base class of synthetic datasets: three parts of random sequences, generated from a seed."""

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt

from hippo.config import ADDED_LATER
from hippo.data.dataset import Part
from hippo.data.generated_dataset import GeneratedDataset


class SyntheticDataset(GeneratedDataset):
    """Base class of datasets that are generated from a seed.

    A subclass defines `part`, which generates one part, and `build`, which makes a `Dataset` of `parts()`.

    Attributes
    ----------
    train_samples : int, default 10000
        Sequences in the train part.
    eval_samples : int, default 1000
        Sequences in the validation part, and in the test part.
    seed : int, default 0
        Seed of all parts.
    fresh_samples : int, optional
        Train on this many new sequences in every epoch. The prepared train part then only provides the statistics of
        the targets. Default: train on the prepared train part.
    """

    train_samples: PositiveInt = Field(10_000, description="sequences in the train part")
    eval_samples: PositiveInt = Field(1000, description="sequences in the validation part, and in the test part")
    seed: NonNegativeInt = 0
    fresh_samples: Annotated[
        PositiveInt | None,
        ADDED_LATER,
        Field(description="new sequences to train on in every epoch; null: the train part"),
    ] = None

    def part(self, seed: list[int], samples: int) -> Part:
        """Generate one part.

        Parameters
        ----------
        seed : list of int
            Seed for `numpy.random.default_rng`.
        samples : int
            Number of sequences.

        Returns
        -------
        Part
            The same for the same seed.
        """
        raise NotImplementedError

    def parts(self) -> dict[str, Part]:
        """Generate all parts.

        Returns
        -------
        dict of Part
            "train", "validation" and "test", from the seeds [seed, 0], [seed, 1] and [seed, 2].
        """
        sizes = {"train": self.train_samples, "validation": self.eval_samples, "test": self.eval_samples}
        return {name: self.part([self.seed, number], size) for number, (name, size) in enumerate(sizes.items())}

    def epoch_part(self, epoch: int) -> Part | None:
        """Generate the new sequences of one epoch, from the seed [seed, 0, epoch]; None without `fresh_samples`."""
        return self.part([self.seed, 0, epoch], self.fresh_samples) if self.fresh_samples else None
