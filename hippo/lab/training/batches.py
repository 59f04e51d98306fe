"""Batches of one part of a dataset, moved to the device of the model one at a time."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hippo.data.dataset import Dataset


@dataclass(frozen=True)
class Batch:
    """One batch, on the device of the model.

    Parameters
    ----------
    inputs : Tensor
        Sequences, float32 (batch, length, channels), or token ids, int64 (batch, length).
    targets : Tensor
        Classes or numbers, as the dataset holds them.
    times : Tensor, optional
        Timestamps, float32 (batch, length).
    lengths : Tensor, optional
        True lengths, int64 (batch,).

    Samples of two documents have a second axis of size 2 in `inputs` and `lengths`.
    """

    inputs: Tensor
    targets: Tensor
    times: Tensor | None = None
    lengths: Tensor | None = None


class Batches:
    """One part of a dataset in host memory, in the dtypes in which it is stored.

    A batch is moved to the device first and converted and scaled there, element by element, so that its values do not
    depend on the batch that a sample is in. On a CUDA device the copies start from pinned memory and do not wait.
    A batch ends at the last true step of its longest sample: padding that all samples share is left out.

    Parameters
    ----------
    dataset : Dataset
        The dataset. Without a vocabulary its inputs are converted to float32 and multiplied by `dataset.scale`; with a
        vocabulary they are converted to int64.
    part : str
        Name of the part.
    device : torch.device
        Device of the batches.
    """

    def __init__(self, dataset: Dataset, part: str, device: torch.device):
        self.device, self.scale, self.tokens = device, dataset.scale, dataset.vocabulary is not None
        self._part = dataset.parts[part]
        targets = self._part.targets
        self._per_step = targets is not None and targets.ndim == (3 if dataset.classes is None else 2)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._part.inputs)

    @property
    def steps(self) -> int:
        """Steps of one sample, of both documents if it has two."""
        return math.prod(self._part.inputs.shape[1:] if self.tokens else self._part.inputs.shape[1:2])

    def __getitem__(self, samples: Tensor) -> Batch:
        """Return the batch of the samples with the given numbers, int64 (batch,) on the CPU."""
        chosen = samples.numpy()
        part = self._part
        longest = part.inputs.shape[-1 if self.tokens else 1] if part.lengths is None else part.lengths[chosen].max()
        inputs = part.inputs[chosen, ..., :longest] if self.tokens else part.inputs[chosen, :longest]
        targets = part.targets[chosen, :longest] if self._per_step else part.targets[chosen]
        times = None if part.times is None else part.times[chosen, :longest]
        lengths = None if part.lengths is None else part.lengths[chosen]
        inputs, targets, times, lengths = map(self._move, (inputs, targets, times, lengths))
        inputs = inputs.to(torch.int64) if self.tokens else inputs.to(torch.float32) * self.scale
        return Batch(inputs, targets, times, lengths)

    def _move(self, array: np.ndarray | None) -> Tensor | None:
        """The array on the device, in its dtype."""
        if array is None:
            return None
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor.to(self.device)
