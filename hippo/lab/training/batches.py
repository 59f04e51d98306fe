"""Batches of one part of a dataset, moved to the device of the model one at a time."""

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
    """

    inputs: Tensor
    targets: Tensor
    times: Tensor | None = None
    lengths: Tensor | None = None


class Batches:
    """One part of a dataset in host memory, in the dtypes in which it is stored.

    A batch is moved to the device first and converted and scaled there, element by element, so that its values do not
    depend on the batch that a sample is in. On a CUDA device the copies start from pinned memory and do not wait.

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

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._part.inputs)

    def __getitem__(self, samples: Tensor) -> Batch:
        """Return the batch of the samples with the given numbers, int64 (batch,) on the CPU."""
        chosen = samples.numpy()
        part = self._part
        inputs, targets, times, lengths = (
            None if array is None else self._move(array[chosen])
            for array in (part.inputs, part.targets, part.times, part.lengths)
        )
        inputs = inputs.to(torch.int64) if self.tokens else inputs.to(torch.float32) * self.scale
        return Batch(inputs, targets, times, lengths)

    def _move(self, array: np.ndarray) -> Tensor:
        """The array on the device, in its dtype."""
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor.to(self.device)
