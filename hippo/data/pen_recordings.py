"""The published forms of CharacterTrajectories, recognised by what is in them.

B. H. Williams, M. Toussaint, A. J. Storkey, Extracting motion primitives from natural handwriting data,
ICANN 2006. The same 2858 recordings are published by the UCI (a MATLAB file, zero columns at both ends) and
by the UEA archive (two text files; trimmed until 2023, then with the zeros back and in other splits).
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hippo.data.places import Mirror, ZipArchive
from hippo.data.sources import DamagedError, RawData, content

LETTERS = "abcdeghlmnopqrsuvwyz"
COUNTS = (171, 141, 142, 157, 186, 138, 127, 174, 125, 130, 141, 131, 124, 119, 133, 131, 155, 125, 137, 171)
LENGTHS = (60, 182)  # without the zero columns
PADDED_LENGTHS = (109, 205)  # with them
SUM = -81885.612004
# sha256 over the sorted sha256 of every recording (letter, then its trimmed float64 values column by column)
DIGEST = "dc0193e652491ef4cd32e317b133d01ba81a6317a0161896e141f0e4d3bc1614"


@dataclass(frozen=True)
class Recordings:
    """Pen trajectories: sequences (length, 3) float64 of x and y velocity and pen force, and letters 0 … 19.

    Sequences carry no zero columns at their ends and come in an order that depends only on their contents,
    so every published form gives the same splits.
    """

    sequences: list[np.ndarray]
    letters: np.ndarray
    form: str


def trim(recording: np.ndarray) -> np.ndarray:
    """A recording (length, channels) without the rows at both ends that are all zero or missing."""
    (kept,) = np.nonzero((np.nan_to_num(recording) != 0).any(axis=1))
    return recording[kept[0] : kept[-1] + 1] if len(kept) else recording[:0]


def arrange(raw: list[np.ndarray], letters: np.ndarray, form: str) -> Recordings:
    """Trim, and sort by letter, length and sum (no two recordings share all three)."""
    sequences = [trim(recording) for recording in raw]
    keys = [(letter, len(one), one.sum()) for letter, one in zip(letters, sequences, strict=True)]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    return Recordings([sequences[i] for i in order], np.asarray(letters)[order], form)


def read_uci(paths: tuple[Path, ...]) -> Recordings:
    """The UCI file `mixoutALL_shifted.mat`; DamagedError unless it holds every recording, unaltered."""
    from scipy.io import loadmat

    (path,) = paths
    packed = io.BytesIO(content(path))
    try:
        stored = loadmat(packed, variable_names=("mixout", "consts"))
        raw = [np.asarray(cell.T, dtype=float) for cell in stored["mixout"][0]]
        letters = np.asarray(stored["consts"]["charlabels"][0, 0], dtype=int).ravel() - 1
        _require(path, all(cell.ndim == 2 and cell.shape[1] == 3 for cell in raw), "recordings without 3 channels")
        _require(path, len(letters) == len(raw), f"{len(letters)} labels for {len(raw)} recordings")
    except DamagedError:
        raise
    except Exception as error:  # scipy has no one exception for a damaged file: zlib's, ValueError, KeyError, …
        reason = f"truncated, altered or not the UCI's CharacterTrajectories ({type(error).__name__}: {error})"
        raise DamagedError(path, reason) from error
    found = _recognise(path, raw, letters, "UCI file", tolerance=1e-5)
    digest = recordings_digest(found)
    _require(
        path,
        digest == DIGEST,
        f"altered values: expected sha256 {DIGEST} over the recordings, found {digest}",
    )
    return found


def read_uea(paths: tuple[Path, ...]) -> Recordings:
    """The archive's two .ts files, joined; DamagedError unless together they hold every recording."""
    raw, letters = [], []
    for path in paths:
        lines = content(path).decode("utf-8", errors="replace").splitlines()
        marks = [number for number, line in enumerate(lines) if line.strip().lower() == "@data"]
        _require(path, bool(marks), "no line '@data': not a .ts file of the UEA archive")
        for number, line in enumerate(lines[marks[0] + 1 :], start=marks[0] + 2):
            if line.strip():
                recording, letter = _parse(path, number, line)
                raw.append(recording)
                letters.append(letter)
    # Values are printed with a few digits less than a double has
    return _recognise(paths[0], raw, np.array(letters, dtype=int), "UEA archive", tolerance=0.05)


