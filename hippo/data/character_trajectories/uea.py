"""CharacterTrajectories as published by the UEA archive: two text files."""

from pathlib import Path

import numpy as np

from hippo.data.character_trajectories.recordings import VALUES, Recordings, recognize, require
from hippo.data.errors import DamagedError
from hippo.data.places import ZipArchive
from hippo.data.raw_files import content
from hippo.data.sources import RawData

# At most 25 characters for a printed float64 with its separator, and a megabyte for labels and the header
BYTES = 25 * VALUES + 1_000_000


def read_uea(paths: tuple[Path, ...]) -> Recordings:
    """Read the two files of the UEA archive and join them.

    Parameters
    ----------
    paths : tuple of Path
        The files `CharacterTrajectories_TRAIN.ts` and `CharacterTrajectories_TEST.ts`, plain or gzipped.

    Returns
    -------
    Recordings
        All 2858 recordings.

    Raises
    ------
    DamagedError
        If a file is no .ts file, is truncated, or the two together do not hold the recordings.
    """
    raw, letters = [], []
    for path in paths:
        lines = content(path, BYTES).decode("utf-8", errors="replace").splitlines()
        marks = [number for number, line in enumerate(lines) if line.strip().lower() == "@data"]
        require(path, bool(marks), "no line '@data': not a .ts file of the UEA archive")
        for number, line in enumerate(lines[marks[0] + 1 :], start=marks[0] + 2):
            if line.strip():
                recording, letter = _parse(path, number, line)
                raw.append(recording)
                letters.append(letter)
    # The files hold fewer digits than float64 has, so the sum deviates and the digest cannot be compared.
    return recognize(paths[0], raw, np.array(letters, dtype=int), "UEA archive", tolerance=0.05)


def _parse(path: Path, number: int, line: str) -> tuple[np.ndarray, int]:
    """Recording (length, channels) and letter from one line: values of the channels between colons, then the label."""
    *channels, label = line.strip().split(":")
    try:
        values = [np.array(channel.replace("?", "nan").split(","), dtype=float) for channel in channels]
        recording, letter = np.stack(values, axis=1), int(float(label)) - 1
    except ValueError as error:
        raise DamagedError(path, f"line {number}: truncated or altered ({error})") from error
    require(path, recording.shape[1] == 3, f"line {number}: {recording.shape[1]} channels, expected 3")
    return recording, letter


# The addresses that sktime's loader uses. That loader has no time limit and stops at the first address that fails.
UEA = RawData(
    title="CharacterTrajectories",
    files={"CharacterTrajectories_TRAIN.ts": BYTES, "CharacterTrajectories_TEST.ts": BYTES},
    read=read_uea,
    places=(
        ZipArchive("https://timeseriesclassification.com/aeon-toolkit/CharacterTrajectories.zip"),
        ZipArchive("https://github.com/sktime/sktime-datasets/raw/main/TSC/CharacterTrajectories.zip"),
    ),
    folder="character_trajectories",
    subfolders=("CharacterTrajectories", "character_trajectories", "."),
)
