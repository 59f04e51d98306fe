"""CharacterTrajectories as a dataset: trained at one sampling rate and tested at another."""

import logging
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from hippo.data.character_trajectories.sampling import at_speed, kept_indices, letters_in_turn, pad, split
from hippo.data.dataset import Dataset, DatasetOptions, Part
from hippo.data.errors import NoSourceError

log = logging.getLogger(__name__)

SUBSTITUTE = "synthetic substitute for CharacterTrajectories"

Rate = Annotated[float, Field(gt=0, le=1)]


class CharacterTrajectories(DatasetOptions):
    """Pen trajectories of 20 letters, recorded at 200 Hz and padded to 182 steps.

    Inputs have shape (samples, length, 3), float32: x and y velocity and pen force, each channel normalized to zero
    mean and unit variance over the train part. Targets have shape (samples,), int64. The processing is that of
    HiPPO's published experiments, except for the split. Theirs depends on the order of the recordings in the archive;
    here the recordings are sorted by content, so that every published form of the data gives the same split.

    Attributes
    ----------
    train_hz, eval_hz : float, default 1.0
        Fraction of the steps that is kept in the train part, and in the validation and test parts, in (0, 1].
    uniform : bool, default True
        If True, the steps floor(i / hz) are kept. If False, a random subset is kept, a different one for every
        sequence: 30 % of missing values are `uniform: false` with both rates 0.7.
    timestamps : bool, default False
        If True, `Part.times` has shape (samples, length), float32: the index of each kept step times `train_ts` or
        `eval_ts`.
    train_ts, eval_ts : float, default 1.0
        Time unit of the train part, and of the validation and test parts.
    split_seed : int, default 0
        Seed of the 70/15/15 split and of the random subsets.
    samples : int, optional
        Sequences per part, at most. Letters are chosen in turn. Default: all.
    speeds : list of float, default []
        For each factor, a further part `speed_<factor>`: the test recordings, as if written that many times faster
        than those of the train part. They are sampled evenly at its rate, with linear interpolation.
    """

    has_substitute: ClassVar[bool] = True
    test_options: ClassVar[dict[str, Any]] = {"samples": 60}

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
            raise ValueError(
                "speeds require evenly sampled recordings without timestamps, which would reveal the speed"
            )
        return self

    def fetch(self, sources) -> dict[str, str]:
        """Download the recordings into the cache (`DatasetOptions.fetch`).

        Returns
        -------
        dict of str
            Origin of each file by its path; {"(no file)": "synthetic substitute for ..."} if there are no recordings
            and a substitute is allowed.
        """
        found = _find(sources)
        return {str(path): found.origin for path in found.paths} if found else {"(no file)": SUBSTITUTE}

    def build(self, sources) -> Dataset:
        """Build the parts train, validation, test and `speed_<factor>` (`DatasetOptions.build`)."""
        recordings, real = _recordings(sources)
        values = pad(recordings.sequences)
        indices = split(recordings.letters, self.split_seed)
        train = values[indices["train"]]
        values = (values - train.mean(axis=(0, 1))) / train.std(axis=(0, 1))
        parts = {
            name: self._part(number, name, values[indices[name]], recordings.letters[indices[name]])
            for number, name in enumerate(indices)
        }
        few = letters_in_turn(recordings.letters[indices["test"]], self.samples)
        for speed in self.speeds:
            faster = at_speed(values[indices["test"]][few], speed, self.train_hz).astype(np.float32)
            parts[f"speed_{speed:.4g}"] = Part(faster, parts["test"].targets)
        return Dataset(
            parts=parts,
            classes=20,
            source=f"CharacterTrajectories ({recordings.form})" if real else SUBSTITUTE,
            substitute=not real,
        )

    def sampling_ratios(self) -> dict[str, float]:
        """Return the time between samples of each part relative to the train part (`DatasetOptions.sampling_ratios`).

        Where a random subset of the steps is kept, it is the mean time. A pen that is faster covers as much of its path
        between two samples as a slower one between samples that are farther apart.
        """
        ratio = self.train_hz / self.eval_hz
        return {"validation": ratio, "test": ratio} | {f"speed_{speed:.4g}": speed for speed in self.speeds}

    def _part(self, number: int, name: str, values: np.ndarray, letters: np.ndarray) -> Part:
        """One part, resampled: normalized values (samples, length, 3) and letters (samples,)."""
        hz, ts = (self.train_hz, self.train_ts) if name == "train" else (self.eval_hz, self.eval_ts)
        # Not [split_seed, 0]: NumPy pads seeds with zeros, so this would be the random numbers of the split.
        rng = np.random.default_rng([self.split_seed, number + 1])
        kept = kept_indices(*values.shape[:2], hz, None if self.uniform else rng)
        inputs = np.take_along_axis(values, kept[:, :, None], axis=1).astype(np.float32)
        times = (kept * ts).astype(np.float32) if self.timestamps else None
        few = letters_in_turn(letters, self.samples)
        return Part(inputs[few], letters[few].astype(np.int64), None if times is None else times[few])


def _find(sources):
    """The first published form of the recordings that is found; None if there is none and a substitute is allowed."""
    from hippo.data.character_trajectories.uci import UCI
    from hippo.data.character_trajectories.uea import UEA

    try:
        return sources.load(UCI, UEA)
    except NoSourceError as error:
        if sources.require_real:
            refused = f"{error}\nrequire_real_data is set, so the synthetic substitute is refused"
            raise NoSourceError(refused, error.advice) from error
        log.warning("%s\nUsing the %s", error, SUBSTITUTE)
        return None


def _recordings(sources):
    """Recordings, and whether they are real."""
    from hippo.data.character_trajectories.substitute import substitute_recordings

    found = _find(sources)
    return (found.content, True) if found else (substitute_recordings(), False)
