"""The gradient of impulse responses for the step sizes, from the responses alone.

With fixed A and B the bilinear rule has Abar = (1 + z) / (1 - z) and Bbar = h / (1 - z) B, where z = h A / 2. Then
d Abar / d log h = (Abar^2 - 1) / 2 and d Bbar / d log h = (Abar + 1) / 2 Bbar, both of which commute with Abar, and so

    d K[l] / d log h = ((l + 1) K[l + 1] + K[l] - l K[l - 1]) / 2    for K[l] = C Abar^l Bbar.

Letters in shape comments: H features, L steps.
"""

import torch
from torch import Tensor
from torch.autograd import Function

from hippo.nn.engine.first_derivative import first_derivative_only


def with_step_gradient(response: Tensor, log_step: Tensor) -> Tensor:
    """Return an impulse response without its last step, as a function of the step sizes too. First derivatives only.

    Parameters
    ----------
    response : Tensor, shape (channels, length + 1, features)
        Impulse response of systems that the bilinear rule discretized.
    log_step : Tensor, shape (features,)
        Logarithms of the step sizes, or of multiples of them.

    Returns
    -------
    Tensor, shape (channels, length, features)
    """
    return _StepGradient.apply(response, log_step)


class _StepGradient(Function):
    @staticmethod
    def forward(ctx, response: Tensor, log_step: Tensor) -> Tensor:
        ctx.save_for_backward(response)
        return response[:, :-1].clone()

    @staticmethod
    @first_derivative_only
    def backward(ctx, grad: Tensor):
        (response,) = ctx.saved_tensors
        steps = torch.arange(grad.shape[1], dtype=grad.dtype, device=grad.device).unsqueeze(1)  # (L, 1)
        weighted = steps * grad  # l g[l]
        total = ((weighted + grad) * response[:, 1:]).sum((0, 1)) + (grad * response[:, :-1]).sum((0, 1))
        total -= (weighted[:, 1:] * response[:, :-2]).sum((0, 1))
        return torch.nn.functional.pad(grad, (0, 0, 0, 1)), total / 2