def _parse(path: Path, number: int, line: str) -> tuple[np.ndarray, int]:
    """One line of a .ts file: the channels' values between colons, then the label."""
    *channels, label = line.strip().split(":")
    try:
        values = [np.array(channel.replace("?", "nan").split(","), dtype=float) for channel in channels]
        recording, letter = np.stack(values, axis=1), int(float(label)) - 1
    except ValueError as error:
        raise DamagedError(path, f"line {number}: truncated or altered ({error})") from error
    _require(path, recording.shape[1] == 3, f"line {number}: {recording.shape[1]} channels, expected 3")
    return recording, letter


def _recognise(path: Path, raw: list, letters: np.ndarray, publisher: str, tolerance: float) -> Recordings:
    """Compare with what is known of the recordings, and name the form they come in."""
    companion = "" if publisher == "UCI file" else " (with the other part's file)"
    wrong = f"truncated, altered or not CharacterTrajectories{companion}: "
    expected = sum(COUNTS)
    _require(path, len(raw) == expected, f"{wrong}{len(raw)} recordings, expected {expected}")
    in_range = letters.min() >= 0 and letters.max() < len(LETTERS)
    _require(path, in_range, f"{wrong}labels from {letters.min() + 1} to {letters.max() + 1}, expected 1 to 20")
    counts = tuple(np.bincount(letters, minlength=len(LETTERS)).tolist())
    _require(path, counts == COUNTS, f"{wrong}recordings per letter {counts}, expected {COUNTS}")
    found = arrange(raw, letters, _form(publisher, raw))
    lengths = _span(found.sequences)
    _require(path, lengths == LENGTHS, f"{wrong}lengths {lengths} without zero columns, expected {LENGTHS}")
    total = float(sum(one.sum() for one in found.sequences))
    agrees = abs(total - SUM) <= tolerance
    _require(path, agrees, f"{wrong}the sum of all values is {total:.6f}, expected {SUM:.6f}")
    return found


def _form(publisher: str, raw: list) -> str:
    shortest, longest = _span(raw)
    known = {LENGTHS: "zero columns removed", PADDED_LENGTHS: "zero columns kept"}
    return f"{publisher}, {known.get((shortest, longest), 'padded')}, lengths {shortest} to {longest}"


def _span(sequences: list[np.ndarray]) -> tuple[int, int]:
    lengths = [len(one) for one in sequences]
    return min(lengths), max(lengths)


def recordings_digest(recordings: Recordings) -> str:
    """sha256 over all letters and values, whatever the order of the recordings."""
    pairs = zip(recordings.letters, recordings.sequences, strict=True)
    # adding 0.0 makes the two zeros of floating point one
    each = [hashlib.sha256(bytes([letter]) + (one + 0.0).astype("<f8").tobytes()).digest() for letter, one in pairs]
    return hashlib.sha256(b"".join(sorted(each))).hexdigest()


def _require(path: Path, condition: bool, reason: str) -> None:
    if not condition:
        raise DamagedError(path, reason)


UCI = RawData(
    title="CharacterTrajectories",
    files=("mixoutALL_shifted.mat",),
    read=read_uci,
    places=(
        ZipArchive("https://archive.ics.uci.edu/static/public/175/character+trajectories.zip"),
        Mirror("https://archive.ics.uci.edu/ml/machine-learning-databases/character-trajectories/"),
    ),
    folder="character_trajectories",
    subfolders=("character_trajectories", "CharacterTrajectories", "."),
)

# Where sktime's loader takes the archive from. Its own download has no time limit and stops at the first
# address that fails, so these are asked here directly.
UEA = RawData(
    title="CharacterTrajectories",
    files=("CharacterTrajectories_TRAIN.ts", "CharacterTrajectories_TEST.ts"),
    read=read_uea,
    places=(
        ZipArchive("https://timeseriesclassification.com/aeon-toolkit/CharacterTrajectories.zip"),
        ZipArchive("https://github.com/sktime/sktime-datasets/raw/main/TSC/CharacterTrajectories.zip"),
    ),
    folder="character_trajectories",
    subfolders=("CharacterTrajectories", "character_trajectories", "."),
)
