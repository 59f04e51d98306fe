"""The output of an S4 layer at the last step alone, which is a product with the impulse response.

Letters in shape comments: B samples, L steps, C channels, H features.
"""

import torch
from torch import Tensor, nn

from hippo.nn.pooling import last, true_steps
from hippo.nn.ssm import compiled_convolution
from hippo.nn.ssm.discretization import DiscreteSystem
from hippo.nn.ssm.kernels import kernel


def last_output(
    inputs: Tensor,
    system: DiscreteSystem,
    skip: Tensor,
    lengths: Tensor | None = None,
    entry: nn.Linear | None = None,
    log_step: Tensor | None = None,
) -> Tensor:
    """Return the output of a system at rest at the last true step of each sample.

    y[b, h] = skip[h] u[b, l, h] + sum_{j <= l} K[0, h, j] u[b, l - j, h] with l = lengths[b] - 1. The anticausal
    response of a second channel acts on later inputs and adds nothing. With `entry`, u = entry(inputs) at all true
    steps, and is not computed: the sums over the steps come before the map of the channels.

    Parameters
    ----------
    inputs : Tensor, shape (batch, length, channels)
        Inputs, in the real dtype of the system.
    system : DiscreteSystem
        The system, with the impulse responses K.
    skip : Tensor, shape (features,)
        Weights of the inputs in the outputs.
    lengths : Tensor of int64, shape (batch,), optional
        True lengths of padded samples.
    entry : torch.nn.Linear, optional
        Map of the channels to the features. None: there is one channel per feature.
    log_step : Tensor, shape (features,), optional
        As in `hippo.nn.ssm.compiled_convolution.response`.

    Returns
    -------
    Tensor, shape (batch, features)

    Raises
    ------
    MemoryError
        If the impulse response is larger than the memory of this machine.
    """
    causal = system._replace(c=system.c[:1])
    length = inputs.shape[1]
    if log_step is not None or compiled_convolution.serves(inputs, causal):
        response = compiled_convolution.response(causal, length, log_step)[0]  # (L, H)
    else:
        response = kernel(causal, length)[0].T  # (L, H)
    ends = last(inputs, lengths)  # (B, C)
    if entry is None:
        return skip * ends + (latest_first(inputs, lengths) * response).sum(1)
    weight = entry.weight if entry.bias is None else torch.cat([entry.weight, entry.bias.unsqueeze(1)], 1)
    if entry.bias is not None:
        inputs = torch.cat([inputs, inputs.new_ones(*inputs.shape[:2], 1)], 2)  # (B, L, C + 1)
    sums = latest_first(inputs, lengths).transpose(1, 2) @ response  # (B, C, H)
    return skip * entry(ends) + (sums * weight.T).sum(1)


def latest_first(inputs: Tensor, lengths: Tensor | None) -> Tensor:
    """Return the true steps of each sample in reversed order, and zeros after them.

    Parameters
    ----------
    inputs : Tensor, shape (batch, length, channels)
        Inputs.
    lengths : Tensor of int64, shape (batch,), or None
        True lengths; None if no sample is padded.

    Returns
    -------
    Tensor, shape (batch, length, channels)
    """
    if lengths is None:
        return inputs.flip(1)
    steps = torch.arange(inputs.shape[1], device=inputs.device)
    order = (lengths.unsqueeze(1) - 1 - steps).clamp(min=0)  # (B, L)
    reversed_ = inputs.gather(1, order.unsqueeze(2).expand_as(inputs))
    return reversed_.where(true_steps(lengths, inputs.shape[1]).unsqueeze(2), 0)
