"""What every dataset becomes before a trial sees it: arrays in three parts, with a digest."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from hippo.config import Options
from hippo.data.sources import DataError
from hippo.files import atomic

NOT_ASKED = -100  # as a target: the answer at this step does not matter


@dataclass(frozen=True)
class Part:
    """One part (train, validation or test) of a dataset.

    inputs (samples, length, channels), uint8 or float32. targets: classes (samples,), or (samples, length) with
    NOT_ASKED where it does not matter, int64; or numbers (samples, outputs) or (samples, length, outputs) float32;
    or None where the input is its own target. times (samples, length) float32 timestamps, or None where samples are
    evenly spaced.
    """

    inputs: np.ndarray
    targets: np.ndarray | None = None
    times: np.ndarray | None = None


@dataclass(frozen=True)
class Dataset:
    """A prepared dataset: `parts` by name, and what it is.

    `scale` multiplies the stored inputs (1/255 for bytes of pixels). `source` says in words where the
    recordings came from; `stand_in` is true where they are synthetic in place of real ones. `options` are the
    dataset's name and options that it was made from.
    """

    parts: dict[str, Part]
    classes: int | None
    source: str
    scale: float = 1.0
    stand_in: bool = False
    options: dict = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """sha256 over what the dataset says of itself and over names, dtypes, shapes and values of every array."""
        digest = hashlib.sha256(json.dumps(self._about(), sort_keys=True).encode())
        for key, array in sorted(self._arrays().items()):
            digest.update(f"{key} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def _about(self) -> dict:
        return {key: getattr(self, key) for key in ("classes", "source", "scale", "stand_in", "options")}

    def _arrays(self) -> dict[str, np.ndarray]:
        fields = ("inputs", "targets", "times")
        arrays = {f"{name}.{f}": getattr(part, f) for name, part in self.parts.items() for f in fields}
        return {key: array for key, array in arrays.items() if array is not None}

    def save(self, path: Path) -> None:
        """Write to `path` (npz) atomically: the file is whole or absent."""
        about = {**self._about(), "digest": self.digest}
        with atomic(path) as partial, open(partial, "wb") as file:
            np.savez(file, about=json.dumps(about), **self._arrays())

    @classmethod
    def load(cls, path: Path) -> "Dataset":
        """Read what `save` wrote; DataError if the file is damaged or its values were altered."""
        advice = "delete it and prepare it again"
        try:
            with np.load(path) as stored:
                about = json.loads(str(stored["about"]))
                digest = about.pop("digest")
                parts: dict[str, dict] = {}
                for key in stored.files:
                    name, _, attribute = key.rpartition(".")  # a part's name may have dots
                    if name:
                        parts.setdefault(name, {})[attribute] = stored[key]
            dataset = cls(parts={name: Part(**part) for name, part in parts.items()}, **about)
        except FileNotFoundError:
            raise
        except Exception as error:  # zipfile, zlib, json and numpy each have their own for a damaged file
            raise DataError(f"{path}: damaged prepared dataset ({error}); {advice}") from error
        if dataset.digest != digest:
            raise DataError(f"{path}: contents do not match the digest {digest[:12]} they were saved with; {advice}")
        return dataset


class DatasetOptions(Options):
    """Options of one dataset; `build` makes it from the sources.

    `task` is what its trials do: classification, regression or reconstruction. One that `may_stand_in` has a
    synthetic substitute for recordings that cannot be had.
    """

    task: ClassVar[str] = "classification"
    may_stand_in: ClassVar[bool] = False

    def fetch(self, sources) -> dict[str, str]:
        """Bring every file this dataset needs into the cache; returns {file: where it came from}."""
        raise NotImplementedError

    def build(self, sources) -> Dataset:
        """The dataset that these options describe, from fetched files (`hippo.data.sources.Sources`)."""
        raise NotImplementedError
