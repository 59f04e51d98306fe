"""Padding, splitting and resampling of pen recordings."""

import math

import numpy as np

TINY = 1e-9  # 100 * 0.29 is 28.999999999999996 in floating point


def pad(sequences: list[np.ndarray]) -> np.ndarray:
    """Pad sequences to the length of the longest, by repeating their last value.

    Parameters
    ----------
    sequences : list of ndarray
        Each of shape (length, channels).

    Returns
    -------
    ndarray
        Shape (samples, longest, channels).
    """
    longest = max(len(one) for one in sequences)
    return np.stack([np.pad(one, ((0, longest - len(one)), (0, 0)), mode="edge") for one in sequences])


def split(letters: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Split recordings into train (70 %), validation (15 %) and test (15 %), with every letter in proportion.

    Parameters
    ----------
    letters : ndarray
        Class of each recording, shape (samples,).
    seed : int
        Seed of the split.

    Returns
    -------
    dict of ndarray
        Indices of the recordings in "train", "validation" and "test".

    Notes
    -----
    The recordings of each letter, in random order, get evenly spaced positions in [0, 1). All recordings are sorted
    by position, and the first 70 % are the train part.
    """
    rng = np.random.default_rng(seed)
    position = np.empty(len(letters))
    for letter in np.unique(letters):
        indices = rng.permutation(np.flatnonzero(letters == letter))
        position[indices] = (np.arange(len(indices)) + 0.5) / len(indices)
    order = np.argsort(position, kind="stable")
    train = int(0.7 * len(letters))
    validation = (len(letters) - train) // 2
    return {
        "train": order[:train],
        "validation": order[train : train + validation],
        "test": order[train + validation :],
    }


def kept_indices(samples: int, length: int, hz: float, rng: np.random.Generator | None) -> np.ndarray:
    """Return the indices of the steps that are kept at a lower sampling rate.

    Parameters
    ----------
    samples : int
        Number of sequences.
    length : int
        Steps of each sequence.
    hz : float
        Fraction of the steps that is kept, in (0, 1].
    rng : numpy.random.Generator or None
        None: keep the steps floor(i / hz). Else: keep a random subset, a different one for every sequence.

    Returns
    -------
    ndarray
        Sorted indices, shape (samples, floor(length * hz)), int64. At least one step is kept.
    """
    kept = max(1, math.floor(length * hz + TINY))
    if rng is None:
        return np.tile(np.floor(np.arange(kept) / hz + TINY).astype(int), (samples, 1))
    shuffled = rng.permuted(np.tile(np.arange(length), (samples, 1)), axis=1)
    return np.sort(shuffled[:, :kept], axis=1)


def at_speed(values: np.ndarray, speed: float, hz: float) -> np.ndarray:
    """Resample recordings as if they had been written faster, by linear interpolation.

    Parameters
    ----------
    values : ndarray
        Recordings, shape (samples, length, channels).
    speed : float
        Factor of the speed of writing.
    hz : float
        Sampling rate, relative to that of the recordings.

    Returns
    -------
    ndarray
        Shape (samples, floor(length * hz / speed), channels). Step i is the recording at time i * speed / hz; after
        its end, its last value.
    """
    last = values.shape[1] - 1
    positions = np.minimum(np.arange(max(1, math.floor(values.shape[1] * hz / speed + TINY))) * speed / hz, last)
    before = np.minimum(positions.astype(int), last - 1)
    weight = (positions - before)[:, None]
    return (1 - weight) * values[:, before] + weight * values[:, before + 1]


def letters_in_turn(letters: np.ndarray, limit: int | None) -> np.ndarray:
    """Choose recordings such that all letters occur about equally often.

    Parameters
    ----------
    letters : ndarray
        Class of each recording, shape (samples,).
    limit : int or None
        Number of recordings to choose. None: all.

    Returns
    -------
    ndarray
        Sorted indices of the chosen recordings: the first of every letter, then the second of every letter, and so on.
    """
    if limit is None:
        return np.arange(len(letters))
    rank = np.zeros(len(letters), dtype=int)
    for letter in np.unique(letters):
        indices = np.flatnonzero(letters == letter)
        rank[indices] = np.arange(len(indices))
    return np.sort(np.lexsort((letters, rank))[:limit])
