"""The 3000 recordings of the Free Spoken Digit Dataset: their files, and how they are verified by content.

Each of 6 speakers says each digit 50 times: mono, 8 kHz, 16 bit, 0.14 to 2.3 seconds. The recordings are published
under the license CC BY-SA 4.0.

References
----------
Z. Jackson, C. Souza, J. Flaks, Y. Pan, H. Nicolas, A. Thite, Free Spoken Digit Dataset (FSDD),
https://github.com/Jakobovski/free-spoken-digit-dataset, DOI 10.5281/zenodo.1342401.
"""

import hashlib
import io
import wave
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hippo.data.errors import DamagedError
from hippo.data.places import SingleFile
from hippo.data.raw_files import TooLargeError, content, read_at_most
from hippo.data.sources import RawData

HZ = 8000  # sampling rate of the recordings
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
REPETITIONS = 50
# Every repetition of all speakers and digits before the next one: a first part of the list is balanced.
NAMES = tuple(f"{digit}_{who}_{index}.wav" for index in range(REPETITIONS) for who in SPEAKERS for digit in range(10))
WAV_BYTES = 50_000  # the longest recording has 36,568
ARCHIVE_BYTES = 64_000_000  # all recordings have 21 MB, compressed or not
# sha256 over the sha256 of the samples (16-bit little-endian) of every recording, in the order of `NAMES`
DIGEST = "7e7b3506224c5e61bb073ed74acc52e19b74cf92d3bae213677abbf992ab1b42"


@dataclass(frozen=True)
class Recordings:
    """All recordings, in the order of `NAMES`.

    Parameters
    ----------
    waveforms : list of ndarray
        Samples, shape (length,), int16.
    digits : ndarray
        Digit of each recording, 0 to 9, shape (samples,), int64.
    repetitions : ndarray
        Number of each recording among those of its speaker and digit, 0 to 49, shape (samples,), int64.
    """

    waveforms: list[np.ndarray]
    digits: np.ndarray
    repetitions: np.ndarray


def read_wav(stored: bytes, name: str, path: Path) -> np.ndarray:
    """Read one recording.

    Parameters
    ----------
    stored : bytes
        Content of a wav file.
    name : str
        Name of the recording, for messages.
    path : Path
        File that holds it, for messages.

    Returns
    -------
    ndarray, shape (length,), int16

    Raises
    ------
    DamagedError
        If it is no wav file, is truncated, or is not mono, 16 bit and 8 kHz.
    """
    try:
        with wave.open(io.BytesIO(stored)) as opened:
            found = opened.getnchannels(), 8 * opened.getsampwidth(), opened.getframerate()
            stated = opened.getnframes()
            frames = opened.readframes(stated)
    except (wave.Error, EOFError, ValueError) as error:
        raise DamagedError(path, f"{name}: truncated, altered or not a wav file ({error})") from error
    if found != (1, 16, HZ):
        channels, bits, rate = found
        raise DamagedError(
            path, f"{name}: {channels} channels of {bits} bits at {rate} Hz, expected 1 channel of 16 bits at {HZ} Hz"
        )
    if not stated or len(frames) != 2 * stated:
        raise DamagedError(path, f"{name}: truncated: {len(frames) // 2} of {stated} samples")
    return np.frombuffer(frames, dtype="<i2").astype(np.int16)


def read_archive(paths: tuple[Path, ...]) -> Recordings:
    """Read a zip archive of the repository.

    Parameters
    ----------
    paths : tuple of Path
        The archive. Its recordings may be in any folder; other members are not read.

    Returns
    -------
    Recordings

    Raises
    ------
    DamagedError
        If it is no zip archive, is truncated, or does not hold exactly the recordings.
    """
    (path,) = paths
    try:
        with zipfile.ZipFile(io.BytesIO(content(path, ARCHIVE_BYTES))) as archive:
            members = {Path(member).name: member for member in archive.namelist()}
            if missing := [name for name in NAMES if name not in members]:
                reason = f"lacks {len(missing)} of {len(NAMES)} recordings, the first {missing[0]}"
                raise DamagedError(
                    path, f"truncated, of another version or not the Free Spoken Digit Dataset: {reason}"
                )
            waveforms = []
            for name in NAMES:
                with archive.open(members[name]) as stream:
                    waveforms.append(read_wav(read_at_most(stream, WAV_BYTES), name, path))
    except TooLargeError as error:
        raise DamagedError(path, f"a recording has {error}") from error
    # RuntimeError: an encrypted member, or (NotImplementedError) an unknown compression method
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, ValueError) as error:
        raise DamagedError(path, f"truncated, altered or not a zip archive ({error})") from error
    return verified(waveforms, path)


def read_folder(paths: tuple[Path, ...]) -> Recordings:
    """Read the 3000 wav files of a folder.

    Parameters
    ----------
    paths : tuple of Path
        The files, in the order of `NAMES`.

    Returns
    -------
    Recordings

    Raises
    ------
    DamagedError
        If a file is no wav file or is truncated, or the recordings are not those of the dataset.
    """
    waveforms = [read_wav(content(path, WAV_BYTES), path.name, path) for path in paths]
    return verified(waveforms, paths[0].parent)


def verified(waveforms: list[np.ndarray], path: Path) -> Recordings:
    """Return the recordings; DamagedError, which names `path`, if their samples are not the published ones."""
    found = recordings_digest(waveforms)
    if found != DIGEST:
        raise DamagedError(
            path,
            f"altered or of another version: expected sha256 {DIGEST} over the samples, found {found}",
        )
    repetitions, _, digits = np.indices((REPETITIONS, len(SPEAKERS), 10)).reshape(3, -1)
    return Recordings(waveforms, digits.astype(np.int64), repetitions.astype(np.int64))


def recordings_digest(waveforms: list[np.ndarray]) -> str:
    """Return the sha256 (hexadecimal) of the samples of all recordings, shapes (length,), int16."""
    each = [hashlib.sha256(waveform.astype("<i2").tobytes()).digest() for waveform in waveforms]
    return hashlib.sha256(b"".join(each)).hexdigest()


ARCHIVE = RawData(
    title="Free Spoken Digit Dataset",
    files={"free-spoken-digit-dataset.zip": ARCHIVE_BYTES},
    read=read_archive,
    places=(SingleFile("https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/heads/master.zip"),),
    folder="free_spoken_digits",
    subfolders=("free_spoken_digits", "."),
)
FOLDER = RawData(
    title="Free Spoken Digit Dataset",
    files=dict.fromkeys(NAMES, WAV_BYTES),
    read=read_folder,
    places=(),
    folder="free_spoken_digits",
    subfolders=("free-spoken-digit-dataset/recordings", "free_spoken_digits/recordings", "recordings"),
    called=f"the folder recordings with its {len(NAMES)} wav files",
)
