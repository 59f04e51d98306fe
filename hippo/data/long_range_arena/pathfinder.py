"""Pathfinder and Path-X: whether a dashed contour connects two markers in an image, read pixel by pixel."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import NonNegativeInt, PositiveInt

from hippo.data.dataset import Dataset, DatasetOptions, Part
from hippo.data.long_range_arena.generated import chunks

CHUNK = 500
"""Images in one file of the cache."""
TITLES = {32: "Pathfinder-32", 128: "Path-X (Pathfinder-128)"}


class Pathfinder(DatasetOptions):
    """Pathfinder images of 32 × 32 or, as the task Path-X, 128 × 128 pixels, 2 classes; contours of 14 segments.

    Inputs have shape (samples, size², 1), uint8, with scale 1/255. Targets have shape (samples,), int64: 1 if both
    markers are on the same contour.

    Attributes
    ----------
    size : int, default 32
        Height and width of an image: 32 or 128.
    origin : str, default "generated"
        "generated": by the published algorithm, written anew here. "published": the folder
        `pathfinder<size>/curv_contour_length_14` of Long Range Arena, from the user's folder.
    train_samples : int, default 160000
        Images of the train part.
    eval_samples : int, default 20000
        Images of the validation part, and of the test part.
    seed : int, default 0
        Seed of generated images, or of the split of the published ones into 160,000, 20,000 and 20,000.
    """

    test_options: ClassVar[dict[str, Any]] = {"train_samples": 60, "eval_samples": 20}

    size: Literal[32, 128] = 32
    origin: Literal["generated", "published"] = "generated"
    train_samples: PositiveInt = 160_000
    eval_samples: PositiveInt = 20_000
    seed: NonNegativeInt = 0

    def fetch(self, sources) -> dict[str, str]:
        """Find the published images; generated ones need no file (`DatasetOptions.fetch`)."""
        if self.origin == "generated":
            return {}
        from hippo.data.long_range_arena.published_pathfinder import find_images

        folder = find_images(sources, self.size)
        return {str(folder): f"data folder {sources.data_dir}"}

    def build(self, sources) -> Dataset:
        """Build the parts train, validation and test (`DatasetOptions.build`)."""
        samples = {"train": self.train_samples, "validation": self.eval_samples, "test": self.eval_samples}
        if self.origin == "published":
            from hippo.data.long_range_arena.published_pathfinder import read_parts

            parts = read_parts(sources, self.size, samples, self.seed)
            source = f"{TITLES[self.size]} of Long Range Arena"
        else:
            parts = {
                name: self._part(number, name, size, sources.cache)
                for number, (name, size) in enumerate(samples.items())
            }
            source = f"{TITLES[self.size]}, regenerated, seed {self.seed}"
        return Dataset(parts, classes=2, source=source, scale=1 / 255)

    def _part(self, number: int, name: str, samples: int, cache: Path) -> Part:
        """One part of generated images, from the cache where it has them. More samples leave the first as they are."""
        from hippo.data.long_range_arena.segments import RECIPES

        settings = {"size": self.size, "seed": self.seed, "chunk": CHUNK, "recipe": asdict(RECIPES[self.size])}
        makers = {
            f"{name}-{chunk:04d}": partial(_chunk, self.size, [self.seed, number, chunk])
            for chunk in range(-(-samples // CHUNK))
        }
        inputs = np.empty((samples, self.size**2, 1), np.uint8)
        targets = np.empty(samples, np.int64)
        first = 0
        for made in chunks(cache, f"pathfinder{self.size}", settings, makers):
            last = min(first + CHUNK, samples)
            inputs[first:last] = made["pixels"][: last - first].reshape(last - first, -1, 1)
            targets[first:last] = made["labels"][: last - first]
            first = last
        return Part(inputs, targets)


def _chunk(size: int, seed: list[int]) -> dict[str, np.ndarray]:
    """Images and labels of one chunk."""
    from hippo.data.long_range_arena.contours import generate

    made = generate(size, CHUNK, seed)
    return {"pixels": made.pixels, "labels": made.labels}
