"""The copying task: reproduce a few symbols after a long delay."""

from typing import Any, ClassVar

import numpy as np
from pydantic import Field, PositiveInt, model_validator

from hippo.data.dataset import NOT_ASKED, Dataset, Part
from hippo.data.synthetic import SyntheticDataset


class Copying(SyntheticDataset):
    """Symbols that are to be reproduced, in order, after `length` steps.

    Inputs have shape (samples, length + symbols, alphabet + 2), float32, one-hot: a symbol of the alphabet (0 to
    alphabet - 1), a blank (alphabet), or in the last `symbols` steps a marker (alphabet + 1). Targets have shape
    (samples, length + symbols), int64: the symbols in the last `symbols` steps, and `NOT_ASKED` before. Chance
    accuracy is 1 / alphabet.

    Attributes
    ----------
    length : int, default 200
        Steps before the symbols are to be reproduced.
    symbols : int, default 10
        Symbols in a sequence, at most `length`.
    alphabet : int, default 8
        Number of different symbols.
    variable : bool, default False
        If False, the symbols are the first inputs. If True, they are at random steps among the first `length`.

    References
    ----------
    M. Arjovsky, A. Shah, Y. Bengio, Unitary evolution recurrent neural networks, ICML 2016, section 5.1.
    """

    test_options: ClassVar[dict[str, Any]] = {"length": 20, "train_samples": 30, "eval_samples": 10}

    length: PositiveInt = Field(200, description="steps before the symbols are to be reproduced")
    symbols: PositiveInt = Field(10, description="symbols in a sequence")
    alphabet: PositiveInt = Field(8, description="number of different symbols")
    variable: bool = Field(False, description="symbols at random steps instead of the first ones")

    @model_validator(mode="after")
    def _fits(self):
        if self.symbols > self.length:
            raise ValueError(f"symbols = {self.symbols} do not fit into length = {self.length} steps")
        return self

    def build(self, sources=None) -> Dataset:
        """Generate the dataset. `sources` is not used."""
        return Dataset(self.parts(), classes=self.alphabet, source=f"copying task, seed {self.seed}")

    def part(self, seed: list[int], samples: int) -> Part:
        """Generate one part (`SyntheticDataset.part`)."""
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
