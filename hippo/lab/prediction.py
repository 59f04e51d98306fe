"""Predictions of a kept model for the sequences in a CSV file."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from hippo.config import ConfigError
from hippo.data.float32 import in_float32, times_in_float32
from hippo.lab.training.evaluation import BATCH_SIZE, BATCH_STEPS
from hippo.nn.divergence import Diverged
from hippo.nn.sequence import SequenceModel

SAMPLE, TIME = "sample", "time"  # columns that are no channels


@dataclass(frozen=True)
class Sequences:
    """Sequences of a CSV file.

    Parameters
    ----------
    names : list of str
        Name of each sequence.
    inputs : list of ndarray
        float32 (length, channels), or token ids, int64 (length,).
    times : list of ndarray or None
        Timestamps of each sequence, float32 (length,).
    """

    names: list[str]
    inputs: list[np.ndarray]
    times: list[np.ndarray] | None


def read_sequences(path: Path, metadata: dict[str, Any]) -> Sequences:
    """Read the sequences that a model can read from a CSV file.

    The file has one step per line, in the order of time. Its first line names the columns: one per channel, in the
    order in which the model was trained; `time`, if the model reads timestamps; and `sample`, the name of the sequence
    that the step belongs to. Without the column `sample` the file is one sequence. A model of tokens has one channel,
    the token's number. Values are those of the prepared dataset, before they are scaled.

    Parameters
    ----------
    path : Path
        The file.
    metadata : dict
        What `hippo.nn.load_model` returned beside the model.

    Returns
    -------
    Sequences

    Raises
    ------
    ConfigError
        If the file is not such a file. The message names the line and the column.
    OSError
        If the file cannot be read.
    """
    if metadata["documents"] != 1:
        raise ConfigError(f"{path}: this model reads two documents per sample, which no CSV file holds")
    header, lines = _read_table(path)
    columns = {name: [line[i] for line in lines] for i, name in enumerate(header)}
    samples = columns.pop(SAMPLE, [path.stem] * len(lines))
    times = columns.pop(TIME, None)
    channels = 1 if metadata["vocabulary"] is not None else metadata["input_size"]
    if len(columns) != channels:
        given = ", ".join(columns) or "none"
        raise ConfigError(
            f"{path}: the model reads {channels} channel{'s' * (channels > 1)}, and there are {len(columns)} columns "
            f"beside {SAMPLE!r} and {TIME!r}: {given}"
        )
    if (times is not None) != metadata["timestamps"]:
        fault = "is missing: the model reads timestamps" if times is None else "is of no use: the model reads none"
        raise ConfigError(f"{path}: the column {TIME!r} {fault}")
    allow_nan = bool(metadata.get("missing_values"))
    values = np.stack([_numbers(path, name, texts, allow_nan) for name, texts in columns.items()], axis=1)  # (lines, C)
    if metadata["vocabulary"] is not None:
        inputs = _tokens(path, next(iter(columns)), values[:, 0], metadata["vocabulary"])
    else:
        inputs = in_float32(values, path)
    clock = None if times is None else _numbers(path, TIME, times, allow_nan=False)
    lines_of: dict[str, list[int]] = {}
    for number, name in enumerate(samples):
        lines_of.setdefault(name, []).append(number)
    if clock is not None:
        _check_times(path, clock, lines_of)
    return Sequences(
        names=list(lines_of),
        inputs=[inputs[numbers] for numbers in lines_of.values()],
        times=None
        if clock is None
        else [times_in_float32(clock[n], f"{path}, column {TIME}") for n in lines_of.values()],
    )


def predict(model: SequenceModel, metadata: dict[str, Any], sequences: Sequences) -> pd.DataFrame:
    """Return the predictions of a model for sequences of any lengths.

    Parameters
    ----------
    model : SequenceModel
        The model.
    metadata : dict
        What `hippo.nn.load_model` returned beside it.
    sequences : Sequences
        What `read_sequences` returned.

    Returns
    -------
    DataFrame
        One line per sequence, or per step if the model answers at every step: `sample`, `step` (from 0, if there is one
        line per step), and either `class` and `probability_0`, `probability_1`, ..., or `value_0`, `value_1`, ...

    Raises
    ------
    ConfigError
        If the model cannot compute an answer.
    """
    tables = []
    for part in _batches(sequences.inputs):
        inputs, lengths = _pad([sequences.inputs[i] for i in part])
        times = None if sequences.times is None else _pad([sequences.times[i] for i in part], repeat=True)[0]
        if metadata["vocabulary"] is None:
            inputs = inputs * metadata.get("input_scale", 1.0)
        try:
            with torch.no_grad():
                answers = model(inputs, times=times, lengths=None if (lengths == lengths.max()).all() else lengths)
        except Diverged as error:
            raise ConfigError(f"the model has no answer for {sequences.names[part[0]]} and others: {error}") from error
        for position, number in enumerate(part):
            own = (
                answers[position][: lengths[position]]
                if metadata["return_sequence"]
                else answers[position : position + 1]
            )
            tables.append(_table(sequences.names[number], own, metadata))
    return pd.concat(tables, ignore_index=True)


def _read_table(path: Path) -> tuple[list[str], list[list[str]]]:
    """Names of the columns, and the lines below, all of them complete."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: not a CSV file in UTF-8: {error}") from error
    while lines and not lines[-1]:
        lines.pop()
    if len(lines) < 2:
        raise ConfigError(f"{path}: expected a line with the names of the columns and a line for each step")
    header = [name.strip() for name in lines[0]]
    if twice := [name for name in header if header.count(name) > 1]:
        raise ConfigError(f"{path}: two columns have the name {twice[0]!r}")
    if all(_is_number(name) for name in header):
        raise ConfigError(f"{path}, line 1: expected the names of the columns, got {', '.join(header)[:80]}")
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(header):
            raise ConfigError(f"{path}, line {number}: {len(line)} values for {len(header)} columns")
    return header, lines[1:]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbers(path: Path, column: str, texts: list[str], allow_nan: bool) -> np.ndarray:
    """The values of a column, float64; an empty one is NaN."""
    values = np.empty(len(texts))
    for i, text in enumerate(texts):
        stripped = text.strip()
        if stripped and not _is_number(stripped):
            raise ConfigError(f"{path}, line {i + 2}, column {column}: {text!r} is not a number")
        values[i] = float(stripped) if stripped else np.nan
    wrong = np.flatnonzero(np.isinf(values) | (np.isnan(values) & (not allow_nan)))
    if len(wrong):
        what = "the value is missing or NaN" if np.isnan(values[wrong[0]]) else "the value is infinite"
        reads = "finite numbers" if not allow_nan else "finite numbers and NaN"
        raise ConfigError(f"{path}, line {wrong[0] + 2}, column {column}: {what}; the model reads {reads}")
    return values


