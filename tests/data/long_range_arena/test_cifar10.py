"""Gray CIFAR-10: values, split, the official layout, and pickles that would run code."""

import hashlib
import io
import os
import pickle
import tarfile

import numpy as np
import pytest
from PIL import Image

from hippo.data.errors import DataError, NoSourceError
from hippo.data.long_range_arena import cifar10
from hippo.data.long_range_arena.cifar10 import CIFAR10, gray, read_archive
from hippo.data.sources import Sources

BATCH = 30  # images in each of the six batches


def batches() -> dict[str, dict]:
    rng = np.random.default_rng(0)
    return {
        name: {
            b"batch_label": name.encode(),
            b"labels": rng.integers(0, 10, BATCH).tolist(),
            b"data": rng.integers(0, 256, (BATCH, 3072), dtype=np.uint8),
            b"filenames": [b"a.png"] * BATCH,
        }
        for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
    }


def packed(contents: dict) -> bytes:
    archive_bytes = io.BytesIO()
    with tarfile.open(fileobj=archive_bytes, mode="w:gz") as archive:
        for name, batch in contents.items():
            stored = pickle.dumps(batch, protocol=2)
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(stored)
            archive.addfile(member, io.BytesIO(stored))
    return archive_bytes.getvalue()


@pytest.fixture
def put(tmp_path, monkeypatch):
    """Put batches into the user's folder, in the official layout, with their own digest."""

    def put(contents):
        archive = packed(contents)
        (tmp_path / "cifar-10-python.tar.gz").write_bytes(archive)
        monkeypatch.setattr(cifar10, "ARCHIVE", (hashlib.sha256(archive).hexdigest(), len(archive)))
        return Sources(tmp_path, cache=tmp_path / "cache", offline=True)

    return put


def test_gray_values_are_those_of_pillow():
    colors = np.random.default_rng(1).integers(0, 256, (500, 3, 16), dtype=np.uint8)
    for image, expected in zip(gray(colors), colors, strict=True):
        whole = Image.fromarray(np.ascontiguousarray(expected.T.reshape(4, 4, 3)))
        np.testing.assert_array_equal(image.reshape(4, 4), np.asarray(whole.convert("L")))


def test_values_labels_and_split(put):
    contents = batches()
    dataset = CIFAR10().build(put(contents))
    sizes = {name: part.inputs.shape for name, part in dataset.parts.items()}
    assert sizes == {"train": (135, 1024, 1), "validation": (15, 1024, 1), "test": (30, 1024, 1)}
    colors = contents["test_batch"][b"data"].reshape(BATCH, 3, 1024).astype(float)
    luma = np.floor(colors.transpose(0, 2, 1) @ [0.299, 0.587, 0.114] + 0.5)
    values = dataset.parts["test"].inputs[:, :, 0].astype(float) * 61 + 122.6
    assert np.abs(values - luma).max() < 1 + 1e-3  # weights of 16 bits may round to the neighbor
    assert np.mean(np.abs(values - luma) < 1e-3) > 0.99
    assert dataset.parts["test"].targets.tolist() == contents["test_batch"][b"labels"]
    both = [dataset.parts[name].inputs for name in ("train", "validation")]
    assert len({row.tobytes() for row in np.concatenate(both)}) == 150


def test_train_images_keep_their_labels_and_the_order_of_the_batches(put):
    contents = batches()
    sources = put(contents)
    dataset = CIFAR10().build(sources)
    trained = [contents[f"data_batch_{number}"] for number in range(1, 6)]
    colors = np.concatenate([batch[b"data"] for batch in trained]).reshape(-1, 3, 1024)
    labels = np.concatenate([batch[b"labels"] for batch in trained])
    images = read_archive((sources.data_dir / "cifar-10-python.tar.gz",))
    np.testing.assert_array_equal(images.train, gray(colors))
    np.testing.assert_array_equal(images.train_labels, labels)
    numbers = {image.tobytes(): number for number, image in enumerate(images.train)}
    for name in ("train", "validation"):
        part = dataset.parts[name]
        shown = np.rint(part.inputs[:, :, 0].astype(float) * 61 + 122.6).astype(np.uint8)
        found = [numbers[image.tobytes()] for image in shown]
        assert found == sorted(found) and part.targets.tolist() == labels[found].tolist()


def test_number_of_images(put):
    dataset = CIFAR10(train_samples=20, test_samples=5).build(put(batches()))
    assert [len(dataset.parts[name].targets) for name in ("train", "validation", "test")] == [18, 2, 5]


def test_archive_of_another_digest_is_never_opened(put):
    sources = put(batches())
    path = sources.data_dir / "cifar-10-python.tar.gz"
    path.write_bytes(packed({"data_batch_1": Exploit()}))
    with pytest.raises(DataError, match=f"{path}: truncated, altered or not .*expected sha256"):
        CIFAR10().build(sources)


class Exploit:
    """Unpickled, it would run a command."""

    def __reduce__(self):
        return (os.system, ("false",))


@pytest.mark.parametrize(
    ("batch", "fault"),
    [
        (Exploit(), "it calls (posix|nt).system"),
        ([1, 2], "is not a batch of CIFAR-10"),
        ({b"data": np.zeros((3, 10), np.uint8), b"labels": [1, 2, 3]}, r"uint8 \(3, 10\)"),
        ({b"data": np.zeros((3, 3072), np.uint8), b"labels": [1, 2]}, r"labels \(2,\)"),
    ],
)
def test_batch_that_is_none_is_refused(put, batch, fault):
    with pytest.raises(DataError, match=f"cifar-10-python.tar.gz: .*test_batch.*{fault}") as caught:
        CIFAR10().build(put({**batches(), "test_batch": batch}))
    assert "\n" not in str(caught.value)


def test_archive_without_a_batch_is_refused(put):
    contents = batches()
    del contents["data_batch_4"]
    with pytest.raises(DataError, match="the archive holds no cifar-10-batches-py/data_batch_4"):
        CIFAR10().build(put(contents))


def test_absent_archive_says_what_to_put_where(tmp_path):
    with pytest.raises(
        NoSourceError, match="Put cifar-10-python.tar.gz into a folder and set HIPPO_DATA_DIR"
    ) as caught:
        CIFAR10().build(Sources(cache=tmp_path, offline=True))
    assert caught.value.advice.startswith("put cifar-10-python.tar.gz into a folder")
