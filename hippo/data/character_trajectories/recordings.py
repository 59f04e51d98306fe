"""The recordings of CharacterTrajectories: their order, and how they are recognized by content.

The same 2858 recordings are published by the UCI repository (a MATLAB file, with zero columns at both ends) and by
the UEA archive (two text files; without the zeros until 2023, then with them and in other splits).

References
----------
B. H. Williams, M. Toussaint, A. J. Storkey, Extracting motion primitives from natural handwriting data, ICANN 2006.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hippo.data.errors import DamagedError

LETTERS = "abcdeghlmnopqrsuvwyz"
COUNTS = (171, 141, 142, 157, 186, 138, 127, 174, 125, 130, 141, 131, 124, 119, 133, 131, 155, 125, 137, 171)
LENGTHS = (60, 182)  # shortest and longest, without the zero columns
PADDED_LENGTHS = (109, 205)  # with them
VALUES = sum(COUNTS) * PADDED_LENGTHS[1] * 3  # values in all recordings, at most
SUM = -81885.612004
# sha256 over the sorted sha256 of every recording (letter, then its trimmed float64 values step by step)
DIGEST = "dc0193e652491ef4cd32e317b133d01ba81a6317a0161896e141f0e4d3bc1614"


@dataclass(frozen=True)
class Recordings:
    """Pen trajectories in an order that depends on their content only, so that every published form splits alike.

    Parameters
    ----------
    sequences : list of ndarray
        Trajectories of shape (length, 3), float64: x and y velocity and pen force, without zero rows at the ends.
    letters : ndarray
        Class of each trajectory, 0 to 19, shape (samples,), int64.
    form : str
        The published form, for messages and titles.
    """

    sequences: list[np.ndarray]
    letters: np.ndarray
    form: str


def trim(recording: np.ndarray) -> np.ndarray:
    """Remove the rows at both ends of a recording (length, channels) whose values are all zero or NaN."""
    (kept,) = np.nonzero((np.nan_to_num(recording) != 0).any(axis=1))
    return recording[kept[0] : kept[-1] + 1] if len(kept) else recording[:0]


def arrange(raw: list[np.ndarray], letters: np.ndarray, form: str) -> Recordings:
    """Trim recordings and sort them by letter, length and sum. No two recordings agree in all three.

    Parameters
    ----------
    raw : list of ndarray
        Recordings of shape (length, 3).
    letters : ndarray
        Class of each recording, 0 to 19, shape (samples,).
    form : str
        The published form.

    Returns
    -------
    Recordings
        The recordings in their canonical order.
    """
    sequences = [trim(recording) for recording in raw]
    keys = [(letter, len(one), one.sum()) for letter, one in zip(letters, sequences, strict=True)]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return Recordings([sequences[i] for i in order], np.asarray(letters)[order], form)


def recognize(path: Path, raw: list[np.ndarray], letters: np.ndarray, publisher: str, tolerance: float) -> Recordings:
    """Compare recordings with the known counts, lengths and sum, and arrange them.

    Parameters
    ----------
    path : Path
        File they were read from, for messages.
    raw : list of ndarray
        Recordings of shape (length, 3).
    letters : ndarray
        Class of each recording, shape (samples,), int64.
    publisher : str
        "UCI file" or "UEA archive".
    tolerance : float
        Largest accepted deviation of the sum of all values.

    Returns
    -------
    Recordings
        The recordings, with the published form that they have.

    Raises
    ------
    DamagedError
        If they are not CharacterTrajectories.
    """
    companion = "" if publisher == "UCI file" else " (with the other part's file)"
    wrong = f"truncated, altered or not CharacterTrajectories{companion}: "
    expected = sum(COUNTS)
    require(path, len(raw) == expected, f"{wrong}{len(raw)} recordings, expected {expected}")
    in_range = letters.min() >= 0 and letters.max() < len(LETTERS)
    require(path, in_range, f"{wrong}labels from {letters.min() + 1} to {letters.max() + 1}, expected 1 to 20")
    counts = tuple(np.bincount(letters, minlength=len(LETTERS)).tolist())
    require(path, counts == COUNTS, f"{wrong}recordings per letter {counts}, expected {COUNTS}")
    found = arrange(raw, letters, _form(publisher, raw))
    lengths = _span(found.sequences)
    require(path, lengths == LENGTHS, f"{wrong}lengths {lengths} without zero columns, expected {LENGTHS}")
    total = float(sum(one.sum() for one in found.sequences))
    agrees = abs(total - SUM) <= tolerance
    require(path, agrees, f"{wrong}the sum of all values is {total:.6f}, expected {SUM:.6f}")
    return found


def _form(publisher: str, raw: list[np.ndarray]) -> str:
    """Name of the published form: publisher, zero columns, and lengths."""
    shortest, longest = _span(raw)
    known = {LENGTHS: "zero columns removed", PADDED_LENGTHS: "zero columns kept"}
    return f"{publisher}, {known.get((shortest, longest), 'padded')}, lengths {shortest} to {longest}"


def _span(sequences: list[np.ndarray]) -> tuple[int, int]:
    """Shortest and longest length."""
    lengths = [len(one) for one in sequences]
    return min(lengths), max(lengths)


def recordings_digest(recordings: Recordings) -> str:
    """Compute the sha256 of all letters and values, independent of the order of the recordings.

    Parameters
    ----------
    recordings : Recordings
        The recordings.

    Returns
    -------
    str
        Hexadecimal digest.
    """
    pairs = zip(recordings.letters, recordings.sequences, strict=True)
    # Adding 0.0 turns -0.0 into 0.0.
    each = [hashlib.sha256(bytes([letter]) + (one + 0.0).astype("<f8").tobytes()).digest() for letter, one in pairs]
    return hashlib.sha256(b"".join(sorted(each))).hexdigest()


def require(path: Path, condition: bool, reason: str) -> None:
    """Raise DamagedError with `reason` unless the condition holds."""
    if not condition:
        raise DamagedError(path, reason)
