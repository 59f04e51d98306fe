"""Reference implementation of every kernel in PyTorch: the same arguments and results as the compiled kernels.

It runs on any device, where no compiled module serves, and it is an oracle for the compiled kernels.
"""

import torch
from torch import Tensor


def legs_step(state: Tensor, inputs: Tensor, step_ratio: float | Tensor, alpha: float = 0.5) -> None:
    """Update a batch of LegS memories by one input each, in place; arguments as in `hippo.kernels.legs_step`."""
    decay, sum_to_state, sum_to_sum, state_to_sum = _coefficients(state, step_ratio, alpha)
    # S_{n+1} = sum_to_sum_n S_n + state_to_sum_n c_n with S_0 = -f, the running sum before index n.
    sums = _affine_scan(sum_to_sum[..., :-1], state_to_sum[..., :-1] * state[:, :-1], -inputs)  # (batch, N)
    state -= decay * state + sum_to_state * sums


def legs_step_adjoint(grad: Tensor, step_ratio: float | Tensor, alpha: float = 0.5) -> Tensor:
    """Backpropagate through `legs_step`; arguments as in `hippo.kernels.legs_step_adjoint`."""
    decay, sum_to_state, sum_to_sum, state_to_sum = _coefficients(grad, step_ratio, alpha)
    offsets = (-sum_to_state * grad).flip(-1)
    sums = _affine_scan(sum_to_sum.flip(-1), offsets, torch.zeros_like(grad[:, 0])).flip(-1)  # (batch, N + 1)
    grad -= decay * grad - state_to_sum * sums[:, 1:]
    return -sums[:, 0]


def legs_project(
    state: Tensor,
    inputs: Tensor,
    step_ratios: Tensor,
    first: int,
    alpha: float,
    stride: int,
    seen: int,
    snapshots: Tensor,
) -> None:
    """Update a batch of LegS memories by a signal each, in place.

    Parameters
    ----------
    state, inputs, first, alpha, stride
        As in `hippo.kernels.legs_project`.
    step_ratios : Tensor, shape (0,), (length,) or (batch, length)
        Empty for a uniform signal.
    seen : int
        Number of inputs before these that count for the stride.
    snapshots : Tensor, shape (batch, (seen % stride + length) // stride, N)
        Written: the coefficients after every `stride` inputs.
    """
    for i in range(inputs.shape[1]):
        if first + i == 0:
            state.zero_()[:, 0] = inputs[:, 0]
        else:
            step_ratio = step_ratios[..., i] if step_ratios.numel() else 1 / (first + i)
            legs_step(state, inputs[:, i], step_ratio, alpha)
        if stride and (seen + i + 1) % stride == 0:
            snapshots[:, (seen % stride + i) // stride] = state


def _coefficients(state: Tensor, step_ratio: float | Tensor, alpha: float) -> tuple[Tensor, ...]:
    """Return (decay, sum_to_state, sum_to_sum, state_to_sum), each (1, N) or (batch, N).

    A step is c <- c - (decay c + sum_to_state S), S <- sum_to_sum S + state_to_sum c (csrc/legs/coefficients.hpp).
    """
    index = torch.arange(1, state.shape[-1] + 1, dtype=state.dtype, device=state.device)
    step_ratio = torch.as_tensor(step_ratio, dtype=state.dtype, device=state.device).reshape(-1, 1)
    ratio = step_ratio / (1 + alpha * step_ratio * index)
    root = torch.sqrt(2 * index - 1)
    return (
        index * ratio,
        root * ratio,
        1 - alpha * (2 * index - 1) * ratio,
        root * (1 - alpha * index * ratio),
    )


def _affine_scan(gain: Tensor, offset: Tensor, first: Tensor) -> Tensor:
    """Return S (batch, N + 1) of S_0 = first (batch,), S_{n+1} = gain_n S_n + offset_n (batch, N), in log2 N rounds."""
    gain = torch.cat([torch.zeros_like(first[:, None]), gain.expand_as(offset)], dim=-1)
    offset = torch.cat([first[:, None], offset], dim=-1)
    shift = 1
    while shift < offset.shape[-1]:
        # Compose the maps of runs of doubled length. Gains are at most 1, so their products cannot overflow.
        offset = torch.cat([offset[:, :shift], offset[:, shift:] + gain[:, shift:] * offset[:, :-shift]], dim=-1)
        gain = torch.cat([gain[:, :shift], gain[:, shift:] * gain[:, :-shift]], dim=-1)
        shift *= 2
    return offset
