"""Samples side by side, for layers that have fewer features than a cache line.

The compiled convolution takes a cache line of features at a time. With fewer features most of its lanes are empty;
samples that share the kernel can fill them.
"""

from torch import Tensor
from torch.nn.functional import pad

CACHE_LINE = 64  # bytes


def samples_side_by_side(inputs: Tensor) -> int:
    """Return how many samples fit into a cache line, at least 1.

    Parameters
    ----------
    inputs : Tensor, shape (batch, length, features)
        Sequences.
    """
    features = CACHE_LINE // inputs.element_size()
    return max(1, min(len(inputs), features // inputs.shape[2]))


def join(inputs: Tensor, count: int) -> Tensor:
    """Return sequences with the features of `count` samples side by side.

    Parameters
    ----------
    inputs : Tensor, shape (batch, length, features)
        Sequences.
    count : int
        Samples that become one.

    Returns
    -------
    Tensor, shape (ceil(batch / count), length, count * features)
        The last one is filled with zeros.
    """
    batch, length, features = inputs.shape
    inputs = pad(inputs, (0, 0, 0, 0, 0, -batch % count))
    return inputs.unflatten(0, (-1, count)).transpose(1, 2).reshape(-1, length, count * features)


def split(outputs: Tensor, count: int, batch: int) -> Tensor:
    """Undo `join`.

    Parameters
    ----------
    outputs : Tensor, shape (ceil(batch / count), length, count * features)
        Joined sequences.
    count, batch : int
        Samples that became one, and samples in all.

    Returns
    -------
    Tensor, shape (batch, length, features)
    """
    return outputs.unflatten(2, (count, -1)).transpose(1, 2).flatten(0, 1)[:batch]