def _tokens(path: Path, column: str, values: np.ndarray, vocabulary: int) -> np.ndarray:
    """Token ids."""
    wrong = np.flatnonzero((values != np.round(values)) | (values < 0) | (values >= vocabulary))
    if len(wrong):
        value, line = values[wrong[0]], wrong[0] + 2
        raise ConfigError(f"{path}, line {line}, column {column}: {value:g} is not a token from 0 to {vocabulary - 1}")
    return values.astype(np.int64)


def _check_times(path: Path, clock: np.ndarray, lines_of: dict[str, list[int]]) -> None:
    """ConfigError unless the times of every sequence are not negative and never decrease."""
    for name, numbers in lines_of.items():
        times = clock[numbers]
        wrong = np.flatnonzero((times < 0) | (np.diff(times, prepend=times[0]) < 0))
        if len(wrong):
            line = numbers[wrong[0]] + 2
            raise ConfigError(
                f"{path}, line {line}, column {TIME}: {times[wrong[0]]:g} is negative or before the previous time of "
                f"sample {name}"
            )


def _batches(inputs: list[np.ndarray]) -> Iterator[list[int]]:
    """Numbers of the sequences of each batch, of limited size with padding."""
    batch: list[int] = []
    longest = 0
    for number, sequence in enumerate(inputs):
        longest = max(longest, len(sequence))
        if batch and (len(batch) == BATCH_SIZE or (len(batch) + 1) * longest > BATCH_STEPS):
            yield batch
            batch, longest = [], len(sequence)
        batch.append(number)
    yield batch


def _pad(arrays: list[np.ndarray], repeat: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """Arrays of different lengths as one tensor (batch, length, ...), padded with 0 or the last value; the lengths."""
    lengths = [len(array) for array in arrays]
    padded = np.zeros((len(arrays), max(lengths), *arrays[0].shape[1:]), dtype=arrays[0].dtype)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
        if repeat:
            row[len(array) :] = array[-1]
    return torch.from_numpy(padded), torch.tensor(lengths)


def _table(name: str, answers: torch.Tensor, metadata: dict[str, Any]) -> pd.DataFrame:
    """Answers (steps or 1, outputs) of one sequence as lines."""
    columns: dict[str, Any] = {SAMPLE: name}
    if metadata["return_sequence"]:
        columns["step"] = range(len(answers))
    if metadata.get("classes") is None:
        values, prefix = answers.numpy(), "value"
    else:
        values, prefix = answers.softmax(dim=1).numpy(), "probability"
        columns["class"] = values.argmax(axis=1)
    columns |= {f"{prefix}_{i}": values[:, i] for i in range(values.shape[1])}
    return pd.DataFrame(columns, index=range(len(answers)))
