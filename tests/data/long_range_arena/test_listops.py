"""ListOps: labels by an evaluator of its own, the grammar's frequencies, and the published files."""

from statistics import median

import numpy as np
import pytest
from pydantic import ValidationError

from hippo.data.errors import DataError, NoSourceError
from hippo.data.long_range_arena.expressions import _batch, generate
from hippo.data.long_range_arena.listops import TOKENS, ListOps
from hippo.data.sources import Sources

PYTHON = {"[MIN": "min([", "[MAX": "max([", "[MED": "middle([", "[SM": "modular([", "]": "]),"}
FUNCTIONS = {"min": min, "max": max, "middle": lambda v: int(median(v)), "modular": lambda v: sum(v) % 10}


def evaluate(tokens: list[str]) -> int:
    """Value of an expression, as Python evaluates the same nested calls."""
    source = "".join(PYTHON.get(token, f"{token},") for token in tokens)
    (value,) = eval(source, {"__builtins__": {}, **FUNCTIONS})
    return value


def depth(tokens: list[str]) -> int:
    """Depth of the deepest token; the first operator has depth 1."""
    opened = deepest = 0
    for token in tokens:
        opened += token in PYTHON and token != "]"
        deepest = max(deepest, opened + token.isdigit())
        opened -= token == "]"
    return deepest


def expressions(part) -> list[list[str]]:
    return [[TOKENS[i] for i in row[: length - 1]] for row, length in zip(part.inputs, part.lengths, strict=True)]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    options = ListOps(train_samples=600, eval_samples=100, min_length=50, max_length=400)
    return options.build(Sources(cache=tmp_path_factory.mktemp("cache")))


def test_published_evaluations():
    assert evaluate("[MAX 2 9 [MIN 4 7 ] 0 ]".split()) == 9  # Tay et al. 2021, section 2.2.1
    assert evaluate("[MED 1 4 ]".split()) == 2 and evaluate("[SM 7 8 ]".split()) == 5


def test_every_label_is_the_value_of_its_expression(dataset):
    for part in dataset.parts.values():
        assert [evaluate(tokens) for tokens in expressions(part)] == part.targets.tolist()
    assert dataset.classes == 10 and dataset.vocabulary == 18


def test_lengths_depth_end_and_padding(dataset):
    for part in dataset.parts.values():
        tokens = part.lengths - 1
        assert tokens.min() > 50 and tokens.max() < 400 and part.inputs.shape[1] == 400
        assert max(map(depth, expressions(part))) == 10
        for row, length in zip(part.inputs, part.lengths, strict=True):
            assert row[length - 1] == 2 and (row[length:] == 0).all() and (row[: length - 1] >= 3).all()


def test_all_expressions_are_different(dataset):
    rows = [row.tobytes() for part in dataset.parts.values() for row in part.inputs]
    assert len(set(rows)) == len(rows) == 800


def test_grammar_frequencies():
    """At depth 2 all arguments are digits: operators, numbers of arguments and digits are uniform.

    Expressions of few arguments repeat, and repeated ones are left out: those of at least 5 arguments hardly do.
    """
    made = generate(20_000, min_length=6, max_length=13, max_depth=2, max_arguments=10, seed=3)
    arguments = np.bincount(made.lengths - 2, minlength=11)
    assert arguments.sum() == arguments[5:].sum() == 20_000
    tokens = np.bincount(made.tokens, minlength=18)
    for counts in (arguments[5:], tokens[3:7], tokens[8:]):
        expected = counts.sum() / len(counts)
        assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


def test_an_operator_is_chosen_with_probability_one_quarter():
    """All expressions of depth 3, unselected: a root is an operator in a quarter of them, and so is each of its
    arguments, of which it has 6 in the mean."""
    tokens, lengths, values, begun = _batch(np.random.default_rng(0), 0, 200, 3, 10)
    assert len(lengths) == len(values) == begun > 100_000
    operators = np.isin(tokens[: lengths.sum()], range(3, 7)).sum() / begun
    assert abs((lengths > 1).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / begun)
    # A root operator with k arguments has 1 + k/4 operators in the mean, at most 11 in all.
    assert abs(operators - 0.25 * (1 + 6 / 4)) < 5 * 11 / np.sqrt(begun)


