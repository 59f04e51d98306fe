"""Convolution of short sequences by a product with a Toeplitz matrix: exactly causal, and faster than an FFT.

Letters in shape comments: B samples, H features, L steps.
"""

import torch
from torch import Tensor


def two_sided(response: Tensor, length: int) -> Tensor:
    """Return the response by lag from -(length - 1) to length - 1.

    Parameters
    ----------
    response : Tensor, shape (channels, features, length)
        The causal response for lags 0, 1, ..., and with two channels the anticausal one for lags -1, -2, ....
    length : int
        Length of the sequences.

    Returns
    -------
    Tensor, shape (features, 2 * length - 1)
    """
    causal = response[0]  # (H, L)
    if len(response) == 2:
        return torch.cat([response[1, :, : length - 1].flip(1), causal], 1)
    return torch.nn.functional.pad(causal, (length - 1, 0))


def toeplitz(response: Tensor) -> Tensor:
    """Return the matrices whose product with a sequence is its convolution.

    Parameters
    ----------
    response : Tensor, shape (channels, features, length)
        As in `two_sided`.

    Returns
    -------
    Tensor, shape (features, length, length)
        Entry (l, j) is the response at lag l - j.
    """
    length = response.shape[2]
    return two_sided(response, length).unfold(1, length, 1).flip(2)


def convolve(inputs: Tensor, response: Tensor) -> Tensor:
    """Convolve sequences (batch, length, features) with a response as in `two_sided`."""
    outputs = toeplitz(response) @ inputs.permute(2, 1, 0)  # (H, L, B)
    return outputs.permute(2, 1, 0)  # (B, L, H)
