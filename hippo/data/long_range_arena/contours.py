"""Generator of Pathfinder images: two contours, distractors and two markers, grown segment by segment.

References
----------
Linsley, Kim, Veerabadran, Windolf, Serre 2018, Learning long-range spatial dependencies with horizontal gated recurrent
units, NeurIPS; and the generator published with it, github.com/drewlinsley/pathfinder (MIT).
"""

import random
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
        Start of the first segment, then end of each further segment (row, column) of both contours, shape
        (images, 2, 14, 2), int64.
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
    _seed(rng.integers(0, 2**32))
    for index, choice in enumerate(chosen):
        margin, path = recipe.margins[choice], paths[index]
        image = _image(
            *(size, drawings[choice], margin, recipe.length, recipe.distance, recipe.continuity),
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


# The functions below use plain loops and `random.random`, which Numba compiles several times faster than array
# expressions and a `numpy.random.Generator`.


@njit(nogil=True, cache=True)
def _seed(seed):
    """Seed the random numbers of compiled functions."""
    random.seed(seed)


@njit(nogil=True, cache=True)
def _below(count):
    """A random integer from 0 to count - 1."""
    return int(random.random() * count)


@njit(nogil=True, cache=True)
def _image(size, drawing, margin, length, distance, continuity, contrast, distractor_contrast, distractors, path):
    """Image (size, size), float64, of two contours and distractors; `path` (2, 14, 2) receives both contours."""
    image, mask, occupied = np.zeros((size, size)), np.zeros((size, size)), np.zeros((size, size))
    placed, pivots, angles = np.zeros((2, CONTOUR, 3), np.int64), np.zeros((2, 2), np.int64), np.zeros(2)
    _clear(mask)
    while not _two_contours(mask, drawing, margin, length, distance, continuity, placed, pivots, angles):
        _clear(mask)
    for contour in range(2):
        _draw(image, drawing, placed[contour], contrast)
        for segment in range(CONTOUR):
            path[contour, segment, 0] = placed[contour, segment, 1]
            path[contour, segment, 1] = placed[contour, segment, 2]
    for _ in range(distractors):
        for _ in range(DISTRACTOR_ATTEMPTS):
            _copy(mask, occupied)
            if _distractor(occupied, drawing, margin, length, continuity, placed[0], pivots[0]):
                _copy(occupied, mask)
                _draw(image, drawing, placed[0, :DISTRACTOR], distractor_contrast)
                break
    return image


@njit(nogil=True, cache=True)
def _two_contours(mask, drawing, margin, length, distance, continuity, placed, pivots, angles):
    """Place both contours, one segment each by turns; False if one finds no room.

    `placed` (2, 14, 3) receives, for each segment, its orientation and the point (row, column) that it is rendered
    from. The orientation is the number of a turn, or -1 - degree for a first segment.
    """
    for contour in range(2):
        inside = False
        for _ in range(SEGMENT_ATTEMPTS):
            degree = _below(360)
            if contour == 0:
                pixel = _start(mask, drawing.room[degree], 2 * distance)
                if pixel < 0:
                    return False
                row, column = pixel // len(mask), pixel % len(mask)
            else:
                around = _below(360) * np.pi / 180
                row = int(np.round(placed[0, 0, 1] + distance * np.sin(around)))
                column = int(np.round(placed[0, 0, 2] + distance * np.cos(around)))
            angles[contour] = (degree - 180) * np.pi / 180
            _place(placed[contour, 0], -1 - degree, row, column)
            inside = _first_pivot(pivots[contour], row, column, angles[contour], length, margin, len(mask))
            if inside:
                break
        if not inside:
            return False
    for segment in range(1, CONTOUR):
        for contour in range(2):
            pivot = pivots[contour]
            turn = _extend(mask, drawing, pivot, angles[contour], margin, length, continuity)
            if turn < 0:
                return False
            # The mask of a segment counts one segment later, so that neighbors on a contour may touch.
            _occupy(mask, drawing, placed[contour, segment - 1])
            angles[contour] = drawing.angles[turn]
            row, column = pivot[0] + drawing.turns[turn, 0], pivot[1] + drawing.turns[turn, 1]
            _place(placed[contour, segment], turn, row, column)
    # As published, only the second contour's last segment is masked: a distractor may cross that of the first.
    _occupy(mask, drawing, placed[1, CONTOUR - 1])
    return True


@njit(nogil=True, cache=True)
def _distractor(mask, drawing, margin, length, continuity, placed, pivot):
    """Place one distractor, in the first 4 of `placed` (14, 3) as in `_two_contours`; False if it finds no room."""
    size, free = len(mask), 0
    for row in range(size):
        for column in range(size):
            free += mask[row, column] <= OCCUPIED
    if free < LEAST_FREE * size * size:
        return False
    angle, inside = 0.0, False
    for _ in range(SEGMENT_ATTEMPTS):
        degree = _below(360)
        pixel = _start(mask, drawing.room[degree], 1)
        if pixel < 0:
            return False
        row, column = pixel // size, pixel % size
        angle = (degree - 180) * np.pi / 180
        _place(placed[0], -1 - degree, row, column)
        inside = _first_pivot(pivot, row, column, angle, length, margin, size)
        if inside:
            break
    if not inside:
        return False
    for segment in range(1, DISTRACTOR):
        turn = _extend(mask, drawing, pivot, angle, margin, length, continuity)
        if turn < 0:
            return False
        _occupy(mask, drawing, placed[segment - 1])
        angle = drawing.angles[turn]
        _place(placed[segment], turn, pivot[0] + drawing.turns[turn, 0], pivot[1] + drawing.turns[turn, 1])
    _occupy(mask, drawing, placed[DISTRACTOR - 1])
    return True


@njit(nogil=True, cache=True)
def _start(mask, room, border):
    """A random free pixel, row * size + column, with room for a first segment; -1 if there is none.

    The pixel and the segment are at least `border` pixels from the edge.
    """
    size = len(mask)
    inner = size - 2 * border
    for _ in range(LUCKY_DRAWS):  # equal in distribution to a choice from the list below, and much faster
        row, column = border + _below(inner), border + _below(inner)
        if _has_room(mask, room, row, column, border):
            return row * size + column
    free, count = np.zeros(size * size, np.int64), 0
    for row in range(border, size - border):
        for column in range(border, size - border):
            if _has_room(mask, room, row, column, border):
                free[count] = row * size + column
                count += 1
    return free[_below(count)] if count else -1


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
                if r < border or c < border or r >= size - border or c >= size - border or mask[r, c] > OCCUPIED:
                    return False
    return True


@njit(nogil=True, cache=True)
def _first_pivot(pivot, row, column, angle, length, margin, size):
    """Set the point from which the second segment is measured; whether it and the first segment's end are inside."""
    sine, cosine = np.sin(angle), np.cos(angle)
    end_row, end_column = int(np.ceil(row + length * sine)), int(np.ceil(column + length * cosine))
    back = length + margin
    pivot[0], pivot[1] = int(np.ceil(end_row - back * sine)), int(np.ceil(end_column - back * cosine))
    return _inside(end_row, end_column, size) and _inside(pivot[0], pivot[1], size)


@njit(nogil=True, cache=True)
def _inside(row, column, size):
    """Whether a point is inside the image."""
    return 0 <= row < size and 0 <= column < size


@njit(nogil=True, cache=True)
def _extend(mask, drawing, pivot, angle, margin, length, continuity):
    """Number of the turn that the next segment takes, -1 if there is no room; moves the pivot to its new place."""
    size, turns = len(mask), drawing.turns
    step = length + 2 * margin
    pivot[0] = int(np.ceil(pivot[0] + step * np.sin(angle)))
    pivot[1] = int(np.ceil(pivot[1] + step * np.cos(angle)))
    cumulated, total = np.zeros(len(turns)), 0.0
    for turn in range(len(turns)):
        row, column = pivot[0] + turns[turn, 0], pivot[1] + turns[turn, 1]
        if _inside(row, column, size):
            change = abs(drawing.angles[turn] - angle)
            change = continuity * min(change, 2 * np.pi - change)
            if change < np.pi / 2:
                total += np.cos(change) ** 2 * (1 - _near(mask, row, column, margin))
        cumulated[turn] = total
    if total < 1e-4:
        return -1
    for _ in range(SEGMENT_ATTEMPTS):
        level, turn = random.random() * total, 0
        while cumulated[turn] <= level and turn < len(turns) - 1:
            turn += 1
        if not _overlaps(mask, drawing.end_masks[turn], pivot[0] + turns[turn, 0], pivot[1] + turns[turn, 1]):
            return turn
    return -1


@njit(nogil=True, cache=True)
def _near(mask, row, column, margin):
    """Largest value of the mask within the margin of a pixel."""
    largest = 0.0
    for i in range(-margin, margin + 1):
        for j in range(-margin, margin + 1):
            if i * i + j * j <= margin * margin and _inside(row + i, column + j, len(mask)):
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
def _place(segment, orientation, row, column):
    """Set orientation and point of a segment, as in `_two_contours`."""
    segment[0], segment[1], segment[2] = orientation, row, column


@njit(nogil=True, cache=True)
def _draw(image, drawing, placed, contrast):
    """Draw the segments of one contour or distractor."""
    for segment in range(len(placed)):
        orientation, row, column = placed[segment, 0], placed[segment, 1], placed[segment, 2]
        if orientation >= 0:
            _stamp(image, drawing.ends[orientation], row, column, contrast)
        else:
            _stamp(image, drawing.starts[-1 - orientation], row, column, contrast)


@njit(nogil=True, cache=True)
def _occupy(mask, drawing, segment):
    """Put the mask of a segment, as in `_two_contours`, into the mask."""
    if segment[0] >= 0:
        _stamp(mask, drawing.end_masks[segment[0]], segment[1], segment[2], 1.0)
    else:
        _stamp(mask, drawing.start_masks[-1 - segment[0]], segment[1], segment[2], 1.0)


@njit(nogil=True, cache=True)
def _clear(mask):
    """Free all pixels but those of the edge."""
    size = len(mask)
    for row in range(size):
        for column in range(size):
            mask[row, column] = row == 0 or column == 0 or row == size - 1 or column == size - 1


@njit(nogil=True, cache=True)
def _copy(source, target):
    """Copy an image."""
    for row in range(len(source)):
        for column in range(len(source)):
            target[row, column] = source[row, column]
