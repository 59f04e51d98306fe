"""The LegS kernels in NumPy, for machines with neither the compiled module nor PyTorch.

The functions are those of `hippo.kernels.reference`, for arrays in the place of tensors.
"""

import numpy as np


def legs_step(state: np.ndarray, inputs: np.ndarray, step_ratio: np.ndarray, alpha: float = 0.5) -> None:
    """Update a batch of LegS memories by one input each, in place; arguments as in `hippo.kernels.legs_step`."""
    decay, sum_to_state, sum_to_sum, state_to_sum = _coefficients(state, step_ratio, alpha)
    sums = _affine_scan(sum_to_sum[..., :-1], state_to_sum[..., :-1] * state[:, :-1], -inputs)  # (batch, N)
    state -= decay * state + sum_to_state * sums


def legs_step_adjoint(grad: np.ndarray, step_ratio: np.ndarray, alpha: float = 0.5) -> np.ndarray:
    """Backpropagate through `legs_step`; arguments as in `hippo.kernels.legs_step_adjoint`."""
    decay, sum_to_state, sum_to_sum, state_to_sum = _coefficients(grad, step_ratio, alpha)
    offsets = (-sum_to_state * grad)[:, ::-1]
    sums = _affine_scan(sum_to_sum[:, ::-1], offsets, np.zeros_like(grad[:, 0]))[:, ::-1]  # (batch, N + 1)
    grad -= decay * grad - state_to_sum * sums[:, 1:]
    return -sums[:, 0]


def legs_project(
    state: np.ndarray,
    inputs: np.ndarray,
    step_ratios: np.ndarray,
    first: int,
    alpha: float,
    stride: int,
    seen: int,
    snapshots: np.ndarray,
) -> None:
    """Update a batch of LegS memories by a signal each, in place; as `hippo.kernels.reference.legs_project`."""
    for i in range(inputs.shape[1]):
        if first + i == 0:
            state[:] = 0
            state[:, 0] = inputs[:, 0]
        else:
            step_ratio = step_ratios[..., i] if step_ratios.size else state.dtype.type(1 / (first + i))
            legs_step(state, inputs[:, i], step_ratio, alpha)
        if stride and (seen + i + 1) % stride == 0:
            snapshots[:, (seen % stride + i) // stride] = state


def _coefficients(state: np.ndarray, step_ratio: np.ndarray, alpha: float) -> tuple[np.ndarray, ...]:
    """Return (decay, sum_to_state, sum_to_sum, state_to_sum), each (1, N) or (batch, N)."""
    index = np.arange(1, state.shape[-1] + 1, dtype=state.dtype)
    step_ratio = np.reshape(step_ratio, (-1, 1))
    ratio = step_ratio / (1 + alpha * step_ratio * index)
    root = np.sqrt(2 * index - 1)
    return (
        index * ratio,
        root * ratio,
        1 - alpha * (2 * index - 1) * ratio,
        root * (1 - alpha * index * ratio),
    )


def _affine_scan(gain: np.ndarray, offset: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return S (batch, N + 1) of S_0 = first (batch,), S_{n+1} = gain_n S_n + offset_n (batch, N), in log2 N rounds."""
    gain = np.concatenate([np.zeros_like(first)[:, None], np.broadcast_to(gain, offset.shape)], axis=-1)
    offset = np.concatenate([first[:, None], offset], axis=-1)
    shift = 1
    while shift < offset.shape[-1]:
        # Compose the maps of runs of doubled length. Gains are at most 1, so their products cannot overflow.
        offset = np.concatenate([offset[:, :shift], offset[:, shift:] + gain[:, shift:] * offset[:, :-shift]], axis=-1)
        gain = np.concatenate([gain[:, :shift], gain[:, shift:] * gain[:, :-shift]], axis=-1)
        shift *= 2
    return offset
