import re
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from hippo.data.character_trajectories.recordings import (
    COUNTS,
    Recordings,
    recordings_digest,
    trim,
)
from hippo.data.character_trajectories.substitute import substitute_recordings
from hippo.data.character_trajectories.uci import BYTES, UCI, read_uci
from hippo.data.character_trajectories.uea import UEA, read_uea
from hippo.data.errors import DamagedError, DataError
from hippo.data.sources import Sources


@pytest.fixture(scope="module")
def real(recordings_file) -> Recordings:
    return read_uci((recordings_file,))


@pytest.fixture
def stored(recordings_file) -> dict:
    """Content of the UCI file, to be written again with a change."""
    read = loadmat(recordings_file)
    return {"mixout": read["mixout"], "consts": read["consts"]}


def write_ts(folder: Path, sequences: list[np.ndarray], letters: np.ndarray, cut: int = 1422) -> tuple[Path, Path]:
    """Write the two files of the UEA archive; the first holds `cut` recordings."""
    paths = (folder / "CharacterTrajectories_TRAIN.ts", folder / "CharacterTrajectories_TEST.ts")
    order = np.random.default_rng(0).permutation(len(letters))
    for path, rows in zip(paths, (order[:cut], order[cut:]), strict=True):
        lines = ["#comment", "@problemName CharacterTrajectories", "@timeStamps false", "@univariate false"]
        lines += ["@classLabel true " + " ".join(str(label) for label in range(1, 21)), "@data"]
        for row in rows:
            channels = [",".join(f"{value:.8f}" for value in channel) for channel in sequences[row].T]
            lines.append(":".join([*channels, str(letters[row] + 1)]))
        path.write_text("\n".join(lines) + "\n")
    return paths


def test_trimming_removes_zero_and_missing_ends_only():
    recording = np.array([[0, 0], [np.nan, np.nan], [0, 1], [0, 0], [2, np.nan], [0, 0], [np.nan, 0]])
    np.testing.assert_array_equal(trim(recording), recording[2:5])
    assert trim(np.zeros((4, 3))).shape == (0, 3)


def test_uci_file_is_recognized(real):
    assert real.form == "UCI file, zero columns kept, lengths 109 to 205"
    assert tuple(np.bincount(real.letters)) == COUNTS
    lengths = [len(one) for one in real.sequences]
    assert (min(lengths), max(lengths)) == (60, 182)
    assert sum(one.sum() for one in real.sequences) == pytest.approx(-81885.612004, abs=1e-6)


def test_order_of_the_recordings_in_the_file_does_not_matter(real, stored, tmp_path):
    order = np.random.default_rng(0).permutation(2858)
    stored["mixout"] = stored["mixout"][:, order]
    stored["consts"]["charlabels"][0, 0] = stored["consts"]["charlabels"][0, 0][:, order]
    path = tmp_path / "mixoutALL_shifted.mat"
    savemat(path, stored)
    found = read_uci((path,))
    np.testing.assert_array_equal(found.letters, real.letters)
    for one, other in zip(found.sequences, real.sequences, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("padding", ["removed", "kept"])
def test_archive_files_of_any_year_are_the_same_recordings(real, tmp_path, padding):
    def ends(one: np.ndarray) -> np.ndarray:
        if padding == "removed":
            return one
        return np.pad(one, ((3, max(0, 109 - 3 - len(one))), (0, 0)))

    sequences = [ends(one) for one in real.sequences]
    if padding == "kept":  # one recording has the longest published length
        longest = int(np.argmax([len(one) for one in sequences]))
        sequences[longest] = np.pad(sequences[longest], ((0, 205 - len(sequences[longest])), (0, 0)))
    found = read_uea(write_ts(tmp_path, sequences, real.letters))
    expected = {
        "removed": "UEA archive, zero columns removed, lengths 60 to 182",
        "kept": "UEA archive, zero columns kept, lengths 109 to 205",
    }
    assert found.form == expected[padding]
    np.testing.assert_array_equal(found.letters, real.letters)
    for one, other in zip(found.sequences, real.sequences, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-8)  # printed with eight decimals


def test_one_altered_value_is_refused(stored, tmp_path):
    stored["mixout"][0, 1234][1, 50] += 1e-7  # too little for the sum of all values to tell
    path = tmp_path / "mixoutALL_shifted.mat"
    savemat(path, stored)
    with pytest.raises(DamagedError, match=f"{path}: altered values: expected sha256 .*, found "):
        read_uci((path,))


def test_another_label_or_a_recording_fewer_is_refused(stored, tmp_path):
    path = tmp_path / "mixoutALL_shifted.mat"
    fewer = {"mixout": stored["mixout"][:, :-1], "consts": stored["consts"]}
    savemat(path, fewer)
    with pytest.raises(DamagedError, match="2858 labels for 2857 recordings"):
        read_uci((path,))
    stored["consts"]["charlabels"][0, 0][0, 0] = 20
    savemat(path, stored)
    with pytest.raises(DamagedError, match="recordings per letter"):
        read_uci((path,))


@pytest.mark.parametrize("kind", ["truncated", "altered", "another mat", "text", "empty"])
def test_damaged_mat_in_the_users_folder_is_one_clear_error(recordings_file, tmp_path, kind):
    path = tmp_path / "mixoutALL_shifted.mat"
    whole = recordings_file.read_bytes()
    if kind == "another mat":
        savemat(path, {"x": np.eye(3)})
    else:
        half = len(whole) // 2
        damaged = {
            "truncated": whole[:half],
            "altered": whole[:half] + b"\0\1\2\3" + whole[half + 4 :],
            "text": b"not a matrix",
            "empty": b"",
        }
        path.write_bytes(damaged[kind])
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}: truncated, altered or not the UCI's"):
        Sources(tmp_path).load(UCI, UEA)


