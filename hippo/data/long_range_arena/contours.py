"""Generator of Pathfinder images: two contours, distractors and two markers, grown segment by segment.

References
----------
Linsley, Kim, Veerabadran, Windolf, Serre 2018, Learning long-range spatial dependencies with horizontal gated recurrent
units, NeurIPS; and the generator published with it, github.com/drewlinsley/pathfinder (MIT).
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numba import njit

from hippo.data.long_range_arena.segments import CONTOUR, DISTRACTOR, RECIPES, marker, stamps

OCCUPIED = 0.3  # a pixel whose mask is above this is not free for a start
OVERLAP = 1.8  # two masks whose sum reaches this overlap
SEGMENT_ATTEMPTS = 3
DISTRACTOR_ATTEMPTS = 5
LEAST_FREE = 0.01  # fraction of free pixels below which no distractor is added
LUCKY_DRAWS = 100  # random pixels that are tried before all free pixels are listed


class Images(NamedTuple):
    """Generated images, and the geometry that their labels follow from.

    Attributes
    ----------
    pixels : ndarray
        Gray values, shape (images, size, size), uint8.
    labels : ndarray
        1 if both markers are on the same contour, else 0, shape (images,), int64.
    paths : ndarray
        Start of the first segment, then end of each further segment (row, column) of both contours, shape (images, 2, 14, 2), int64.
    markers : ndarray
        Position of both markers (row, column), shape (images, 2, 2), int64.
    """

    pixels: np.ndarray
    labels: np.ndarray
    paths: np.ndarray
    markers: np.ndarray


def generate(size: int, images: int, seed: list[int]) -> Images:
    """Generate Pathfinder images.

    Parameters
    ----------
    size : int
        Height and width: 32 or 128.
    images : int
        Number of images.
    seed : list of int
        Seed for `numpy.random.default_rng`.

    Returns
    -------
    Images
        The same for the same arguments.
    """
    recipe, drawings, disc = _rendered(size)
    rng = np.random.default_rng(seed)
    pixels = np.zeros((images, size, size), dtype=np.uint8)
    labels = rng.integers(0, 2, size=images)
    paths = np.zeros((images, 2, CONTOUR, 2), dtype=np.int64)
    markers = np.zeros((images, 2, 2), dtype=np.int64)
    chosen = rng.integers(0, len(recipe.margins), size=images)
    first = rng.integers(0, 2, size=images)
    for index, choice in enumerate(chosen):
        margin, path = recipe.margins[choice], paths[index]
        image = _image(
            *(rng, size, drawings[choice], margin, recipe.length, recipe.distance, recipe.continuity),
            *(recipe.contrast, recipe.distractor_contrast, recipe.distractors, path),
        )
        one = int(first[index])
        other = one if labels[index] else 1 - one
        markers[index] = path[one, 0], path[other, -1]
        for row, column in markers[index]:
            _stamp(image, disc, row, column, 1.0)
        pixels[index] = np.floor(image * (255 / image.max()) + 0.5)  # the published images span 0 to 255
    return Images(pixels, labels, paths, markers)


@cache
def _rendered(size: int):
    """Recipe, stamps of each margin, and marker."""
    recipe = RECIPES[size]
    return recipe, [stamps(recipe, margin) for margin in recipe.margins], marker(recipe)


@njit(nogil=True, cache=True)
def _image(rng, size, drawing, margin, length, distance, continuity, contrast, distractor_contrast, distractors, path):
    """Image (size, size), float64, of two contours and distractors; `path` (2, 14, 2) receives both contours."""
    mask, placed = np.zeros((size, size)), np.zeros((2, CONTOUR, 3), np.int64)
    while True:
        mask[:] = 0
        mask[0], mask[-1], mask[:, 0], mask[:, -1] = 1, 1, 1, 1
        if _two_contours(rng, mask, drawing, margin, length, distance, continuity, placed):
            break
    image = np.zeros((size, size))
    for contour in range(2):
        _draw(image, drawing, placed[contour], contrast)
        path[contour] = placed[contour, :, 1:]
    short = np.zeros((DISTRACTOR, 3), np.int64)
    for _ in range(distractors):
        for _ in range(DISTRACTOR_ATTEMPTS):
            occupied = mask.copy()
            if _distractor(rng, occupied, drawing, margin, length, continuity, short):
                mask = occupied
                _draw(image, drawing, short, distractor_contrast)
                break
    return image


@njit(nogil=True, cache=True)
def _two_contours(rng, mask, drawing, margin, length, distance, continuity, placed):
    """Place both contours, one segment each by turns; False if one finds no room.

    `placed` (2, 14, 3) receives, for each segment, its orientation and the point (row, column) that it is rendered from.
    The orientation is the number of a turn, or -1 - degree for a first segment.
    """
    size = len(mask)
    pivots, angles = np.zeros((2, 2), np.int64), np.zeros(2)
    for contour in range(2):
        inside = False
        for _ in range(SEGMENT_ATTEMPTS):
            degree = rng.integers(0, 360)
            if contour == 0:
                row, column = _start(rng, mask, drawing.room[degree], 2 * distance)
                if row < 0:
                    return False
            else:
                around = np.deg2rad(rng.integers(0, 360))
                row = int(np.round(placed[0, 0, 1] + distance * np.sin(around)))
                column = int(np.round(placed[0, 0, 2] + distance * np.cos(around)))
            angles[contour] = np.deg2rad(degree - 180.0)
            placed[contour, 0] = -1 - degree, row, column
            inside = _first_pivot(pivots[contour], row, column, angles[contour], length, margin, size)
            if inside:
                break
        if not inside:
            return False
    for segment in range(1, CONTOUR):
        for contour in range(2):
            turn = _extend(rng, mask, drawing, pivots[contour], angles[contour], margin, length, continuity)
            if turn < 0:
                return False
            # The mask of a segment counts one segment later, so that neighbors on a contour may touch.
            _occupy(mask, drawing, placed[contour, segment - 1])
            angles[contour] = drawing.angles[turn]
            row, column = pivots[contour] + drawing.turns[turn]
            placed[contour, segment] = turn, row, column
    # As published, only the second contour's last segment is masked: a distractor may cross that of the first.
    _occupy(mask, drawing, placed[1, -1])
    return True


@njit(nogil=True, cache=True)
def _distractor(rng, mask, drawing, margin, length, continuity, placed):
    """Place one distractor, in `placed` (4, 3) as in `_two_contours`; False if it finds no room."""
    size = len(mask)
    if (mask <= OCCUPIED).sum() < LEAST_FREE * size * size:
        return False
    pivot, angle, inside = np.zeros(2, np.int64), 0.0, False
    for _ in range(SEGMENT_ATTEMPTS):
        degree = rng.integers(0, 360)
        row, column = _start(rng, mask, drawing.room[degree], 1)
        if row < 0:
            return False
        angle = np.deg2rad(degree - 180.0)
        placed[0] = -1 - degree, row, column
        inside = _first_pivot(pivot, row, column, angle, length, margin, size)
        if inside:
            break
    if not inside:
        return False
    for segment in range(1, DISTRACTOR):
        turn = _extend(rng, mask, drawing, pivot, angle, margin, length, continuity)
        if turn < 0:
            return False
        _occupy(mask, drawing, placed[segment - 1])
        angle = drawing.angles[turn]
        row, column = pivot + drawing.turns[turn]
        placed[segment] = turn, row, column
    _occupy(mask, drawing, placed[-1])
    return True


@njit(nogil=True, cache=True)
def _start(rng, mask, room, border):
    """A random free pixel with room for a first segment, at least `border` from the edge; (-1, -1) if there is none."""
    size = len(mask)
    for _ in range(LUCKY_DRAWS):  # equal in distribution to a choice from the list below, and much faster
        row, column = rng.integers(border, size - border), rng.integers(border, size - border)
        if _has_room(mask, room, row, column, border):
            return row, column
    free = np.zeros((size * size, 2), np.int64)
    count = 0
    for row in range(border, size - border):
        for column in range(border, size - border):
            if _has_room(mask, room, row, column, border):
                free[count] = row, column
                count += 1
    if count == 0:
        return -1, -1
    chosen = rng.integers(0, count)
    return free[chosen, 0], free[chosen, 1]


@njit(nogil=True, cache=True)
def _has_room(mask, room, row, column, border):
    """Whether a segment that starts here meets no mask and stays `border` pixels from the edge."""
    size, half = len(mask), len(room) // 2
    if mask[row, column] > OCCUPIED:
        return False
    for i in range(len(room)):
        for j in range(len(room)):
            if room[i, j]:
                r, c = row + i - half, column + j - half
                if r < 0 or c < 0 or r >= size or c >= size:
                    continue
                if r < border or c < border or r >= size - border or c >= size - border or mask[r, c] > OCCUPIED:
                    return False
    return True


@njit(nogil=True, cache=True)
def _first_pivot(pivot, row, column, angle, length, margin, size):
    """Set the point from which the second segment is measured; whether it and the first segment's end are inside."""
    sine, cosine = np.sin(angle), np.cos(angle)
    head_row, head_column = int(np.ceil(row + length * sine)), int(np.ceil(column + length * cosine))
    back = length + margin
    pivot[0], pivot[1] = int(np.ceil(head_row - back * sine)), int(np.ceil(head_column - back * cosine))
    lowest = min(head_row, head_column, pivot[0], pivot[1])
    return lowest >= 0 and max(head_row, head_column, pivot[0], pivot[1]) < size


