"""CharacterTrajectories: 20 handwritten letters, read at one rate and judged at another."""

import logging
import math
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from hippo.data.dataset import Dataset, DatasetOptions, Part

log = logging.getLogger(__name__)

Rate = Annotated[float, Field(gt=0, le=1)]


class CharacterTrajectories(DatasetOptions):
    """Pen trajectories of 20 letters at 200 Hz, padded to 182 samples of x, y velocity and pen force.

    inputs (samples, length, 3) float32, each channel normalised by the train part. train_hz, eval_hz: share
    of the samples kept in the train part, and in the validation and test parts. uniform: keep them evenly
    (index floor(i / hz)), else a random subset, another for every sequence; 30 % of values missing is thus
    `uniform: false` with both rates 0.7. timestamps: fill `Part.times` (samples, length) float32 with the
    kept indices times train_ts or eval_ts. split_seed draws the 70/15/15 split and the random subsets.
    samples: at most so many sequences per part, letters in turn (smoke runs). speeds: for each, one more part
    `speed_<factor>`, the test recordings as if written that many times faster than those of the train part, evenly
    sampled at its rate, between recorded samples by linear interpolation. The processing is that of
    HiPPO's published experiments but for the split: theirs depends on the order of the archive's files,
    ours is drawn from recordings sorted by content, so that every published form of the data gives the same.
    """

    may_stand_in: ClassVar[bool] = True

    train_hz: Rate = 1.0
    eval_hz: Rate = 1.0
    uniform: bool = True
    timestamps: bool = False
    train_ts: PositiveFloat = 1.0
    eval_ts: PositiveFloat = 1.0
    split_seed: NonNegativeInt = 0
    samples: PositiveInt | None = None
    speeds: list[PositiveFloat] = []

    @model_validator(mode="after")
    def _speeds_fit(self):
        if self.speeds and (self.timestamps or not self.uniform):
            raise ValueError("speeds are for evenly sampled recordings without timestamps, which would tell the speed")
        return self

    def fetch(self, sources) -> dict[str, str]:
        """Bring the recordings into the cache; returns {file: origin}, or says that the stand-in serves."""
        found = _find(sources)
        return {str(path): found.origin for path in found.paths} if found else {"(none)": STAND_IN}

    def build(self, sources) -> Dataset:
        """Parts train, validation, test; DataError if the file is damaged or not to be had."""
        recordings, real = _recordings(sources)
        values = pad(recordings.sequences)
        rows = split(recordings.letters, self.split_seed)
        train = values[rows["train"]]
        values = (values - train.mean(axis=(0, 1))) / train.std(axis=(0, 1))
        parts = {
            name: self._part(number, name, values[rows[name]], recordings.letters[rows[name]])
            for number, name in enumerate(rows)
        }
        few = letters_in_turn(recordings.letters[rows["test"]], self.samples)
        for speed in self.speeds:
            faster = at_speed(values[rows["test"]][few], speed, self.train_hz).astype(np.float32)
            parts[f"speed_{speed:.4g}"] = Part(faster, parts["test"].targets)
        return Dataset(
            parts=parts,
            classes=20,
            source=f"CharacterTrajectories ({recordings.form})" if real else STAND_IN,
            stand_in=not real,
        )

    def _part(self, number: int, name: str, values: np.ndarray, letters: np.ndarray) -> Part:
        hz, ts = (self.train_hz, self.train_ts) if name == "train" else (self.eval_hz, self.eval_ts)
        # Not [split_seed, 0], which is the stream of the split: seeds are padded with zeros.
        rng = np.random.default_rng([self.split_seed, number + 1])
        kept = kept_indices(*values.shape[:2], hz, None if self.uniform else rng)
        inputs = np.take_along_axis(values, kept[:, :, None], axis=1).astype(np.float32)
        times = (kept * ts).astype(np.float32) if self.timestamps else None
        few = letters_in_turn(letters, self.samples)
        return Part(inputs[few], letters[few].astype(np.int64), None if times is None else times[few])


STAND_IN = "synthetic stand-in for CharacterTrajectories"


def _find(sources):
    """The recordings in whichever published form is found first, or None where the stand-in may serve."""
    from hippo.data.pen_recordings import UCI, UEA
    from hippo.data.sources import NoSourceError

    try:
        return sources.load(UCI, UEA)
    except NoSourceError as error:
        if sources.require_real:
            raise NoSourceError(f"{error}\nrequire_real_data is set, so the synthetic stand-in is refused") from error
        log.warning("%s\n%s takes their place", error, STAND_IN)
        return None


def _recordings(sources):
    from hippo.data.pen_strokes import stand_in

    found = _find(sources)
    return (found.content, True) if found else (stand_in(), False)


def pad(sequences: list[np.ndarray]) -> np.ndarray:
    """All sequences (samples, longest, channels), the shorter ones continued with their last value."""
    longest = max(len(one) for one in sequences)
    return np.stack([np.pad(one, ((0, longest - len(one)), (0, 0)), mode="edge") for one in sequences])


def split(letters: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Row numbers of train (70 %), validation and test (15 % each), every letter in proportion.

    Each letter's rows, shuffled, are spread evenly over [0, 1); train is what lies in the first 70 %.
    """
    rng = np.random.default_rng(seed)
    place = np.empty(len(letters))
    for letter in np.unique(letters):
        rows = rng.permutation(np.flatnonzero(letters == letter))
        place[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    rows = np.argsort(place, kind="stable")
    train = int(0.7 * len(letters))
    validation = (len(letters) - train) // 2
    return {
        "train": rows[:train],
        "validation": rows[train : train + validation],
        "test": rows[train + validation :],
    }


def kept_indices(samples: int, length: int, hz: float, rng: np.random.Generator | None) -> np.ndarray:
    """Sorted indices (samples, floor(length hz)) kept at the rate hz: floor(i / hz), or random ones."""
    tiny = 1e-9  # 100 · 0.29 is 28.999… in floating point
    kept = max(1, math.floor(length * hz + tiny))
    if rng is None:
        return np.tile(np.floor(np.arange(kept) / hz + tiny).astype(int), (samples, 1))
    shuffled = rng.permuted(np.tile(np.arange(length), (samples, 1)), axis=1)
    return np.sort(shuffled[:, :kept], axis=1)


def at_speed(values: np.ndarray, speed: float, hz: float) -> np.ndarray:
    """Recordings (samples, length, channels) `speed` times faster, sampled at the rate hz; the last value holds."""
    last = values.shape[1] - 1
    tiny = 1e-9
    positions = np.minimum(np.arange(max(1, math.floor(values.shape[1] * hz / speed + tiny))) * speed / hz, last)
    before = np.minimum(positions.astype(int), last - 1)
    share = (positions - before)[:, None]
    return (1 - share) * values[:, before] + share * values[:, before + 1]


def letters_in_turn(letters: np.ndarray, limit: int | None) -> np.ndarray:
    """The first `limit` row numbers when letters take turns, in their own order; all rows without a limit."""
    if limit is None:
        return np.arange(len(letters))
    rank = np.zeros(len(letters), dtype=int)
    for letter in np.unique(letters):
        rows = np.flatnonzero(letters == letter)
        rank[rows] = np.arange(len(rows))
    return np.sort(np.lexsort((letters, rank))[:limit])
