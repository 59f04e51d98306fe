"""Small recordings in the layout of the Free Spoken Digit Dataset."""

import io
import wave
import zipfile
from functools import cache
from pathlib import Path

import numpy as np

from hippo.data.spoken_digits import recordings
from hippo.data.spoken_digits.recordings import HZ, NAMES


@cache
def waveforms() -> list[np.ndarray]:
    """Tones of 20 to 59 samples in the order of NAMES; the frequency is that of the digit."""
    rng = np.random.default_rng(0)
    found = []
    for name in NAMES:
        steps = np.arange(rng.integers(20, 60))
        tone = np.sin(2 * np.pi * (int(name[0]) + 1) * 150 / HZ * steps)
        found.append((rng.uniform(1000, 20000) * tone).astype(np.int16))
    return found


@cache
def small_files() -> dict[str, bytes]:
    """Content of all small recordings by name."""
    return {name: wav(samples) for name, samples in zip(NAMES, waveforms(), strict=True)}


def wav(samples: np.ndarray, channels: int = 1, width: int = 2, hz: int = HZ) -> bytes:
    """Content of a wav file."""
    stored = io.BytesIO()
    with wave.open(stored, "wb") as opened:
        opened.setnchannels(channels)
        opened.setsampwidth(width)
        opened.setframerate(hz)
        opened.writeframes(samples.astype("<i2").tobytes())
    return stored.getvalue()


def write_archive(path: Path, changes: dict[str, bytes | None], folder: str = "fsdd-main/recordings/") -> Path:
    """Write an archive of the small recordings, where `changes` replace members, or remove them by None."""
    members = small_files() | changes
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fsdd-main/README.md", "Free Spoken Digit Dataset")
        for name, stored in members.items():
            if stored is not None:
                archive.writestr(folder + name, stored)
    return path


@cache
def small_digest() -> str:
    """Digest of the small recordings."""
    return recordings.recordings_digest(waveforms())


def accept(monkeypatch) -> None:
    """Take the small recordings for the published ones."""
    monkeypatch.setattr(recordings, "DIGEST", small_digest())