@njit(nogil=True, cache=True)
def _extend(rng, mask, drawing, pivot, angle, margin, length, continuity):
    """Number of the turn that the next segment takes, -1 if there is no room; moves the pivot to its new place."""
    size, turns = len(mask), drawing.turns
    step = length + 2 * margin
    pivot[0] = int(np.ceil(pivot[0] + step * np.sin(angle)))
    pivot[1] = int(np.ceil(pivot[1] + step * np.cos(angle)))
    cumulated, total = np.zeros(len(turns)), 0.0
    for turn in range(len(turns)):
        row, column = pivot[0] + turns[turn, 0], pivot[1] + turns[turn, 1]
        if 0 <= row < size and 0 <= column < size:
            change = abs(drawing.angles[turn] - angle)
            change = min(change, 2 * np.pi - change)
            weight = np.cos(min(continuity * change, np.pi / 2)) ** 2
            if weight > 1e-9:
                total += weight * (1 - _near(mask, row, column, margin))
        cumulated[turn] = total
    if total < 1e-4:
        return -1
    for _ in range(SEGMENT_ATTEMPTS):
        turn = np.searchsorted(cumulated, rng.random() * total, side="right")
        turn = min(turn, len(turns) - 1)
        if not _overlaps(mask, drawing.end_masks[turn], pivot[0] + turns[turn, 0], pivot[1] + turns[turn, 1]):
            return turn
    return -1


