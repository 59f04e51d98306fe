"""Convolution of long sequences by the fast Fourier transforms of PyTorch, on any device.

Letters in shape comments: B samples, H features, L steps, M values of the transform.
"""

import torch
from torch import Tensor

from hippo.nn.ssm.direct_convolution import two_sided
from hippo.nn.ssm.fast_sizes import fast_fft_size


def convolve(inputs: Tensor, response: Tensor) -> Tensor:
    """Convolve sequences with the response of each feature.

    Parameters
    ----------
    inputs : Tensor, shape (batch, length, features)
        Real sequences.
    response : Tensor, shape (channels, features, length)
        The causal response for lags 0, 1, ..., and with two channels the anticausal one for lags -1, -2, ....

    Returns
    -------
    Tensor, shape (batch, length, features)
    """
    length = inputs.shape[1]
    size = fast_fft_size(2 * length - 1)  # lags from -(L - 1) to L - 1 are different modulo M
    by_lag = torch.nn.functional.pad(two_sided(response, length), (0, size - 2 * length + 1))  # (H, M)
    spectrum = torch.fft.rfft(by_lag.roll(1 - length, 1))  # (H, M / 2 + 1); lag 0 at position 0
    outputs = torch.fft.irfft(torch.fft.rfft(inputs.transpose(1, 2), size) * spectrum, size)  # (B, H, M)
    return outputs[..., :length].transpose(1, 2)  # (B, L, H)
