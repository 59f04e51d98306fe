"""The published images of Pathfinder, in the user's folder."""

from pathlib import Path

import numpy as np

from hippo.data.dataset import Part
from hippo.data.errors import DataError, NoSourceError
from hippo.data.raw_files import find_folder

IMAGES = 200_000
DIFFICULTY = "curv_contour_length_14"
"""The difficulty "hard"."""
PLACES = ("lra_release/lra_release", "lra_release", ".")


def find_images(sources, size: int) -> Path:
    """Return the folder of the published images.

    Parameters
    ----------
    sources : hippo.data.sources.Sources
        Where raw files are looked for.
    size : int
        Height and width of the images.

    Returns
    -------
    Path
        The folder `pathfinder<size>/curv_contour_length_14`, with its subfolders `imgs` and `metadata`.

    Raises
    ------
    NoSourceError
        If there is no such folder.
    DataError
        If there is only the damaged copy of `pathfinder128`.
    """
    name, damaged = f"pathfinder{size}", None
    for place in PLACES if sources.data_dir else ():
        folder = find_folder(sources.data_dir, f"{place}/{name}/{DIFFICULTY}")
        if folder is None:
            continue
        if size == 128 and _is_damaged_copy(folder.parent):
            damaged = folder.parent
            continue
        for subfolder in ("imgs", "metadata"):
            if find_folder(folder, subfolder) is None:
                raise DataError(f"{folder}: has no folder {subfolder!r}; unpack the archive of Long Range Arena again")
        return folder
    if damaged:
        raise DataError(
            f"{damaged}: the damaged copy of pathfinder128, on which no model generalizes (google-research/"
            "long-range-arena, issue 38); use lra_release/lra_release/pathfinder128 of the same archive"
        )
    advice = f"put {name}/{DIFFICULTY} of Long Range Arena into a folder and set HIPPO_DATA_DIR to it"
    raise NoSourceError(
        f"Pathfinder: not found. {advice[0].upper()}{advice[1:]}, or choose origin: generated. Tried:\n"
        f"  data folder: {sources.data_dir or 'none given'}",
        advice,
    )


def _is_damaged_copy(folder: Path) -> bool:
    """Whether `pathfinder128` is the outer one of the two that the archive holds.

    The outer `lra_release` holds `listops-1000`, this copy and the inner `lra_release`; the inner one holds all tasks.
    """
    siblings = {path.name for path in folder.parent.iterdir()}
    whole = siblings & {"pathfinder32", "pathfinder64", "pathfinder256", "tsv_data"}
    return not whole and ("lra_release" in siblings or folder.parent.name == "lra_release")


def read_parts(sources, size: int, samples: dict[str, int], seed: int) -> dict[str, Part]:
    """Read the published images, split at random.

    Parameters
    ----------
    sources : hippo.data.sources.Sources
        Where raw files are looked for.
    size : int
        Height and width of the images.
    samples : dict of int
        Images of the parts "train", "validation" and "test": at most 160,000, 20,000 and 20,000.
    seed : int
        Seed of the split.

    Returns
    -------
    dict of Part
        Inputs (samples, size², 1), uint8.

    Raises
    ------
    DataError
        If images are missing, damaged or of another size, or more are asked for than there are.
    """
    folder = find_images(sources, size)
    names, labels = _labels(folder)
    order = np.random.default_rng(seed).permutation(len(names))
    train, validation, test = np.split(order, [8 * len(names) // 10, 9 * len(names) // 10])
    parts = {}
    for name, indices in (("train", train), ("validation", validation), ("test", test)):
        if samples[name] > len(indices):
            raise DataError(
                f"Pathfinder, part {name!r}: {samples[name]} images are asked for, the published part has "
                f"{len(indices)}; set train_samples or eval_samples to at most that"
            )
        chosen = np.sort(indices[: samples[name]])
        inputs = np.empty((len(chosen), size**2, 1), np.uint8)
        for row, index in zip(inputs, chosen, strict=True):
            row[:, 0] = _pixels(folder / names[index], size)
        parts[name] = Part(inputs, labels[chosen])
    return parts


def _labels(folder: Path) -> tuple[list[str], np.ndarray]:
    """Path of each image relative to the folder, and its label."""
    names, labels = [], []
    files = sorted((folder / "metadata").glob("*.npy"), key=lambda path: (len(path.stem), path.stem))
    for path in files:  # text files, whatever their suffix says
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            columns = line.split()
            valid = len(columns) >= 4 and columns[3] in ("0", "1") and ".." not in Path(columns[0], columns[1]).parts
            if not valid or Path(columns[0], columns[1]).is_absolute():
                raise DataError(
                    f"{path}: line {number} is {line[:60]!r}, expected folder, file, number and label of an image; "
                    "unpack the archive of Long Range Arena again"
                )
            names.append(f"{columns[0]}/{columns[1]}")
            labels.append(int(columns[3]))
    if len(names) != IMAGES:
        raise DataError(
            f"{folder / 'metadata'}: {len(names):,} images are listed, expected {IMAGES:,}; the copy is incomplete, "
            "unpack the archive of Long Range Arena again"
        )
    return names, np.array(labels, np.int64)


def _pixels(path: Path, size: int) -> np.ndarray:
    """Gray values of an image, row by row (size²,), uint8."""
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG",)) as image:
            if image.size != (size, size) or image.mode != "L":
                raise DataError(f"{path}: an image {image.size} of mode {image.mode}, expected {size} x {size} in gray")
            return np.asarray(image).reshape(-1)
    except DataError:
        raise
    except Exception as error:  # Pillow raises many types for a damaged file
        raise DataError(f"{path}: missing or damaged image ({error}); unpack the archive again") from error
