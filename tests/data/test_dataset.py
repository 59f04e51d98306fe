import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hippo.data.adding import Adding
from hippo.data.copying import Copying
from hippo.data.dataset import Dataset, Part
from hippo.data.errors import DataError


@pytest.fixture
def dataset() -> Dataset:
    rng = np.random.default_rng(0)
    train = Part(
        inputs=rng.integers(0, 256, (5, 7, 1), dtype=np.uint8),
        targets=np.arange(5),
        times=np.arange(35, dtype=np.float32).reshape(5, 7),
    )
    return Dataset({"train": train, "test": Part(inputs=np.ones((2, 7, 1), np.float32))}, 5, "made here", 1 / 255)


@pytest.fixture
def tokens() -> Dataset:
    """Sentences of up to 6 of 10 words, padded with token 0; the class is the first word's parity."""
    rng = np.random.default_rng(1)

    def part(samples: int) -> Part:
        lengths = rng.integers(1, 7, samples)
        ids = rng.integers(1, 10, (samples, 6), dtype=np.int32)
        ids[np.arange(6) >= lengths[:, None]] = 0
        return Part(ids, ids[:, 0].astype(np.int64) % 2, lengths=lengths)

    return Dataset({"train": part(8), "validation": part(3), "test": part(3)}, 2, "made-up words", vocabulary=10)


def test_saved_dataset_is_read_back_whole(dataset, tmp_path):
    path = tmp_path / "new" / "prepared.npz"
    dataset.save(path)
    read = Dataset.load(path)
    assert read.digest == dataset.digest
    assert (read.classes, read.source, read.scale, read.substitute) == (5, "made here", 1 / 255, False)
    assert (read.vocabulary, read.missing_values) == (None, False)
    np.testing.assert_array_equal(read.parts["train"].times, dataset.parts["train"].times)
    assert read.parts["test"].targets is None and read.parts["test"].times is None
    assert read.parts["test"].lengths is None
    assert [file.name for file in path.parent.iterdir()] == ["prepared.npz"]


def test_saved_tokens_and_lengths_are_read_back_whole(tokens, tmp_path):
    path = tmp_path / "tokens.npz"
    tokens.save(path)
    read = Dataset.load(path)
    assert read.vocabulary == 10 and read.digest == tokens.digest
    for name, part in tokens.parts.items():
        assert read.parts[name].inputs.dtype == np.int32 and read.parts[name].lengths.dtype == np.int64
        np.testing.assert_array_equal(read.parts[name].inputs, part.inputs)
        np.testing.assert_array_equal(read.parts[name].lengths, part.lengths)


def test_large_arrays_are_mapped_from_the_file(dataset, tmp_path, monkeypatch):
    """The same values and digest; the arrays take no memory of their own and cannot be written."""
    path = tmp_path / "prepared.npz"
    dataset.save(path)
    monkeypatch.setattr("hippo.data.dataset.MAPPED_BYTES", 150)  # an array in the file has a header of 128 bytes
    read = Dataset.load(path)
    assert read.digest == dataset.digest
    for name, part in dataset.parts.items():
        np.testing.assert_array_equal(read.parts[name].inputs, part.inputs)
    inputs = read.parts["train"].inputs
    assert isinstance(inputs.base, np.memmap) and not inputs.flags.writeable and inputs[[0, 2]].flags.writeable
    whole = path.read_bytes()
    for damaged in (whole[:-40], whole[:300] + b"xxxx" + whole[304:]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=f"{path}: .*delete it and prepare it again"):
            Dataset.load(path)


