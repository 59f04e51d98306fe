"""Check that the arrays of a dataset fit each other and what the dataset declares."""

from typing import TYPE_CHECKING

import numpy as np

from hippo.data.errors import DataError
from hippo.data.part import NOT_ASKED, Part

if TYPE_CHECKING:
    from hippo.data.dataset import Dataset


def check_dataset(dataset: "Dataset") -> None:
    """Check a dataset.

    Parameters
    ----------
    dataset : Dataset
        The dataset.

    Raises
    ------
    DataError
        If a part is empty, shapes or dtypes do not fit, or values are out of range. The message names the dataset,
        the part and the array.
    """
    where = f"dataset {dataset.source!r}"
    _require(bool(dataset.parts), where, "no parts")
    for name, value in (("classes", dataset.classes), ("vocabulary", dataset.vocabulary)):
        _require(value is None or value >= 1, where, f"{name} = {value}, expected at least 1")
    for name, part in dataset.parts.items():
        place = f"{where}, part {name!r}"
        if dataset.vocabulary is None:
            _check_signals(part.inputs, dataset.missing_values, place)
        else:
            _check_tokens(part, dataset.vocabulary, dataset.scale, place)
        # Lengths before times: the timestamps of padded steps are not checked for order.
        if part.lengths is not None:
            _check_lengths(part, dataset.vocabulary is not None, place)
        if part.targets is not None:
            _check_targets(part, dataset.classes, place)
        if part.times is not None:
            _check_times(part, place)


def _check_signals(inputs: np.ndarray, missing_values: bool, place: str) -> None:
    """Inputs (samples, length, channels), uint8 or float32."""
    _require(inputs.ndim == 3, place, f"inputs have shape {inputs.shape}, expected (samples, length, channels)")
    _require(inputs.size > 0, place, f"inputs have shape {inputs.shape}, which is empty")
    known = inputs.dtype in (np.uint8, np.float32)
    _require(known, place, f"inputs have dtype {inputs.dtype}, expected uint8 or float32")
    if inputs.dtype == np.uint8:  # always finite; large datasets of images are not searched
        return
    if missing_values:
        _require_values(~np.isinf(inputs), inputs, "inputs", "a finite number, or NaN for a missing value", place)
    else:
        expected = "a finite number (NaN is allowed where the dataset has missing_values=True)"
        _require_values(np.isfinite(inputs), inputs, "inputs", expected, place)


def _check_tokens(part: Part, vocabulary: int, scale: float, place: str) -> None:
    """Inputs (samples, length) of token ids, or (samples, documents, length) with lengths (samples, documents)."""
    inputs = part.inputs
    documents = inputs.ndim == 3 and part.lengths is not None and part.lengths.ndim == 2
    expected = "(samples, length), or (samples, documents, length) with lengths (samples, documents)"
    _require(inputs.ndim == 2 or documents, place, f"token ids have shape {inputs.shape}, expected {expected}")
    _require(inputs.size > 0, place, f"token ids have shape {inputs.shape}, which is empty")
    _require(inputs.dtype.kind in "iu", place, f"token ids have dtype {inputs.dtype}, expected an integer dtype")
    _require(scale == 1, place, f"token ids cannot be multiplied by scale = {scale}")
    if inputs.min() < 0 or inputs.max() >= vocabulary:  # needs no copy of large datasets
        valid = (inputs >= 0) & (inputs < vocabulary)
        _require_values(valid, inputs, "inputs", f"a token id from 0 to {vocabulary - 1}", place)


def _check_lengths(part: Part, tokens: bool, place: str) -> None:
    """True lengths (samples,) int64; (samples, documents) for token ids of several documents."""
    axis = part.inputs.ndim - 1 if tokens else 1  # of the steps
    length = part.inputs.shape[axis]
    _require_array(part.lengths, "lengths", np.int64, [part.inputs.shape[:axis]], place)
    valid = (part.lengths >= 1) & (part.lengths <= length)
    _require_values(valid, part.lengths, "lengths", f"a length from 1 to {length}", place)


def _check_targets(part: Part, classes: int | None, place: str) -> None:
    """Classes int64, or numbers float32; one per sequence or one per step."""
    samples, length = part.inputs.shape[:2]
    targets = part.targets
    if classes is None:
        outputs = targets.shape[-1] if targets.ndim > 1 else 1
        _require_array(targets, "targets", np.float32, [(samples, outputs), (samples, length, outputs)], place)
        _require_values(np.isfinite(targets), targets, "targets", "a finite number", place)
        return
    _require_array(targets, "targets", np.int64, [(samples,), (samples, length)], place)
    valid, expected = (targets >= 0) & (targets < classes), f"a class from 0 to {classes - 1}"
    if targets.ndim == 2:
        _check_asked(part, place)
        valid, expected = valid | (targets == NOT_ASKED), f"{expected}, or {NOT_ASKED} (NOT_ASKED)"
    _require_values(valid, targets, "targets", expected, place)


def _check_asked(part: Part, place: str) -> None:
    """At least one step of every sample has a target: the mean loss of a batch without one is 0/0."""
    asked = part.targets != NOT_ASKED
    if part.lengths is not None and part.lengths.ndim == 1:
        asked &= np.arange(asked.shape[1]) < part.lengths[:, None]
    missing = np.flatnonzero(~asked.any(axis=1))
    within = "" if part.lengths is None else " within its length"
    expected = "expected at least one step with a target; leave such samples out"
    if len(missing):
        raise DataError(f"{place}: targets[{missing[0]}] are NOT_ASKED at every step{within}, {expected}")


def _check_times(part: Part, place: str) -> None:
    """Timestamps (samples, length) float32, non-decreasing within the true length."""
    _require_array(part.times, "times", np.float32, [part.inputs.shape[:2]], place)
    _require_values(np.isfinite(part.times), part.times, "times", "a finite number", place)
    in_order = np.ones(part.times.shape, dtype=bool)
    in_order[:, 1:] = part.times[:, 1:] >= part.times[:, :-1]
    if part.lengths is not None:
        in_order |= np.arange(part.times.shape[1]) >= part.lengths[:, None]
    _require_values(in_order, part.times, "times", "no less than the timestamp before it", place)


def _require_array(array: np.ndarray, name: str, dtype: type, shapes: list[tuple], place: str) -> None:
    expected = " or ".join(map(str, dict.fromkeys(shapes)))
    _require(array.shape in shapes, place, f"{name} have shape {array.shape}, expected {expected} to fit the inputs")
    _require(array.size > 0, place, f"{name} have shape {array.shape}, which is empty")
    _require(array.dtype == dtype, place, f"{name} have dtype {array.dtype}, expected {np.dtype(dtype)}")


def _require_values(valid: np.ndarray, array: np.ndarray, name: str, expected: str, place: str) -> None:
    if not valid.all():
        index = tuple(int(i) for i in np.unravel_index(np.argmin(valid), valid.shape))
        raise DataError(f"{place}: {name}{list(index)} = {array[index]}, expected {expected}")


def _require(condition: bool, place: str, fault: str) -> None:
    if not condition:
        raise DataError(f"{place}: {fault}")
