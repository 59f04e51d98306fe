"""CharacterTrajectories as published by the UCI repository: one MATLAB file."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np

from hippo.data.character_trajectories.recordings import (
    DIGEST,
    VALUES,
    Recordings,
    recognize,
    recordings_digest,
    require,
)
from hippo.data.errors import DamagedError
from hippo.data.places import Mirror, ZipArchive
from hippo.data.raw_files import content
from hippo.data.sources import RawData

# All values as float64, and as much again for labels, names and the headers of the 2858 cells. The published file has
# 11.9 MB of content in 7.8 MB.
BYTES = 2 * 8 * VALUES
COMPRESSED = 15  # type of a compressed element (miCOMPRESSED)


def read_uci(paths: tuple[Path, ...]) -> Recordings:
    """Read the UCI file.

    Parameters
    ----------
    paths : tuple of Path
        The file `mixoutALL_shifted.mat`, plain or gzipped.

    Returns
    -------
    Recordings
        All 2858 recordings.

    Raises
    ------
    DamagedError
        If the file is not the UCI's, is truncated, or any value was altered.
    """
    from scipy.io import loadmat

    (path,) = paths
    packed = content(path, BYTES)
    _require_bounded(path, packed)
    try:
        stored = loadmat(io.BytesIO(packed), variable_names=("mixout", "consts"))
        raw = [np.asarray(cell.T, dtype=float) for cell in stored["mixout"][0]]
        letters = np.asarray(stored["consts"]["charlabels"][0, 0], dtype=int).ravel() - 1
        require(path, all(cell.ndim == 2 and cell.shape[1] == 3 for cell in raw), "recordings without 3 channels")
        require(path, len(letters) == len(raw), f"{len(letters)} labels for {len(raw)} recordings")
    except DamagedError:
        raise
    except Exception as error:  # SciPy raises many types for a damaged file: zlib.error, ValueError, KeyError, ...
        reason = f"truncated, altered or not the UCI's CharacterTrajectories ({type(error).__name__}: {error})"
        raise DamagedError(path, reason) from error
    found = recognize(path, raw, letters, "UCI file", tolerance=1e-5)
    digest = recordings_digest(found)
    require(
        path,
        digest == DIGEST,
        f"altered values: expected sha256 {DIGEST} over the recordings, found {digest}",
    )
    return found


def _require_bounded(path: Path, packed: bytes) -> None:
    """DamagedError if the compressed elements of a MATLAB 5 file hold more than `BYTES` bytes together."""
    byte_order = "<" if packed[126:128] == b"IM" else ">"
    position, left = 128, BYTES
    while position + 8 <= len(packed):
        kind, size = struct.unpack_from(f"{byte_order}II", packed, position)
        if kind == COMPRESSED:
            try:
                left -= len(zlib.decompressobj().decompress(packed[position + 8 : position + 8 + size], left + 1))
            except zlib.error as error:
                raise DamagedError(
                    path, f"truncated, altered or not the UCI's CharacterTrajectories ({error})"
                ) from error
            require(path, left >= 0, f"more than {BYTES:,} bytes of decompressed content, not the UCI's file")
        position += 8 + size


UCI = RawData(
    title="CharacterTrajectories",
    files={"mixoutALL_shifted.mat": BYTES},
    read=read_uci,
    places=(
        ZipArchive("https://archive.ics.uci.edu/static/public/175/character+trajectories.zip"),
        Mirror("https://archive.ics.uci.edu/ml/machine-learning-databases/character-trajectories/"),
    ),
    folder="character_trajectories",
    subfolders=("character_trajectories", "CharacterTrajectories", "."),
)
