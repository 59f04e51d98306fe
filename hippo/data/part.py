"""One part of a dataset: arrays of sequences and their targets."""

from dataclasses import dataclass

import numpy as np

NOT_ASKED = -100
"""Class target of a step that is not scored."""


@dataclass(frozen=True)
class Part:
    """One part of a dataset: train, validation, test, or a further test part.

    Parameters
    ----------
    inputs : ndarray
        Sequences, shape (samples, length, channels), uint8 or float32. In a dataset with a `vocabulary`: token ids,
        shape (samples, length), any integer dtype; or, where a sample is several documents, such as a pair of texts,
        shape (samples, documents, length).
    targets : ndarray, optional
        Classes: int64, shape (samples,), or (samples, length) with `NOT_ASKED` at steps that are not scored;
        at least one step of each sample is scored.
        Numbers: float32, shape (samples, outputs) or (samples, length, outputs).
        None where the input is its own target.
    times : ndarray, optional
        Timestamps, shape (samples, length), float32, non-decreasing. None where steps are evenly spaced.
    lengths : ndarray, optional
        True lengths of padded sequences, in steps, shape (samples,), int64, from 1 to `length`; of several documents,
        shape (samples, documents). None where no sequence is padded.
    """

    inputs: np.ndarray
    targets: np.ndarray | None = None
    times: np.ndarray | None = None
    lengths: np.ndarray | None = None