@njit(nogil=True, cache=True)
def _near(mask, row, column, margin):
    """Largest value of the mask within the margin of a pixel."""
    size, largest = len(mask), 0.0
    for i in range(-margin, margin + 1):
        for j in range(-margin, margin + 1):
            if i * i + j * j <= margin * margin and 0 <= row + i < size and 0 <= column + j < size:
                largest = max(largest, mask[row + i, column + j])
    return largest


@njit(nogil=True, cache=True)
def _overlaps(mask, stamp, row, column):
    """Whether a stamp overlaps the mask."""
    size, half = len(mask), len(stamp) // 2
    for r in range(max(row - half, 0), min(row + half + 1, size)):
        for c in range(max(column - half, 0), min(column + half + 1, size)):
            if mask[r, c] + stamp[r - row + half, c - column + half] >= OVERLAP:
                return True
    return False


@njit(nogil=True, cache=True)
def _stamp(image, stamp, row, column, contrast):
    """Put a stamp into an image: the maximum of both."""
    size, half = len(image), len(stamp) // 2
    for r in range(max(row - half, 0), min(row + half + 1, size)):
        for c in range(max(column - half, 0), min(column + half + 1, size)):
            image[r, c] = max(image[r, c], contrast * stamp[r - row + half, c - column + half])


@njit(nogil=True, cache=True)
def _draw(image, drawing, placed, contrast):
    """Draw the segments of one contour or distractor."""
    _stamp(image, drawing.starts[-1 - placed[0, 0]], placed[0, 1], placed[0, 2], contrast)
    for segment in range(1, len(placed)):
        _stamp(image, drawing.ends[placed[segment, 0]], placed[segment, 1], placed[segment, 2], contrast)


@njit(nogil=True, cache=True)
def _occupy(mask, drawing, segment):
    """Put the mask of a segment, as in `_two_contours`, into the mask."""
    if segment[0] >= 0:
        _stamp(mask, drawing.end_masks[segment[0]], segment[1], segment[2], 1.0)
    else:
        _stamp(mask, drawing.start_masks[-1 - segment[0]], segment[1], segment[2], 1.0)
