"""The copying task: remember a few symbols over a long pause, then say them again (Arjovsky, Shah, Bengio 2016)."""

import numpy as np
from pydantic import Field, PositiveInt, model_validator

from hippo.data.dataset import NOT_ASKED, Dataset, Part
from hippo.data.synthetic import SyntheticDataset


class Copying(SyntheticDataset):
    """Symbols to be repeated, in order, once `length` steps have passed.

    inputs (samples, length + symbols, alphabet + 2) float32, one-hot: a symbol of the alphabet, a blank, or at the
    last `symbols` steps the marker that asks for the answer. targets (samples, length + symbols) int64: the symbols at
    those last steps, NOT_ASKED before. The symbols come first, or with `variable` at random places of the `length`
    steps, in order. Guessing answers one in `alphabet` right.
    """

    length: PositiveInt = Field(200, description="steps before the answer is asked for")
    symbols: PositiveInt = Field(10, description="symbols to remember")
    alphabet: PositiveInt = Field(8, description="different symbols")
    variable: bool = Field(False, description="symbols at random places instead of at the beginning")

    @model_validator(mode="after")
    def _fits(self):
        if self.symbols > self.length:
            raise ValueError(f"symbols = {self.symbols} do not fit into length = {self.length} steps")
        return self

    def build(self, sources=None) -> Dataset:
        """The sequences that these options describe."""
        return Dataset(self.parts(), classes=self.alphabet, source=f"copying task, seed {self.seed}")

    def part(self, seed: list[int], samples: int) -> Part:
        """As `SyntheticDataset.part`."""
        rng = np.random.default_rng(seed)
        symbols = rng.integers(0, self.alphabet, size=(samples, self.symbols))
        places = np.tile(np.arange(self.length), (samples, 1))
        if self.variable:
            places = rng.permuted(places, axis=1)
        places = np.sort(places[:, : self.symbols], axis=1)
        blank, marker = self.alphabet, self.alphabet + 1
        shown = np.full((samples, self.length + self.symbols), blank)
        np.put_along_axis(shown, places, symbols, axis=1)
        shown[:, self.length :] = marker
        targets = np.full(shown.shape, NOT_ASKED, dtype=np.int64)
        targets[:, self.length :] = symbols
        return Part(np.eye(self.alphabet + 2, dtype=np.float32)[shown], targets)
