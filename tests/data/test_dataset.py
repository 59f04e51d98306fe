import numpy as np
import pytest

from hippo.data.dataset import Dataset, Part
from hippo.data.sources import DataError


@pytest.fixture
def dataset() -> Dataset:
    rng = np.random.default_rng(0)
    train = Part(
        inputs=rng.integers(0, 256, (5, 7, 1), dtype=np.uint8),
        targets=np.arange(5),
        times=np.arange(35, dtype=np.float32).reshape(5, 7),
    )
    return Dataset({"train": train, "test": Part(inputs=np.ones((2, 7, 1), np.float32))}, 5, "made here", 1 / 255)


def test_saved_dataset_is_read_back_whole(dataset, tmp_path):
    path = tmp_path / "new" / "prepared.npz"
    dataset.save(path)
    read = Dataset.load(path)
    assert read.digest == dataset.digest
    assert (read.classes, read.source, read.scale, read.substitute) == (5, "made here", 1 / 255, False)
    np.testing.assert_array_equal(read.parts["train"].times, dataset.parts["train"].times)
    assert read.parts["test"].targets is None and read.parts["test"].times is None
    assert [file.name for file in path.parent.iterdir()] == ["prepared.npz"]


def test_digest_sees_every_array_and_the_scale(dataset):
    train = dataset.parts["train"]
    others = [
        {"inputs": train.inputs + np.uint8(1)},
        {"inputs": train.inputs.astype(np.float32)},
        {"inputs": train.inputs.reshape(5, 1, 7)},
        {"targets": train.targets[::-1]},
        {"times": None},
    ]
    changed = [
        Dataset({**dataset.parts, "train": Part(**{**vars(train), **other})}, 5, "", 1 / 255) for other in others
    ]
    digests = {dataset.digest, Dataset(dataset.parts, 5, "").digest, *(one.digest for one in changed)}
    assert len(digests) == 2 + len(others)


def test_truncated_or_altered_prepared_file_is_a_clear_error(dataset, tmp_path):
    path = tmp_path / "prepared.npz"
    dataset.save(path)
    whole = path.read_bytes()
    for damaged in (whole[:-40], whole[:300] + b"xxxx" + whole[304:], b""):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=f"{path}: .*delete it and prepare it again"):
            Dataset.load(path)


def test_prepared_file_of_other_values_is_a_clear_error(dataset, tmp_path):
    path = tmp_path / "prepared.npz"
    dataset.save(path)
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["train.targets"] = arrays["train.targets"] + 1
    np.savez(path, **arrays)
    with pytest.raises(DataError, match="contents do not match the digest"):
        Dataset.load(path)


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
