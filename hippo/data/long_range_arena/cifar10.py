"""Image: CIFAR-10 in gray, read pixel by pixel."""

import io
import pickle
import tarfile
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field, NonNegativeInt

from hippo.data.dataset import Dataset, DatasetOptions, Part
from hippo.data.errors import DamagedError
from hippo.data.places import Mirror
from hippo.data.raw_files import verified
from hippo.data.sources import RawData

ARCHIVE = ("6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce", 170_498_071)  # sha256, bytes
TRAIN_BATCHES = tuple(f"cifar-10-batches-py/data_batch_{number}" for number in range(1, 6))
TEST_BATCH = "cifar-10-batches-py/test_batch"
PIXELS = 32 * 32
MEAN, DEVIATION = 122.6, 61.0
"""Mean and deviation of the gray values, 0 to 255, that the published code subtracts and divides by."""


class Images(NamedTuple):
    """Gray values (samples, 1024), uint8, and classes (samples,), int64, of both official parts."""

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray


class CIFAR10(DatasetOptions):
    """Gray CIFAR-10: 1024 steps of one pixel, 10 classes.

    Inputs have shape (samples, 1024, 1), float32: (gray value - 122.6) / 61, with gray values from 0 to 255. Targets
    have shape (samples,), int64. The validation part is a tenth of the chosen train images.

    Attributes
    ----------
    train_samples : int, optional
        Number of train images that are used, validation included: the first after a random permutation. Default: all.
    test_samples : int, optional
        Number of test images that are used: the first after a random permutation. Default: all.
    split_seed : int, default 42
        Seed of the random permutations.
    """

    user_supplied: ClassVar[bool] = True
    test_options: ClassVar[dict[str, Any]] = {"train_samples": 60, "test_samples": 20}

    train_samples: Annotated[int, Field(ge=10, le=50_000)] | None = None
    test_samples: Annotated[int, Field(ge=1, le=10_000)] | None = None
    split_seed: NonNegativeInt = 42

    def fetch(self, sources) -> dict[str, str]:
        """Find the official archive, or download it into the cache (`DatasetOptions.fetch`)."""
        found = sources.load(CIFAR10_ARCHIVE)
        return {str(path): found.origin for path in found.paths}

    def build(self, sources) -> Dataset:
        """Build the parts train, validation and test (`DatasetOptions.build`)."""
        images: Images = sources.load(CIFAR10_ARCHIVE).content
        rng = np.random.default_rng(self.split_seed)
        chosen = rng.permutation(len(images.train))[: self.train_samples]
        tested = rng.permutation(len(images.test))[: self.test_samples]
        held_out = len(chosen) // 10

        def part(gray: np.ndarray, labels: np.ndarray, indices: np.ndarray) -> Part:
            indices = np.sort(indices)
            inputs = (gray[indices, :, None].astype(np.float32) - np.float32(MEAN)) / np.float32(DEVIATION)
            return Part(inputs, labels[indices])

        return Dataset(
            parts={
                "train": part(images.train, images.train_labels, chosen[: len(chosen) - held_out]),
                "validation": part(images.train, images.train_labels, chosen[len(chosen) - held_out :]),
                "test": part(images.test, images.test_labels, tested),
            },
            classes=10,
            source="CIFAR-10 in gray",
        )


def read_archive(paths: tuple[Path, ...]) -> Images:
    """Read the official archive.

    Parameters
    ----------
    paths : tuple of Path
        The file `cifar-10-python.tar.gz`.

    Returns
    -------
    Images
        50,000 train images and 10,000 test images in gray.

    Raises
    ------
    DamagedError
        If the sha256 is not the published one, or a batch does not have the official layout.
    """
    (path,) = paths
    sha256, size = ARCHIVE
    packed = verified(path, size, sha256, "the official cifar-10-python.tar.gz")
    batches = {}
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        for member in archive:
            name = member.name.removeprefix("./")
            if name in (*TRAIN_BATCHES, TEST_BATCH):
                batches[name] = _batch(path, name, archive.extractfile(member))
    absent = [name for name in (*TRAIN_BATCHES, TEST_BATCH) if name not in batches]
    if absent:
        raise DamagedError(path, f"the archive holds no {', '.join(absent)}")
    train = [np.concatenate(arrays) for arrays in zip(*(batches[name] for name in TRAIN_BATCHES), strict=True)]
    return Images(*train, *batches[TEST_BATCH])


def gray(colors: np.ndarray) -> np.ndarray:
    """Convert colors to gray values by ITU-R 601, rounded as Pillow does.

    Parameters
    ----------
    colors : ndarray, shape (samples, 3, pixels), uint8
        Red, green and blue.

    Returns
    -------
    ndarray, shape (samples, pixels), uint8
    """
    weights = np.array([19595, 38470, 7471], np.uint32)  # 0.299, 0.587 and 0.114 in units of 2^-16
    weighted = sum(colors[:, channel].astype(np.uint32) * weights[channel] for channel in range(3))
    return ((weighted + 0x8000) >> 16).astype(np.uint8)


class _ArraysOnly(pickle.Unpickler):
    """Unpickler that makes NumPy arrays and plain Python values, and calls nothing else."""

    ALLOWED = {
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("_codecs", "encode"),
    }

    def find_class(self, module: str, name: str):
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it calls {module}.{name}, which no batch of CIFAR-10 does")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _batch(path: Path, name: str, stored) -> tuple[np.ndarray, np.ndarray]:
    """Gray values (images, 1024) and classes (images,) of one batch."""
    try:
        batch = _ArraysOnly(stored, encoding="bytes").load()
        colors, labels = np.asarray(batch[b"data"]), np.asarray(batch[b"labels"], np.int64)
    except Exception as error:  # a damaged pickle may raise anything
        raise DamagedError(path, f"{name} is not a batch of CIFAR-10 ({type(error).__name__}: {error})") from error
    if (
        colors.dtype != np.uint8
        or colors.ndim != 2
        or colors.shape[1] != 3 * PIXELS
        or labels.shape != colors.shape[:1]
    ):
        fault = (
            f"{name} has images {colors.dtype} {colors.shape} and labels {labels.shape}, expected uint8 (n, 3072), (n,)"
        )
        raise DamagedError(path, fault)
    return gray(colors.reshape(-1, 3, PIXELS)), labels


CIFAR10_ARCHIVE = RawData(
    title="CIFAR-10",
    files={"cifar-10-python.tar.gz": ARCHIVE[1]},
    read=read_archive,
    places=(Mirror("https://www.cs.toronto.edu/~kriz/"),),
    folder="cifar10",
    subfolders=("cifar10", "cifar-10", "."),
)
