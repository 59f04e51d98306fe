"""ListOps: the value of a nested expression of minima, maxima, medians and sums of digits."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from hippo.data.dataset import Dataset, DatasetOptions, Part
from hippo.data.errors import DamagedError, DataError
from hippo.data.long_range_arena.generated import chunks
from hippo.data.raw_files import lines
from hippo.data.sources import RawData

OPERATORS = ("[MIN", "[MAX", "[MED", "[SM")
TOKENS = ("<pad>", "<unk>", "<eos>", *OPERATORS, "]", *map(str, range(10)))
"""Tokens by id: padding, unknown, end, then the 15 tokens of expressions."""
END = 2
BYTES = 8_000_000_000  # 96,000 expressions of 2000 tokens with their brackets have less


class ListOps(DatasetOptions):
    """ListOps: nested expressions of MIN, MAX, MED (median) and SM (sum modulo 10) of digits, 10 classes.

    Inputs are token ids, shape (samples, max_length), uint8: the expression without round brackets, an end token, and
    padding. `lengths` are true lengths, end token included. Targets have shape (samples,), int64: the value.

    Attributes
    ----------
    origin : str, default "generated"
        "generated": from the published grammar. "published": the files `listops-1000/basic_{train,val,test}.tsv` of
        Long Range Arena, from the user's folder; of the options below, the numbers of samples and `max_length` apply.
    train_samples : int, default 96000
        Expressions of the train part; of the published ones, the first.
    eval_samples : int, default 2000
        Expressions of the validation part, and of the test part.
    min_length, max_length : int, default 500 and 2000
        A generated expression has more than `min_length` and fewer than `max_length` tokens, without the end token.
    max_depth : int, default 10
        Depth of the deepest digit.
    max_arguments : int, default 10
        Largest number of arguments of an operator; the smallest is 2.
    seed : int, default 0
        Seed of generated expressions.
    """

    test_options: ClassVar[dict[str, Any]] = {
        "train_samples": 60,
        "eval_samples": 20,
        "min_length": 20,
        "max_length": 100,
    }

    origin: Literal["generated", "published"] = "generated"
    train_samples: PositiveInt = 96_000
    eval_samples: PositiveInt = 2000
    min_length: NonNegativeInt = Field(500, description="an expression has more tokens than this")
    max_length: int = Field(2000, ge=2, le=100_000, description="an expression has fewer tokens than this")
    max_depth: int = Field(10, ge=1, le=1000)
    max_arguments: int = Field(10, ge=2, le=100)
    seed: NonNegativeInt = 0

    @model_validator(mode="after")
    def _lengths_fit(self):
        if self.origin == "generated" and self.max_length < self.min_length + 2:
            raise ValueError(
                f"no expression has more than {self.min_length} (min_length) and fewer than {self.max_length} "
                "(max_length) tokens"
            )
        return self

    def fetch(self, sources) -> dict[str, str]:
        """Find the published files; generated expressions need none (`DatasetOptions.fetch`)."""
        if self.origin == "generated":
            return {}
        found = sources.load(LISTOPS)
        return {str(path): found.origin for path in found.paths}

    def build(self, sources) -> Dataset:
        """Build the parts train, validation and test (`DatasetOptions.build`)."""
        if self.origin == "published":
            form = replace(LISTOPS, read=partial(read_tsv, max_length=self.max_length))
            parts = dict(zip(("train", "validation", "test"), sources.load(form).content, strict=True))
            for name, samples in self._samples().items():
                if samples > len(parts[name].inputs):
                    raise DataError(
                        f"ListOps, part {name!r}: {samples} samples are asked for, the published file has "
                        f"{len(parts[name].inputs)}; set train_samples or eval_samples to at most that"
                    )
                whole = parts[name]
                parts[name] = Part(whole.inputs[:samples], whole.targets[:samples], lengths=whole.lengths[:samples])
            source = "ListOps (listops-1000 of Long Range Arena)"
        else:
            parts, source = self._generated(sources.cache), f"ListOps, regenerated, seed {self.seed}"
        return Dataset(parts, classes=10, source=source, vocabulary=len(TOKENS))

    def _samples(self) -> dict[str, int]:
        return {"train": self.train_samples, "validation": self.eval_samples, "test": self.eval_samples}

    def _generated(self, cache: Path) -> dict[str, Part]:
        """Parts of generated expressions, from the cache where it has them. All expressions are different."""
        samples = self._samples()
        fields = ("min_length", "max_length", "max_depth", "max_arguments", "seed")
        grammar = {name: getattr(self, name) for name in fields}
        settings = {**grammar, "count": sum(samples.values())}

        def make() -> dict[str, np.ndarray]:
            from hippo.data.long_range_arena.expressions import generate

            return generate(**settings)._asdict()

        (made,) = chunks(cache, "listops", settings, {"expressions": make})
        ends = np.cumsum(made["lengths"])
        parts, first = {}, 0
        for name in ("test", "validation", "train"):  # so that more train samples leave the other parts as they are
            chosen = range(first, first + samples[name])
            sequences = [made["tokens"][ends[i] - made["lengths"][i] : ends[i]] for i in chosen]
            parts[name] = padded(sequences, made["values"][chosen.start : chosen.stop], self.max_length)
            first = chosen.stop
        return {name: parts[name] for name in samples}


def padded(expressions: list[np.ndarray], values, max_length: int) -> Part:
    """Return a part of expressions, each with the end token and padding.

    Parameters
    ----------
    expressions : list of ndarray
        Token ids of each expression.
    values : array-like, shape (expressions,)
        Their values.
    max_length : int
        Length of the padded sequences: at least that of the longest expression and one more.

    Returns
    -------
    Part
        Inputs (expressions, max_length), uint8.
    """
    inputs = np.zeros((len(expressions), max_length), np.uint8)
    for row, tokens in zip(inputs, expressions, strict=True):
        row[: len(tokens)] = tokens
        row[len(tokens)] = END
    lengths = np.array([len(tokens) + 1 for tokens in expressions], np.int64)
    return Part(inputs, np.asarray(values, np.int64), lengths=lengths)


def read_tsv(paths: tuple[Path, ...], max_length: int = 2000) -> tuple[Part, ...]:
    """Read the published files.

    Parameters
    ----------
    paths : tuple of Path
        `basic_train.tsv`, `basic_val.tsv` and `basic_test.tsv`, plain or gzipped.
    max_length : int, default 2000
        Length of the padded sequences.

    Returns
    -------
    tuple of Part
        Train, validation and test part.

    Raises
    ------
    DamagedError
        If a line does not have the published layout, or an expression is too long.
    """
    return tuple(_read_file(path, max_length) for path in paths)


def _read_file(path: Path, max_length: int) -> Part:
    ids = {token.encode(): number for number, token in enumerate(TOKENS) if number > END}
    expressions, values = [], []
    for number, line in enumerate(lines(path, BYTES), start=1):
        source, _, target = line.rstrip(b"\r").partition(b"\t")
        if number == 1:
            if (source, target) != (b"Source", b"Target"):
                raise DamagedError(path, f"line 1 is {line[:40]!r}, expected the columns Source and Target")
            continue
        try:
            tokens = [ids[token] for token in source.translate(None, b"()").split()]
            value = int(target)
        except (KeyError, ValueError) as error:
            raise DamagedError(path, f"line {number}: not a ListOps expression and its value ({error})") from error
        if not tokens or not 0 <= value <= 9:
            raise DamagedError(path, f"line {number}: expected an expression and its value from 0 to 9, found {value}")
        if len(tokens) >= max_length:
            fault = (
                f"line {number}: an expression of {len(tokens)} tokens, expected fewer than max_length = {max_length}"
            )
            raise DamagedError(path, fault)
        expressions.append(np.array(tokens, np.uint8))
        values.append(value)
    if not expressions:
        raise DamagedError(path, "no expression")
    return padded(expressions, values, max_length)


LISTOPS = RawData(
    title="ListOps",
    files={"basic_train.tsv": BYTES, "basic_val.tsv": BYTES, "basic_test.tsv": BYTES},
    read=read_tsv,
    places=(),
    folder="listops",
    subfolders=("lra_release/lra_release/listops-1000", "lra_release/listops-1000", "listops-1000", "."),
)
