import re

import numpy as np
import pytest

from hippo.data.dataset import NOT_ASKED, Dataset, Part
from hippo.data.errors import DataError

SIGNALS = np.linspace(0, 1, 24, dtype=np.float32).reshape(3, 4, 2)
TOKENS = np.arange(12).reshape(3, 4) % 5
STEPS = np.array([[NOT_ASKED, 0, 1, 1]] * 3)
TIMES = np.cumsum(np.ones((3, 4), np.float32), axis=1)


def make(inputs=SIGNALS, classes=None, scale=1.0, vocabulary=None, missing_values=False, **arrays) -> Dataset:
    parts = {"train": Part(SIGNALS if vocabulary is None else TOKENS), "test": Part(inputs, **arrays)}
    return Dataset(parts, classes, "here", scale, vocabulary=vocabulary, missing_values=missing_values)


def changed(array: np.ndarray, index, value) -> np.ndarray:
    copy = array.copy()
    copy[index] = value
    return copy


@pytest.mark.parametrize(
    "valid",
    [
        {},
        {"inputs": (SIGNALS * 255).astype(np.uint8), "scale": 1 / 255},
        {"targets": np.array([0, 2, 1]), "classes": 3},
        {"targets": STEPS, "classes": 2},
        {"targets": STEPS, "classes": 2, "lengths": np.array([2, 4, 3])},
        {"targets": SIGNALS[:, 0]},
        {"targets": SIGNALS},
        {"times": TIMES, "lengths": np.array([1, 4, 2])},
        {"times": changed(TIMES, (0, 2), 0.0), "lengths": np.array([2, 4, 4])},  # step 2 of sequence 0 is padding
        {"times": np.ones((3, 4), np.float32)},  # repeated timestamps
        {"inputs": changed(SIGNALS, (0, 1, 1), np.nan), "missing_values": True},
        {"inputs": TOKENS, "vocabulary": 5},
        {"inputs": TOKENS.astype(np.uint8), "vocabulary": 5, "targets": np.array([0, 1, 0]), "classes": 2},
        {"inputs": np.stack([TOKENS, TOKENS], axis=1), "vocabulary": 5, "lengths": np.array([[1, 4], [2, 3], [4, 4]])},
    ],
)
def test_valid_datasets_are_accepted(valid):
    make(**valid)


