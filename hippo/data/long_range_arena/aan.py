"""Retrieval: whether one paper of the ACL Anthology cites another one, both read character by character."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt

from hippo.data.dataset import Dataset, DatasetOptions, Part
from hippo.data.errors import DamagedError
from hippo.data.long_range_arena.characters import Vocabulary, count_characters, first_occurrences, keys
from hippo.data.raw_files import lines
from hippo.data.sources import RawData

log = logging.getLogger(__name__)

PAIRS = {"new_aan_pairs.train.tsv": 147_086, "new_aan_pairs.eval.tsv": 18_090, "new_aan_pairs.test.tsv": 17_437}
"""Pairs in each file, as published in papers that use them. No digest is published."""
BYTES = 20_000_000_000  # the whole archive, unpacked, has 18.6 GB


class Documents(NamedTuple):
    """Encoded pairs of the three files, and the number of token ids."""

    parts: tuple[Part, ...]
    vocabulary: int


class AAN(DatasetOptions):
    """Pairs of papers of the ACL Anthology Network by characters, 2 classes.

    Inputs are token ids, shape (samples, 2, max_length): for both documents the characters, an end token, and padding.
    `lengths` (samples, 2) are true lengths, end token included. Targets have shape (samples,), int64: 1 if one paper
    cites the other. The parts are the published ones. A pair of the train part that is also in another part, and a pair
    of the validation part that is also in the test part, is left out.

    Attributes
    ----------
    max_length : int, default 4000
        Longest sequence, end token included. Longer documents are cut.
    train_samples : int, optional
        Number of train pairs: the first after a random permutation. Default: all.
    eval_samples : int, optional
        Number of validation pairs, and of test pairs, at most. Default: all.
    split_seed : int, default 0
        Seed of the random permutations.
    """

    user_supplied: ClassVar[bool] = True
    test_options: ClassVar[dict[str, Any]] = {"max_length": 200, "train_samples": 60, "eval_samples": 20}

    max_length: int = Field(4000, ge=2, le=100_000, description="longest sequence, end token included")
    train_samples: PositiveInt | None = None
    eval_samples: PositiveInt | None = None
    split_seed: NonNegativeInt = 0

    def fetch(self, sources) -> dict[str, str]:
        """Find the published files (`DatasetOptions.fetch`)."""
        found = sources.load(AAN_PAIRS)
        return {str(path): found.origin for path in found.paths}

    def build(self, sources) -> Dataset:
        """Build the parts train, validation and test (`DatasetOptions.build`)."""
        samples = (self.train_samples, self.eval_samples, self.eval_samples)
        read = partial(read_pairs, max_length=self.max_length, samples=samples, seed=self.split_seed)
        documents: Documents = sources.load(replace(AAN_PAIRS, read=read)).content
        parts, excluded = {}, set()
        for name, found in zip(("test", "validation", "train"), documents.parts[::-1], strict=True):
            if name != "test":
                kept = first_occurrences(found.inputs, excluded)
                if len(kept) < len(found.inputs):
                    log.info("AAN: %d pairs of the %s part are repeated", len(found.inputs) - len(kept), name)
                    found = Part(found.inputs[kept], found.targets[kept], lengths=found.lengths[kept])
            excluded.update(keys(found.inputs))
            parts[name] = found
        return Dataset(
            {name: parts[name] for name in ("train", "validation", "test")},
            classes=2,
            source="AAN (pairs of papers by characters)",
            vocabulary=documents.vocabulary,
        )


def check_pairs(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """Check that the first line of each file is a pair of documents; return the paths.

    Parameters
    ----------
    paths : tuple of Path
        `new_aan_pairs.train.tsv`, `new_aan_pairs.eval.tsv` and `new_aan_pairs.test.tsv`, plain or gzipped.

    Returns
    -------
    tuple of Path

    Raises
    ------
    DamagedError
        If a file is empty, or its first line does not have the published layout.
    """
    for path in paths:
        next(_pairs(path))
    return paths


def read_pairs(
    paths: tuple[Path, ...], max_length: int, samples: tuple[int | None, ...] = (None, None, None), seed: int = 0
) -> Documents:
    """Read and encode the published files. Each is read twice, so that memory holds only what is returned.

    Parameters
    ----------
    paths : tuple of Path
        `new_aan_pairs.train.tsv`, `new_aan_pairs.eval.tsv` and `new_aan_pairs.test.tsv`, plain or gzipped.
    max_length : int
        Longest sequence, end token included.
    samples : tuple of int or None
        Number of pairs of each file; None: all.
    seed : int, default 0
        Seed of the choice.

    Returns
    -------
    Documents
        Train, validation and test part. The vocabulary has all characters of the train file.

    Raises
    ------
    DamagedError
        If a line does not have the published layout.
    """
    counted = [0] * len(paths)

    def documents(number: int) -> Iterator[str]:
        for _, first, second in _pairs(paths[number]):
            counted[number] += 1
            yield first[: max_length - 1]
            yield second[: max_length - 1]

    vocabulary = Vocabulary(count_characters(documents(0), max_length - 1))
    for number in range(1, len(paths)):
        for _ in documents(number):
            pass
    for path, found in zip(paths, counted, strict=True):
        published = PAIRS[path.name.removesuffix(".gz")]
        if found != published:
            log.warning("%s: %d pairs, %d are published; the file may be truncated", path, found, published)
    rng = np.random.default_rng(seed)
    parts = []
    for path, pairs, wanted in zip(paths, counted, samples, strict=True):
        chosen = np.sort(rng.permutation(pairs)[:wanted])
        parts.append(_encode(path, chosen, vocabulary, max_length))
    return Documents(tuple(parts), vocabulary.size)


def _encode(path: Path, chosen: np.ndarray, vocabulary: Vocabulary, max_length: int) -> Part:
    """The part of the chosen pairs, given by their increasing numbers."""
    inputs = np.zeros((len(chosen), 2, max_length), vocabulary.dtype)
    lengths, targets = np.zeros((len(chosen), 2), np.int64), np.zeros(len(chosen), np.int64)
    row = 0
    for number, (label, *texts) in enumerate(_pairs(path)):
        if row < len(chosen) and number == chosen[row]:
            targets[row] = label
            for document, text in enumerate(texts):
                lengths[row, document] = vocabulary.encode(text, inputs[row, document])
            row += 1
    return Part(inputs, targets, lengths=lengths)


def _pairs(path: Path) -> Iterator[tuple[int, str, str]]:
    """Label and both texts of each line: label, two identifiers, two texts; quotes have no special meaning."""
    number = 0
    for number, line in enumerate(lines(path, BYTES), start=1):
        columns = line.rstrip(b"\r").split(b"\t")
        if len(columns) != 5:
            raise DamagedError(
                path, f"line {number}: {len(columns)} columns, expected label, 2 identifiers and 2 texts"
            )
        try:
            label, texts = float(columns[0]), [column.decode("utf-8") for column in columns[3:]]
        except ValueError as error:  # a UnicodeDecodeError is one, too
            raise DamagedError(path, f"line {number}: {error}") from error
        if label not in (0, 1):
            raise DamagedError(path, f"line {number}: label {label}, expected 0 or 1")
        yield int(label), texts[0], texts[1]
    if not number:
        raise DamagedError(path, "empty file, expected pairs of documents")


AAN_PAIRS = RawData(
    title="AAN",
    files=dict.fromkeys(PAIRS, BYTES),
    read=check_pairs,
    places=(),
    folder="aan",
    subfolders=("lra_release/lra_release/tsv_data", "lra_release/tsv_data", "tsv_data", "aan", "."),
)