def test_python_objects_are_not_mapped(dataset, tmp_path, monkeypatch):
    path = tmp_path / "prepared.npz"
    dataset.save(path)
    with zipfile.ZipFile(path, "a") as archive, archive.open("objects.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "|O", "fortran_order": False, "shape": (100,)})
        member.write(bytes(800))
    monkeypatch.setattr("hippo.data.dataset.MAPPED_BYTES", 150)
    with pytest.raises(DataError, match=r"objects.npy holds Python objects\); delete it and prepare it again"):
        Dataset.load(path)


def test_digest_covers_every_array_the_scale_and_what_is_declared(dataset, tokens):
    train = dataset.parts["train"]
    others = [
        {"inputs": train.inputs + np.uint8(1)},
        {"inputs": train.inputs.astype(np.float32)},
        {"inputs": train.inputs.reshape(5, 1, 7), "times": None},
        {"targets": train.targets[::-1]},
        {"times": None},
        {"lengths": np.full(5, 7)},
    ]
    changed = [replace(dataset, parts={**dataset.parts, "train": replace(train, **other)}) for other in others]
    changed += [replace(dataset, scale=1.0), replace(dataset, substitute=True), replace(dataset, missing_values=True)]
    changed += [tokens, replace(tokens, vocabulary=11)]
    digests = {dataset.digest, *(one.digest for one in changed)}
    assert len(digests) == 1 + len(changed)


def test_the_digest_is_computed_once(dataset, monkeypatch):
    """It reads all arrays, which a trial would otherwise do at every record."""
    digest = dataset.digest
    monkeypatch.setattr("hippo.data.dataset._digest", lambda *arguments: pytest.fail("computed again"))
    assert dataset.digest == digest == dataset.record()["digest"]


def digest_of_the_first_release(about: dict, arrays: dict) -> str:
    """sha256 over five keys of the description and every array, as the first release computed it."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for key in sorted(arrays):
        digest.update(f"{key} {arrays[key].dtype} {arrays[key].shape}".encode() + arrays[key].tobytes())
    return digest.hexdigest()


def test_digests_are_those_of_the_first_release():
    """Outcomes name the digest of their data: another digest would make all published ones out of date."""
    sizes = {"train_samples": 300, "eval_samples": 50}
    assert Adding(**sizes).build().digest == "e8221a47f4116499f36bb93b36a6f5567a22c08e4114d9cc111872849c9619e9"
    assert Copying(**sizes).build().digest == "7f1ee16053c0cb6fc2cadd05cde4de26eeed0a5f6d038e3d96353b19b9a5a266"


def test_a_file_of_the_first_release_is_read(tmp_path):
    inputs = np.arange(6, dtype=np.float32).reshape(2, 3, 1)
    arrays = {"test.inputs": inputs, "test.targets": np.array([0, 1])}
    source = "synthetic stand{}in for CharacterTrajectories".format("-")
    about = {"classes": 2, "source": source, "scale": 1.0, "stand_in": True, "options": {"name": "letters"}}
    digest = digest_of_the_first_release(about, arrays)
    np.savez(tmp_path / "old.npz", about=json.dumps({**about, "digest": digest}), **arrays)
    read = Dataset.load(tmp_path / "old.npz")
    assert read.substitute and read.source == "synthetic substitute for CharacterTrajectories"
    assert read.digest == digest
    read.save(tmp_path / "new.npz")
    again = Dataset.load(tmp_path / "new.npz")
    assert (again.substitute, again.source, again.digest) == (True, read.source, digest)


def test_truncated_or_altered_prepared_file_is_a_clear_error(dataset, tmp_path):
    path = tmp_path / "prepared.npz"
    dataset.save(path)
    whole = path.read_bytes()
    for damaged in (whole[:-40], whole[:300] + b"xxxx" + whole[304:], b""):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=f"{path}: .*delete it and prepare it again"):
            Dataset.load(path)


@pytest.mark.parametrize("change", [lambda targets: targets[::-1], lambda targets: targets + 1])
def test_prepared_file_of_other_values_is_a_clear_error(dataset, tmp_path, change):
    path = tmp_path / "prepared.npz"
    dataset.save(path)
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["train.targets"] = change(arrays["train.targets"])
    np.savez(path, **arrays)
    with pytest.raises(DataError, match="the content does not match its digest"):
        Dataset.load(path)


def test_prepared_file_with_invalid_values_is_a_clear_error(tmp_path):
    """A file that an earlier version wrote unchecked: the digest agrees, the values are not valid."""
    arrays = {"test.inputs": np.zeros((2, 3, 1), np.float32), "test.targets": np.array([0, 7])}
    about = {"classes": 2, "source": "made here", "scale": 1.0, "stand_in": False, "options": {}}
    about["digest"] = digest_of_the_first_release(about, arrays)
    path = tmp_path / "prepared.npz"
    np.savez(path, about=json.dumps(about), **arrays)
    with pytest.raises(DataError, match=rf"{path}: .*targets\[1\] = 7, expected a class from 0 to 1; delete it"):
        Dataset.load(path)


def test_compressed_prepared_file_is_not_decompressed(dataset, tmp_path):
    """`save` never compresses: a small file of many zeros was written by something else."""
    path = tmp_path / "prepared.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("about.npy", bytes(10_000_000))
    with pytest.raises(DataError, match=f"{path}: damaged prepared dataset .10,000,000 bytes of arrays in a file of"):
        Dataset.load(path)


def test_absent_prepared_file_is_reported_as_such(tmp_path):
    with pytest.raises(FileNotFoundError):
        Dataset.load(Path(tmp_path / "absent.npz"))


def test_failed_save_leaves_the_older_file(dataset, tmp_path, monkeypatch):
    path = tmp_path / "prepared.npz"
    dataset.save(path)
    whole = path.read_bytes()

    def full_disk(file, **arrays):
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="No space"):
        dataset.save(path)
    assert path.read_bytes() == whole and list(tmp_path.iterdir()) == [path]