def test_other_recordings_are_refused(tmp_path):
    strokes = substitute_recordings()
    cells = np.empty((1, len(strokes.sequences)), dtype=object)
    cells[0] = [one.T for one in strokes.sequences]
    savemat(tmp_path / "mixoutALL_shifted.mat", {"mixout": cells, "consts": {"charlabels": strokes.letters + 1}})
    with pytest.raises(DataError, match=r"not CharacterTrajectories.*the sum of all values is .*, expected -81885"):
        Sources(tmp_path).load(UCI, UEA)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no data here", "no line '@data'"),
        ("@data\n1,2:3,4:1", "line 2: 2 channels, expected 3"),
        ("@data\n1,2:3,4:5,6:1\n1,2:3,4:5", "line 3: 2 channels"),
        ("@data\n1,2:3,4:5:1", "line 2: truncated or altered"),
        ("@data\n1,2:3,4:5,x:1", "line 2: truncated or altered"),
        ("@data\n1,2:3,4:5,6:1", "2 recordings, expected 2858"),
    ],
)
def test_broken_archive_file_is_refused(tmp_path, text, reason):
    for name in UEA.files:
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=reason):
        Sources(tmp_path).load(UCI, UEA)


def test_matlab_file_that_decompresses_to_too_much_is_refused(tmp_path):
    """Neither one large array nor many small ones are decompressed beyond the size of the recordings."""
    path = tmp_path / "mixoutALL_shifted.mat"
    message = f"^{re.escape(str(path))}: more than {BYTES:,} bytes of decompressed content"
    for arrays in ({"mixout": np.zeros(BYTES // 8)}, {f"x{i}": np.zeros(BYTES // 80) for i in range(10)}):
        savemat(path, arrays, do_compression=True)
        assert path.stat().st_size < BYTES / 100
        with pytest.raises(DataError, match=message):
            Sources(tmp_path).load(UCI, UEA)


def test_damaged_element_before_a_compression_bomb_is_refused(tmp_path):
    """SciPy skips elements that it does not need, damaged ones included."""
    path = tmp_path / "mixoutALL_shifted.mat"
    savemat(path, {"first": np.arange(5000.0), "mixout": np.zeros(BYTES // 8)}, do_compression=True)
    stored = bytearray(path.read_bytes())
    stored[1000:1100] = bytes(100)
    path.write_bytes(stored)
    with pytest.raises(DataError, match="truncated, altered or not the UCI's CharacterTrajectories"):
        Sources(tmp_path).load(UCI, UEA)


def test_sizes_admit_every_published_form(tmp_path):
    """The largest files: 2858 recordings of 205 steps, and in the text all of them in one file, with all digits."""
    longest = np.full((3, 205), -1.2345678901234567e-100)
    cells = np.empty((1, 2858), dtype=object)
    cells[0] = [longest] * 2858
    labels = {"charlabels": np.ones((1, 2858)), "key": np.array(["abc"] * 20, dtype=object)}
    savemat(tmp_path / "largest.mat", {"mixout": cells, "consts": labels})
    assert (tmp_path / "largest.mat").stat().st_size <= BYTES
    line = ":".join([*(",".join(map(repr, channel)) for channel in longest.tolist()), "20\n"])
    assert min(UEA.files.values()) >= 2858 * len(line)


def test_digest_ignores_order_but_neither_letters_nor_values():
    strokes = substitute_recordings()
    few, letters = strokes.sequences[:5], strokes.letters[:5].copy()
    digest = recordings_digest(Recordings(few, letters, ""))
    assert recordings_digest(Recordings(few[::-1], letters[::-1], "")) == digest
    assert recordings_digest(Recordings(few, letters + 1, "")) != digest
    assert recordings_digest(Recordings([few[0] + 1e-12, *few[1:]], letters, "")) != digest


@pytest.mark.slow
def test_archive_reader_agrees_with_sktime(real, tmp_path):
    from sktime.datasets import load_from_tsfile_to_dataframe

    path, _ = write_ts(tmp_path, real.sequences, real.letters)
    frame, labels = load_from_tsfile_to_dataframe(str(path))
    found = read_uea(UEA.locate(tmp_path, (".",)))
    known = {(one.shape, round(float(one.sum()), 6)) for one in found.sequences}
    assert len(labels) == 1422
    for row in frame.to_numpy():
        one = np.stack([channel.to_numpy() for channel in row], axis=1)
        assert (one.shape, round(float(one.sum()), 6)) in known