def test_same_seed_same_expressions_and_more_train_samples_keep_the_others(tmp_path):
    sources = Sources(cache=tmp_path)
    options = {"eval_samples": 30, "min_length": 20, "max_length": 80}
    first, again, other, more = (
        ListOps(train_samples=samples, seed=seed, **options).build(sources)
        for samples, seed in ((50, 0), (50, 0), (50, 1), (90, 0))
    )
    assert first.digest == again.digest != other.digest
    np.testing.assert_array_equal(first.parts["test"].inputs, more.parts["test"].inputs)
    np.testing.assert_array_equal(first.parts["train"].inputs, more.parts["train"].inputs[:50])


def test_too_few_different_expressions_are_an_error(tmp_path):
    options = ListOps(train_samples=500, eval_samples=1, min_length=2, max_length=5, max_arguments=2)
    with pytest.raises(DataError, match=r"102 are still missing; choose a wider range of lengths"):
        options.build(Sources(cache=tmp_path))  # four operators of two digits: 400 expressions


def test_lengths_that_exclude_each_other_are_refused():
    with pytest.raises(ValidationError, match="no expression has more than 500"):
        ListOps(max_length=501)


def published(tokens: list[str]) -> str:
    """An expression in the published notation, in which each step of its application has round brackets."""
    stack: list[list[str]] = [[]]
    for token in tokens:
        if token in PYTHON and token != "]":
            stack.append([token])
            continue
        argument = token
        if token == "]":
            whole, *arguments = stack.pop()
            for part in [*arguments, "]"]:
                whole = f"( {whole} {part} )"
            argument = whole
        stack[-1].append(argument)
    return stack[0][0]


@pytest.fixture
def folder(tmp_path, dataset):
    """A user's folder with small files in the published layout."""
    home = tmp_path / "user" / "lra_release" / "listops-1000"
    home.mkdir(parents=True)
    for name, part in zip(("train", "val", "test"), dataset.parts.values(), strict=True):
        lines = [f"{published(e)}\t{v}\r\n" for e, v in zip(expressions(part), part.targets, strict=True)]
        (home / f"basic_{name}.tsv").write_bytes(("Source\tTarget\r\n" + "".join(lines)).encode())
    return tmp_path / "user"


def test_published_notation():
    assert published("[MAX 1 2 ]".split()) == "( ( ( [MAX 1 ) 2 ) ] )"


def test_published_files_give_the_same_arrays(folder, dataset):
    options = ListOps(origin="published", train_samples=600, eval_samples=100, max_length=400)
    assert len(options.fetch(Sources(folder))) == 3
    read = options.build(Sources(folder))
    for name, part in dataset.parts.items():
        for array in ("inputs", "targets", "lengths"):
            np.testing.assert_array_equal(getattr(read.parts[name], array), getattr(part, array))
    assert "regenerated" not in read.source and "regenerated" in dataset.source


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("Source,Target", "line 1 is .*, expected the columns Source and Target"),
        ("Source\tTarget\n( ( [MAX 1 ) ] )\t1\n( ( [MAX 1", "line 3: not a ListOps expression"),
        ("Source\tTarget\n( [MOD 1 ) ]\t1", r"line 2: .*\[MOD"),
        ("Source\tTarget\n[MAX 1 2 ]\t12", "value from 0 to 9, found 12"),
        ("Source\tTarget\n" + "[MAX " + "1 " * 400 + "]\t1", "402 tokens, expected fewer than max_length = 400"),
        ("Source\tTarget\n", "no expression"),
    ],
)
def test_damaged_published_file_is_one_clear_error(folder, line, fault):
    path = folder / "lra_release" / "listops-1000" / "basic_val.tsv"
    path.write_text(line)
    with pytest.raises(DataError, match=f"{path}: .*{fault}"):
        ListOps(origin="published", max_length=400).build(Sources(folder))


def test_absent_published_files_say_what_to_put_where(tmp_path):
    with pytest.raises(NoSourceError, match="Put basic_train.tsv, .* into a folder and set HIPPO_DATA_DIR") as caught:
        ListOps(origin="published").build(Sources(cache=tmp_path, offline=True))
    assert caught.value.advice.startswith("put basic_train.tsv") and "network" not in caught.value.advice


def test_more_samples_than_published_are_an_error(folder):
    with pytest.raises(DataError, match="part 'train': 601 samples are asked for, the published file has 600"):
        ListOps(origin="published", train_samples=601, eval_samples=100, max_length=400).build(Sources(folder))
