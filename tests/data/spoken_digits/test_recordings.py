import hashlib
import io
import os
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from hippo.data.errors import DamagedError, DataError
from hippo.data.places import SingleFile
from hippo.data.sources import Sources
from hippo.data.spoken_digits import SpokenDigits
from hippo.data.spoken_digits.recordings import (
    ARCHIVE,
    DIGEST,
    FOLDER,
    NAMES,
    SPEAKERS,
    WAV_BYTES,
    read_archive,
    read_wav,
)
from tests.data.conftest import NAMED_DATA_DIR
from tests.data.spoken_digits.helpers import accept, small_files, wav, waveforms, write_archive

NAME = "free-spoken-digit-dataset.zip"
SAMPLES = np.arange(50)


@pytest.fixture(scope="session")
def archive() -> Path:
    """The real archive, from the folder in HIPPO_DATA_DIR."""
    for folder in ("free_spoken_digits", "."):
        path = Path(NAMED_DATA_DIR or os.devnull) / folder / NAME
        if path.is_file():
            return path
    pytest.skip(f"HIPPO_DATA_DIR holds no {NAME}")


def test_names_are_3000_and_begin_with_the_first_recording_of_every_speaker_and_digit():
    assert len(set(NAMES)) == len(NAMES) == 3000
    assert NAMES[:11] == (*(f"{digit}_george_0.wav" for digit in range(10)), "0_jackson_0.wav")
    assert {tuple(name.split("_")[:2]) for name in NAMES[:60]} == {(str(d), who) for d in range(10) for who in SPEAKERS}
    assert NAMES[-1] == "9_yweweler_49.wav"


def test_real_recordings_are_those_that_scipy_reads(archive):
    """Oracle: scipy's own reader of wav files, and the counts that the publisher states."""
    found = read_archive((archive,))
    assert np.array_equal(np.bincount(found.digits), np.full(10, 300))
    assert np.array_equal(np.bincount(found.repetitions), np.full(50, 60))
    lengths = [len(waveform) for waveform in found.waveforms]
    assert (min(lengths), max(lengths), np.median(lengths)) == (1148, 18262, 3358.5)
    digest = hashlib.sha256()
    with zipfile.ZipFile(archive) as opened:
        folder = {Path(name).name: name for name in opened.namelist()}
        for index, name in enumerate(NAMES):
            hz, expected = wavfile.read(io.BytesIO(opened.read(folder[name])))
            digest.update(hashlib.sha256(expected.tobytes()).digest())
            assert hz == 8000 and np.array_equal(found.waveforms[index], expected)
            assert found.digits[index] == int(name[0]) and name.endswith(f"_{found.repetitions[index]}.wav")
    assert digest.hexdigest() == DIGEST


def test_an_archive_with_recordings_in_any_folder(tmp_path, monkeypatch):
    accept(monkeypatch)
    for folder in ("a/recordings/", ""):
        found = read_archive((write_archive(tmp_path / NAME, {}, folder),))
        assert all(map(np.array_equal, found.waveforms, waveforms()))


def test_the_folder_of_a_clone(tmp_path, monkeypatch):
    accept(monkeypatch)
    folder = tmp_path / "free-spoken-digit-dataset/recordings"
    folder.mkdir(parents=True)
    for name, stored in small_files().items():
        (folder / name).write_bytes(stored)
    sources = Sources(tmp_path, offline=True)
    assert sources.load(ARCHIVE, FOLDER).content.waveforms[7].tolist() == waveforms()[7].tolist()
    assert SpokenDigits().fetch(sources) == {str(folder): f"data folder {tmp_path}"}
    (folder / NAMES[5]).write_bytes(wav(waveforms()[5])[:60])
    with pytest.raises(DataError, match=rf"{NAMES[5]}.*truncated: 8 of \d+ samples; replace it by a complete copy"):
        sources.load(ARCHIVE, FOLDER)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (b"", "not a wav file"),
        (b"RIFF\0\0\0\0WAVE", "not a wav file"),
        (b"ID3" + bytes(100), "not a wav file"),
        (wav(SAMPLES)[:70], "truncated: 13 of 50 samples"),
        (wav(SAMPLES[:0]), "truncated: 0 of 0 samples"),
        (wav(SAMPLES, channels=2), "2 channels of 16 bits at 8000 Hz, expected 1 channel of 16 bits at 8000 Hz"),
        (wav(SAMPLES, width=1), "1 channels of 8 bits"),
        (wav(SAMPLES, hz=16000), "at 16000 Hz, expected"),
    ],
)
def test_a_wrong_wav_file_is_named_with_what_was_expected(stored, message):
    with pytest.raises(DamagedError, match=re.escape("here.zip: 0_theo_1.wav: ") + ".*" + re.escape(message)):
        read_wav(stored, "0_theo_1.wav", Path("here.zip"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({NAMES[3]: None}, f"lacks 1 of 3000 recordings, the first {NAMES[3]}"),
        ({NAMES[3]: wav(SAMPLES)}, "altered or of another version: expected sha256"),
        ({NAMES[3]: wav(np.zeros(WAV_BYTES))}, "a recording has more than 50,000 bytes"),
        ({NAMES[3]: b"RIFF"}, f"{NAMES[3]}: truncated, altered or not a wav file"),
    ],
)
def test_a_wrong_archive_is_one_clear_message(tmp_path, monkeypatch, changes, message):
    accept(monkeypatch)
    path = write_archive(tmp_path / NAME, changes)
    with pytest.raises(DamagedError, match=f"{re.escape(str(path))}: .*{re.escape(message)}"):
        read_archive((path,))


def test_a_truncated_archive_of_the_user_is_named_with_advice(tmp_path, monkeypatch):
    accept(monkeypatch)
    path = write_archive(tmp_path / NAME, {})
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataError, match="not a zip archive.*replace it by a complete copy, or remove it"):
        SpokenDigits().build(Sources(tmp_path, offline=True))


def test_an_archive_that_is_downloaded(tmp_path, monkeypatch, site):
    """The name at the address is another one; a second call finds the file in the cache."""
    accept(monkeypatch)
    site.pages["/master.zip"] = write_archive(tmp_path / "made.zip", {}).read_bytes()
    form = replace(ARCHIVE, places=(SingleFile(f"{site.address}master.zip"),))
    cache = tmp_path / "cache"
    assert Sources(cache=cache).load(form, FOLDER).paths == (cache / "free_spoken_digits" / NAME,)
    assert Sources(cache=cache).load(form, FOLDER).origin == f"cache {cache}" and len(site.requests) == 1


def test_what_to_do_without_the_recordings(tmp_path):
    with pytest.raises(DataError) as raised:
        SpokenDigits().fetch(Sources(cache=tmp_path, offline=True))
    message = str(raised.value)
    assert (
        f"Put {NAME} or the folder recordings with its 3000 wav files into a folder and set HIPPO_DATA_DIR" in message
    )
    assert len(message) < 600
