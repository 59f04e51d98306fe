"""The PyTorch twin of every kernel: same signature and result, any device, and an oracle for the compiled ones."""

import torch
from torch import Tensor


def legs_step(state: Tensor, inputs: Tensor, step: float | Tensor, alpha: float = 0.5) -> None:
    """One LegS step of state (batch, N) in place, for inputs (batch,) and step ratios, a number or (batch,)."""
    decay, feed, gain, total = _coefficients(state, step, alpha)
    # S_{n+1} = gain_n S_n + total_n c_n with S_0 = -f: the running sum of c before index n, less the input.
    sums = _affine_scan(gain[..., :-1], total[..., :-1] * state[:, :-1], -inputs)
    state -= decay * state + feed * sums


def legs_step_adjoint(grad: Tensor, step: float | Tensor, alpha: float = 0.5) -> Tensor:
    """Turn grad (batch, N) of the new state, in place, into that of the old; returns that of inputs (batch,)."""
    decay, feed, gain, total = _coefficients(grad, step, alpha)
    flipped = (-feed * grad).flip(-1)
    sums = _affine_scan(gain.flip(-1), flipped, torch.zeros_like(grad[:, 0])).flip(-1)
    grad -= decay * grad - total * sums[:, 1:]
    return -sums[:, 0]


def legs_project(
    state: Tensor,
    inputs: Tensor,
    steps: Tensor,
    first: int,
    alpha: float,
    stride: int,
    seen: int,
    snapshots: Tensor,
) -> None:
    """Step state (batch, N) in place through inputs (batch, length); see `hippo.kernels.legs_project`.

    `seen` inputs before these count for the stride.
    """
    for i in range(inputs.shape[1]):
        if first + i == 0:
            state.zero_()[:, 0] = inputs[:, 0]
        else:
            legs_step(state, inputs[:, i], steps[..., i] if steps.numel() else 1 / (first + i), alpha)
        if stride and (seen + i + 1) % stride == 0:
            snapshots[:, (seen % stride + i) // stride] = state


def _coefficients(state: Tensor, step: float | Tensor, alpha: float):
    """The step as c - (decay c + feed S), S <- gain S + total c: each (1, N) or (batch, N)."""
    index = torch.arange(1, state.shape[-1] + 1, dtype=state.dtype, device=state.device)
    step = torch.as_tensor(step, dtype=state.dtype, device=state.device).reshape(-1, 1)
    ratio = step / (1 + alpha * step * index)
    root = torch.sqrt(2 * index - 1)
    return (
        index * ratio,
        root * ratio,
        1 - alpha * (2 * index - 1) * ratio,
        root * (1 - alpha * index * ratio),
    )


def _affine_scan(gain: Tensor, offset: Tensor, first: Tensor) -> Tensor:
    """S (batch, N + 1) of S_0 = first (batch,), S_{n+1} = gain_n S_n + offset_n (batch, N), in log2 N rounds."""
    gain = torch.cat([torch.zeros_like(first[:, None]), gain.expand_as(offset)], dim=-1)
    offset = torch.cat([first[:, None], offset], dim=-1)
    shift = 1
    while shift < offset.shape[-1]:
        # Composing the maps of ever longer runs; gains stay below 1, so their products cannot overflow.
        offset = torch.cat([offset[:, :shift], offset[:, shift:] + gain[:, shift:] * offset[:, :-shift]], dim=-1)
        gain = torch.cat([gain[:, :shift], gain[:, shift:] * gain[:, :-shift]], dim=-1)
        shift *= 2
    return offset