FAULTS = {
    "two dimensions": ({"inputs": SIGNALS[:, :, 0]}, "inputs have shape (3, 4), expected (samples, length, channels)"),
    "no samples": ({"inputs": SIGNALS[:0]}, "inputs have shape (0, 4, 2), which is empty"),
    "no steps": ({"inputs": SIGNALS[:, :0]}, "inputs have shape (3, 0, 2), which is empty"),
    "float64": ({"inputs": SIGNALS.astype(float)}, "inputs have dtype float64, expected uint8 or float32"),
    "tokens without vocabulary": ({"inputs": TOKENS[:, :, None]}, "inputs have dtype int64"),
    "NaN": ({"inputs": changed(SIGNALS, (2, 0, 1), np.nan)}, "inputs[2, 0, 1] = nan, expected a finite number"),
    "infinite": ({"inputs": changed(SIGNALS, (0, 3, 0), np.inf)}, "inputs[0, 3, 0] = inf, expected a finite number"),
    "infinite where NaN is allowed": (
        {"inputs": changed(SIGNALS, (0, 3, 0), -np.inf), "missing_values": True},
        "inputs[0, 3, 0] = -inf, expected a finite number, or NaN",
    ),
    "token too large": (
        {"inputs": TOKENS, "vocabulary": 4},
        "inputs[1, 0] = 4, expected a token id from 0 to 3",
    ),
    "token negative": (
        {"inputs": changed(TOKENS, (2, 1), -1), "vocabulary": 5},
        "inputs[2, 1] = -1, expected a token id from 0 to 4",
    ),
    "token of float": (
        {"inputs": TOKENS.astype(np.float32), "vocabulary": 5},
        "token ids have dtype float32, expected an integer dtype",
    ),
    "tokens one-hot": (
        {"inputs": TOKENS[:, :, None], "vocabulary": 5},
        "token ids have shape (3, 4, 1), expected (samples, length)",
    ),
    "length of a second document too large": (
        {"inputs": np.stack([TOKENS, TOKENS], axis=1), "vocabulary": 5, "lengths": np.array([[1, 5], [2, 3], [4, 4]])},
        "lengths[0, 1] = 5, expected a length from 1 to 4",
    ),
    "lengths of one document in three": (
        {"inputs": np.stack([TOKENS] * 3, axis=1), "vocabulary": 5, "lengths": np.array([[1], [2], [4]])},
        "lengths have shape (3, 1), expected (3, 3) to fit the inputs",
    ),
    "tokens scaled": ({"inputs": TOKENS, "vocabulary": 5, "scale": 0.5}, "token ids cannot be multiplied"),
    "length too large": (
        {"lengths": np.array([4, 5, 1])},
        "lengths[1] = 5, expected a length from 1 to 4",
    ),
    "length zero": ({"lengths": np.array([4, 4, 0])}, "lengths[2] = 0, expected a length from 1 to 4"),
    "lengths of another count": (
        {"lengths": np.array([4, 4])},
        "lengths have shape (2,), expected (3,) to fit the inputs",
    ),
    "lengths of float": ({"lengths": np.ones(3)}, "lengths have dtype float64, expected int64"),
    "targets of another count": (
        {"targets": np.array([0, 1]), "classes": 2},
        "targets have shape (2,), expected (3,) or (3, 4) to fit the inputs",
    ),
    "targets of another length": (
        {"targets": STEPS[:, :3], "classes": 2},
        "targets have shape (3, 3), expected (3,) or (3, 4) to fit the inputs",
    ),
    "class too large": (
        {"targets": np.array([0, 2, 1]), "classes": 2},
        "targets[1] = 2, expected a class from 0 to 1",
    ),
    "class negative": (
        {"targets": np.array([0, NOT_ASKED, 1]), "classes": 2},
        "targets[1] = -100, expected a class from 0 to 1",
    ),
    "class of a step": ({"targets": STEPS, "classes": 1}, "targets[0, 2] = 1, expected a class from 0 to 0, or -100"),
    "no step asked": (
        {"targets": np.full((3, 4), NOT_ASKED), "classes": 2},
        "targets[0] are NOT_ASKED at every step, expected at least one step with a target",
    ),
    "no step of one sample asked": (
        {"targets": changed(STEPS, 1, NOT_ASKED), "classes": 2},
        "targets[1] are NOT_ASKED at every step, expected",
    ),
    "no step asked within the length": (
        {"targets": STEPS, "classes": 2, "lengths": np.array([2, 4, 1])},
        "targets[2] are NOT_ASKED at every step within its length, expected",
    ),
    "classes of int32": (
        {"targets": np.array([0, 1, 1], np.int32), "classes": 2},
        "targets have dtype int32, expected int64",
    ),
    "numbers with classes": (
        {"targets": np.zeros(3, np.float32), "classes": 2},
        "targets have dtype float32, expected int64",
    ),
    "classes not declared": ({"targets": STEPS}, "targets have dtype int64, expected float32"),
    "numbers without outputs": (
        {"targets": np.zeros(3, np.float32)},
        "targets have shape (3,), expected (3, 1) or (3, 4, 1) to fit the inputs",
    ),
    "numbers of another count": (
        {"targets": np.zeros((2, 1), np.float32)},
        "targets have shape (2, 1), expected (3, 1) or (3, 4, 1) to fit the inputs",
    ),
    "number NaN": ({"targets": changed(SIGNALS[:, 0], (1, 0), np.nan)}, "targets[1, 0] = nan, expected a finite"),
    "times of another length": (
        {"times": TIMES[:, :3]},
        "times have shape (3, 3), expected (3, 4) to fit the inputs",
    ),
    "times of float64": ({"times": TIMES.astype(float)}, "times have dtype float64, expected float32"),
    "time NaN": ({"times": changed(TIMES, (1, 2), np.nan)}, "times[1, 2] = nan, expected a finite number"),
    "time decreases": ({"times": changed(TIMES, (2, 3), 0)}, "times[2, 3] = 0.0, expected no less than the timestamp"),
    "no classes": ({"classes": 0}, "classes = 0, expected at least 1"),
    "no vocabulary": ({"inputs": TOKENS, "vocabulary": 0}, "vocabulary = 0, expected at least 1"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_fit_is_one_error_that_names_it(fault):
    options, message = FAULTS[fault]
    with pytest.raises(DataError, match=f"^dataset 'here'.*: {re.escape(message)}") as caught:
        make(**options)
    assert "\n" not in str(caught.value)


def test_the_message_names_the_part():
    with pytest.raises(DataError, match="^dataset 'here', part 'test': "):
        make(inputs=SIGNALS[:0])


def test_a_dataset_needs_a_part():
    with pytest.raises(DataError, match="^dataset 'here': no parts"):
        Dataset({}, None, "here")
