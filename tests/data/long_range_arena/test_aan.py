"""AAN: pairs of documents in the published layout."""

import gzip

import numpy as np
import pytest

from hippo.data.dataset import Dataset
from hippo.data.errors import DataError, NoSourceError
from hippo.data.long_range_arena.aan import AAN
from hippo.data.sources import Sources

SIZES = {"train": 40, "eval": 12, "test": 10}


def pairs(name: str) -> list[tuple[int, str, str]]:
    rng = np.random.default_rng(len(name))
    texts = ["".join(rng.choice(list("etaoin \"'"), size)) for size in rng.integers(5, 80, 2 * SIZES[name])]
    return [(i % 2, texts[2 * i], texts[2 * i + 1]) for i in range(SIZES[name])]


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "user" / "lra_release" / "lra_release" / "tsv_data"
    home.mkdir(parents=True)
    for name in SIZES:
        lines = [f"{label}.0\tP{i}\tQ{i}\t{a}\t{b}\n" for i, (label, a, b) in enumerate(pairs(name))]
        (home / f"new_aan_pairs.{name}.tsv").write_text("".join(lines), encoding="utf-8")
    return home


def sources(folder) -> Sources:
    return Sources(folder.parents[2], cache=folder.parents[3] / "cache", offline=True)


def test_both_documents_labels_and_lengths(folder, tmp_path):
    dataset = AAN(max_length=60).build(sources(folder))
    letters = set("".join(a[:59] + b[:59] for _, a, b in pairs("train")))
    assert dataset.vocabulary == 3 + len(letters) and dataset.classes == 2
    test = dataset.parts["test"]
    assert test.inputs.shape == (10, 2, 60) and test.lengths.shape == (10, 2) and test.inputs.dtype == np.uint8
    # Decode with the frequencies of the train file: the characters are those of the documents, quotes included.
    counts = {c: sum(t[:59].count(c) for _, *texts in pairs("train") for t in texts) for c in letters}
    decode = dict(enumerate(sorted(letters, key=lambda c: (-counts[c], c)), start=3))
    for (label, *texts), documents, lengths, target in zip(
        pairs("test"), test.inputs, test.lengths, test.targets, strict=True
    ):
        assert target == label
        for text, tokens, length in zip(texts, documents, lengths, strict=True):
            assert length == min(len(text), 59) + 1 and tokens[length - 1] == 2 and (tokens[length:] == 0).all()
            assert "".join(decode[token] for token in tokens[: length - 1]) == text[:59]
    dataset.save(tmp_path / "aan.npz")
    assert Dataset.load(tmp_path / "aan.npz").digest == dataset.digest


def test_sizes_and_repeated_pairs(folder, caplog):
    path = folder / "new_aan_pairs.train.tsv"
    first = (folder / "new_aan_pairs.test.tsv").read_text().splitlines()[0]
    path.write_text(path.read_text() + first + "\n")
    with caplog.at_level("INFO"):
        dataset = AAN(max_length=60, eval_samples=11).build(sources(folder))
    assert [len(dataset.parts[name].inputs) for name in ("train", "validation", "test")] == [40, 11, 10]
    assert "1 pairs of the train part are repeated" in caplog.text
    assert "41 pairs, 147086 are published; the file may be truncated" in caplog.text
    assert len(AAN(max_length=60, train_samples=8).build(sources(folder)).parts["train"].inputs) == 8


def test_a_pair_in_the_other_order_is_repeated_too(folder, caplog):
    """Whether one paper cites the other does not depend on the order of the two."""
    path = folder / "new_aan_pairs.train.tsv"
    label, *rest = (folder / "new_aan_pairs.test.tsv").read_text().splitlines()[0].split("\t")
    path.write_text(path.read_text() + "\t".join([label, *swapped(rest)]) + "\n")
    with caplog.at_level("INFO"):
        assert len(AAN(max_length=60).build(sources(folder)).parts["train"].inputs) == 40
    assert "1 pairs of the train part are repeated" in caplog.text


def swapped(fields: list[str]) -> list[str]:
    """The fields of a line after its label, two numbers and two texts, with the second paper first."""
    one, other, text, other_text = fields
    return [other, one, other_text, text]


def test_gzipped_files_are_read(folder):
    plain = AAN(max_length=60).build(sources(folder))
    for path in list(folder.iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert AAN(max_length=60).build(sources(folder)).digest == plain.digest


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"1.0\tP1\tQ1\tonly one", "line 1: 4 columns, expected label, 2 identifiers and 2 texts"),
        (b"2.0\tP1\tQ1\ta\tb", "line 1: label 2.0, expected 0 or 1"),
        (b"yes\tP1\tQ1\ta\tb", "line 1: could not convert"),
        (b"0.0\tP1\tQ1\t\xff\tb", "line 1: 'utf-8' codec"),
        (b"", "empty file"),
    ],
)
def test_damaged_file_is_one_clear_error(folder, line, fault):
    path = folder / "new_aan_pairs.eval.tsv"
    path.write_bytes(line)
    for attempt in (AAN().fetch, AAN().build):
        with pytest.raises(DataError, match=f"{path}: {fault}"):
            attempt(sources(folder))


def test_line_that_is_cut_later_in_the_file_is_found(folder):
    path = folder / "new_aan_pairs.test.tsv"
    path.write_text(path.read_text() + "1.0\tP")
    with pytest.raises(DataError, match=f"{path}: line 11: 2 columns"):
        AAN().build(sources(folder))


def test_absent_files_say_what_to_put_where(tmp_path):
    with pytest.raises(
        NoSourceError, match="Put new_aan_pairs.train.tsv.* and set HIPPO_DATA_DIR to it. Tried"
    ) as caught:
        AAN().build(Sources(cache=tmp_path, offline=True))
    assert caught.value.advice.endswith("into a folder and set HIPPO_DATA_DIR to it")
