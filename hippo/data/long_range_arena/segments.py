"""Segments and markers of Pathfinder images, rendered once for each orientation."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
class Recipe:
    """Parameters of the published generator for one size of image.

    Parameters
    ----------
    margins : tuple of int
        Half of the gap between segments, in pixels. One is chosen for each image.
    length : int
        Length of a segment in pixels.
    thickness : float
        Thickness of a segment in pixels.
    antialias : int
        Segments and markers are rendered at this many times their size.
    distance : int
        Distance between the starts of both contours, in pixels.
    radius : float
        Radius of a marker in pixels.
    continuity : float
        Factor of the turn between two segments: the larger, the straighter the contours.
    contrast : float
        Contrast of the segments of both contours.
    distractor_contrast : float
        Contrast of the segments of distractors.
    distractors : int
        Number of distractors, at most.
    """

    margins: tuple[int, ...]
    length: int
    thickness: float
    antialias: int
    distance: int
    radius: float
    continuity: float
    contrast: float
    distractor_contrast: float
    distractors: int


CONTOUR = 14
"""Segments of each contour: the difficulty "hard"."""
DISTRACTOR = CONTOUR // 3
"""Segments of each distractor."""

RECIPES = {
    32: Recipe((1,), 2, 0.5, 2, 7, 1.5, 1.0, 1.5, 2.0, 20 // DISTRACTOR),
    128: Recipe((2, 3), 5, 1.5, 2, 20, 3.0, 1.8, 0.9, 0.9, 35 // DISTRACTOR),
}
"""Recipe by size of the image in pixels.

References
----------
Docstrings of `lra_benchmarks/data/pathfinder.py` in google-research/long-range-arena. They state a contrast for each
contour and one for each segment: the segments of contours have the product, those of distractors the first.
"""


class Stamps(NamedTuple):
    """Rendered segments of one recipe and margin.

    Attributes
    ----------
    turns : ndarray
        Displacements (row, column) from the pivot to the possible ends of the next segment, shape (K, 2), int64.
    angles : ndarray
        Orientation of each displacement in radians, shape (K,), float64.
    ends : ndarray
        Segment of each displacement, from its end backward, shape (K, size, size), float64, values 0 to 1.
    end_masks : ndarray
        The same dilated by the margin.
    starts : ndarray
        Segment of each whole degree from -180 to 179, from its start forward, shape (360, size, size), float64.
    start_masks : ndarray
        The same dilated by the margin.
    room : ndarray
        Pixels around a start that must be free, by degree: shape (360, size, size), bool.
    """

    turns: np.ndarray
    angles: np.ndarray
    ends: np.ndarray
    end_masks: np.ndarray
    starts: np.ndarray
    start_masks: np.ndarray
    room: np.ndarray


def stamps(recipe: Recipe, margin: int) -> Stamps:
    """Render the segments of all orientations.

    Parameters
    ----------
    recipe : Recipe
        Parameters of the images.
    margin : int
        Half of the gap between segments, in pixels.

    Returns
    -------
    Stamps
        All segments, with their reference point in the center.
    """
    radius = recipe.length + margin
    circle = np.deg2rad(np.arange(0, 360, 180 / (np.pi * radius)))  # one pixel of the arc apart
    points = np.floor(radius * np.stack([np.sin(circle), np.cos(circle)], axis=1)).astype(np.int64)
    turns = np.unique(points, axis=0)
    angles = np.arctan2(turns[:, 0], turns[:, 1])
    backward = np.where(angles < 0, angles + np.pi, angles - np.pi)
    degrees = np.deg2rad(np.arange(-180, 180))
    ends, end_masks = _segments(recipe, margin, backward)
    starts, start_masks = _segments(recipe, margin, degrees)
    # The published generator tests the mask of a segment that starts one pixel below and right of the start itself.
    room = np.zeros(start_masks.shape, dtype=bool)
    room[:, 1:, 1:] = start_masks[:, :-1, :-1] == 1
    center, reach = starts.shape[1] // 2, recipe.length + margin
    inside = np.abs(np.arange(starts.shape[1]) - center) <= reach
    room &= inside[:, None] & inside[None, :]
    return Stamps(turns, angles, ends, end_masks, starts, start_masks, room)


def _segments(recipe: Recipe, margin: int, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Segments from the center in the directions `angles`, and their masks, each (angles, size, size), 0 to 1."""
    from PIL import Image, ImageDraw
    from scipy.ndimage import binary_dilation

    half = recipe.length + int(np.ceil(recipe.thickness)) + margin
    size, fine = 2 * half + 1, recipe.antialias
    center, reach = half * fine, margin * fine
    rows, columns = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    disc = rows**2 + columns**2 <= reach**2
    lines, masks = [], []
    for angle in angles:
        row, column = (int(np.ceil(center + recipe.length * fine * part)) for part in (np.sin(angle), np.cos(angle)))
        image = Image.new("L", (2 * center + 1, 2 * center + 1))
        width = round(recipe.thickness * fine)
        ImageDraw.Draw(image).line([(center, center), (column, row)], fill=255, width=width)
        mask = Image.fromarray(255 * binary_dilation(np.asarray(image) > 0, disc).astype(np.uint8))
        lines.append(image.resize((size, size), Image.Resampling.LANCZOS))
        masks.append(mask.resize((size, size), Image.Resampling.LANCZOS))
    return np.stack(lines) / 255, np.stack(masks) / 255


def marker(recipe: Recipe) -> np.ndarray:
    """Render a marker.

    Parameters
    ----------
    recipe : Recipe
        Parameters of the images.

    Returns
    -------
    ndarray, shape (size, size), float64
        A disc with values from 0 to 1, with its center in the central pixel.
    """
    from PIL import Image

    half, fine = int(np.ceil(recipe.radius)) + 3, recipe.antialias  # Lanczos reaches three pixels beyond the disc
    grid = np.arange(-half * fine, (half + 1) * fine)
    disc = grid[:, None] ** 2 + grid[None, :] ** 2 <= (recipe.radius * fine) ** 2
    image = Image.fromarray(255 * disc.astype(np.uint8))
    return np.asarray(image.resize((2 * half + 1, 2 * half + 1), Image.Resampling.LANCZOS)) / 255
