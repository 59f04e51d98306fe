"""Prepared datasets: arrays in parts, with a digest; and the options that a dataset is made from."""

import hashlib
import json
import struct
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from hippo.config import Options
from hippo.data.errors import DataError
from hippo.data.part import NOT_ASKED, Part
from hippo.data.validation import check_dataset
from hippo.files import atomic

__all__ = ["NOT_ASKED", "Dataset", "DatasetOptions", "Part"]

ARRAYS = ("inputs", "targets", "times", "lengths")
EARLIER_KEY = "stand_in"  # of `substitute`, in files and digests of earlier versions
WORDING = "synthetic substitute for"
EARLIER_WORDING = WORDING.replace("substitute", EARLIER_KEY.replace("_", "-"))
ADVICE = "delete it and prepare it again"
MAPPED_BYTES = 2**28
"""Arrays of at least this size stay in the file and are read as they are used."""


@dataclass(frozen=True)
class Dataset:
    """A prepared dataset. It is checked when it is made.

    Parameters
    ----------
    parts : dict of Part
        Parts by name: "train", "validation" and "test"; further parts are tested on as well. A dataset for
        reconstruction has "test" only.
    classes : int or None
        Number of classes, or None where targets are numbers or the input.
    source : str
        Where the data came from, as one phrase. It is printed in titles of tables.
    scale : float, default 1.0
        Factor of the stored inputs: 1/255 for pixels stored as bytes.
    substitute : bool, default False
        True where the data is a synthetic substitute for real recordings.
    options : dict
        Name and options of the dataset that it was made from.
    vocabulary : int, optional
        Number of token ids, 0 to vocabulary - 1. Inputs are then token ids (samples, length), or
        (samples, documents, length).
    missing_values : bool, default False
        True where inputs may be NaN because a channel was not observed at a step.

    Raises
    ------
    DataError
        If the arrays do not fit each other or what is declared here (`hippo.data.validation`).
    """

    parts: dict[str, Part]
    classes: int | None
    source: str
    scale: float = 1.0
    substitute: bool = False
    options: dict = field(default_factory=dict)
    vocabulary: int | None = None
    missing_values: bool = False

    def __post_init__(self):
        check_dataset(self)

    @cached_property
    def digest(self) -> str:
        """sha256 (hexadecimal) of the description and of names, dtypes, shapes and values of all arrays."""
        return _digest(self._about(), self._arrays())

    def record(self) -> dict[str, Any]:
        """Return what a trial records of its dataset.

        Returns
        -------
        dict
            `digest`, `source`, `substitute`, and `arrays`: the dtype and shape of each array by "<part>.<array>".
        """
        arrays = {name: [str(array.dtype), list(array.shape)] for name, array in self._arrays().items()}
        return {"digest": self.digest, "source": self.source, "substitute": self.substitute, "arrays": arrays}

    def _about(self) -> dict[str, Any]:
        """The description, without fields of later versions that have their default."""
        about = {key: getattr(self, key) for key in ("classes", "source", "scale", "substitute", "options")}
        if self.vocabulary is not None:
            about["vocabulary"] = self.vocabulary
        if self.missing_values:
            about["missing_values"] = True
        return about

    def _arrays(self) -> dict[str, np.ndarray]:
        """All arrays by "<part>.<array>"."""
        arrays = {f"{name}.{key}": getattr(part, key) for name, part in self.parts.items() for key in ARRAYS}
        return {key: array for key, array in arrays.items() if array is not None}

    def save(self, path: Path) -> None:
        """Write the dataset to an npz file, atomically.

        Parameters
        ----------
        path : Path
            File to write. Missing folders are created.

        Raises
        ------
        OSError
            If the file cannot be written. An older file is then left as it was.
        """
        about = {**self._about(), "digest": self.digest}
        with atomic(path) as partial, open(partial, "wb") as file:
            np.savez(file, about=json.dumps(about), **self._arrays())

    @classmethod
    def load(cls, path: Path) -> "Dataset":
        """Read a file written by `save`, of this or an earlier version.

        Arrays of at least `MAPPED_BYTES` are mapped from the file, read-only: trials on one machine share them.

        Parameters
        ----------
        path : Path
            The npz file.

        Returns
        -------
        Dataset
            The dataset.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        DataError
            If the file is damaged or its values were altered.
        """
        try:
            about, arrays = _read(path)
            digest = about.pop("digest")
            found = _digest(about, arrays)
            parts: dict[str, dict] = {}
            for key, array in arrays.items():
                name, _, attribute = key.rpartition(".")  # the name of a part may contain dots
                parts.setdefault(name, {})[attribute] = array
            loaded = {name: Part(**part) for name, part in parts.items()}
        except FileNotFoundError:
            raise
        except Exception as error:  # zipfile, zlib, json and numpy each raise their own for a damaged file
            raise DataError(f"{path}: damaged prepared dataset ({error}); {ADVICE}") from error
        if found != digest:
            raise DataError(f"{path}: the content does not match its digest {digest[:12]}; {ADVICE}")
        try:
            return cls(parts=loaded, **about)
        except (TypeError, DataError) as error:
            raise DataError(f"{path}: {error}; {ADVICE}") from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Description (with the digest) and arrays in an npz file."""
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
        large = {m.filename: m for m in archive.infolist() if m.file_size >= MAPPED_BYTES}
    stored_bytes = path.stat().st_size
    if unpacked > stored_bytes:  # `save` does not compress: such a file may be a compression bomb
        raise ValueError(f"{unpacked:,} bytes of arrays in a file of {stored_bytes:,} bytes")
    with np.load(path) as stored:
        about = json.loads(str(stored["about"]))
        arrays = {
            key: _map(path, large[f"{key}.npy"]) if f"{key}.npy" in large else stored[key]
            for key in stored.files
            if key != "about"
        }
    if EARLIER_KEY in about:
        about["substitute"] = about.pop(EARLIER_KEY)
        about["source"] = about["source"].replace(EARLIER_WORDING, WORDING)
    return about, arrays


def _map(path: Path, member: zipfile.ZipInfo) -> np.ndarray:
    """An array of an npz file, mapped from the file."""
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{member.filename} is compressed")
    with open(path, "rb") as file:
        file.seek(member.header_offset + 26)  # sizes of the name and of the extra field in the member's own header
        name_bytes, extra_bytes = struct.unpack("<HH", file.read(4))
        file.seek(name_bytes + extra_bytes, 1)
        version = np.lib.format.read_magic(file)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, fortran, dtype = read_header[version](file)
        if dtype.hasobject:  # bytes of the file would be taken for addresses of Python objects
            raise ValueError(f"{member.filename} holds Python objects")
        order: Literal["F", "C"] = "F" if fortran else "C"
        return np.asarray(np.memmap(path, dtype, mode="r", offset=file.tell(), shape=shape, order=order))


def _digest(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> str:
    content = {key: value for key, value in about.items() if key != "substitute"}
    # The key and the words of earlier versions: others would change the digests of all published outcomes.
    content[EARLIER_KEY] = about["substitute"]
    content["source"] = about["source"].replace(WORDING, EARLIER_WORDING)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for key, array in sorted(arrays.items()):
        digest.update(f"{key} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


class DatasetOptions(Options):
    """Options of one dataset. Subclasses declare the options as fields, and are registered in `hippo.datasets`.

    Attributes
    ----------
    task : str
        Name of the task of its trials: "classification", "regression", "reconstruction", "readout",
        "normalization", "kernels", or another registered one.
    has_substitute : bool
        True if a synthetic substitute is built where the real recordings are not available.
    user_supplied : bool
        True if the user must put the raw files into a folder, because no place provides them reliably. The contract
        tests skip such a dataset where they are absent.
    test_options : dict
        Options that make the dataset small, for the contract tests.
    """

    task: ClassVar[str] = "classification"
    has_substitute: ClassVar[bool] = False
    user_supplied: ClassVar[bool] = False
    test_options: ClassVar[dict[str, Any]] = {}

    def fetch(self, sources) -> dict[str, str]:
        """Download every raw file of this dataset into the cache, unless it is available already.

        Parameters
        ----------
        sources : hippo.data.sources.Sources
            Where raw files are looked for.

        Returns
        -------
        dict of str
            Origin of each file by its path. Empty if there is nothing to download.

        Raises
        ------
        DataError
            If a file is damaged or not available.
        """
        raise NotImplementedError

    def build(self, sources) -> Dataset:
        """Build the dataset that these options describe.

        Parameters
        ----------
        sources : hippo.data.sources.Sources
            Where raw files are looked for.

        Returns
        -------
        Dataset
            The same for the same options.

        Raises
        ------
        DataError
            If a raw file is damaged or not available.
        """
        raise NotImplementedError

    def epoch_part(self, epoch: int) -> Part | None:
        """Return the train part of one epoch, if it is another in every epoch.

        Parameters
        ----------
        epoch : int
            Number of the epoch, from 1.

        Returns
        -------
        Part or None
            The same for the same options and epoch. None: the prepared train part serves all epochs.
        """
        return None

    def sampling_ratios(self) -> dict[str, float]:
        """Return how far apart in time the samples of a part are, relative to those of the train part.

        Returns
        -------
        dict of float
            Ratio by name of the part; 1 for parts that are not in it. A model with the option `known_rate` is told.
        """
        return {}
