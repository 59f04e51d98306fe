"""The slow, obvious form of every cell: one step at a time under autograd, with dense discretised matrices.

The oracle of the cells and of the engine. Reads a cell's parameters, shares none of its code.
"""

import numpy as np
import torch
from hippo.measures import transition


def dense_step(A: np.ndarray, B: np.ndarray, step: float, alpha: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Generalised bilinear: (I - a d A)^-1 (I + (1 - a) d A) and (I - a d A)^-1 d B, in float64."""
    eye = np.eye(len(A))
    left = eye - alpha * step * A
    matrix = np.linalg.solve(left, eye + (1 - alpha) * step * A)
    return torch.from_numpy(matrix), torch.from_numpy(np.linalg.solve(left, step * np.reshape(B, -1)))


def legs_memory(memory, u, shares, alpha):
    """(batch, channels, order) after inputs `u` (batch, channels); `shares` (batch,) of the time so far."""
    A, B = (np.asarray(m) for m in transition("legs", memory.shape[-1]))
    rows = []
    for row, value, share in zip(memory, u, shares.tolist(), strict=True):
        matrix, vector = dense_step(A, B, share, alpha)
        rows.append(row @ matrix.T.to(row.dtype) + value.unsqueeze(1) * vector.to(row.dtype))
    return torch.stack(rows)


def hippo(cell, inputs, shares=None, advance=None):
    """Hidden states (batch, length, hidden) and last memory of a `HiPPOCell`.

    `advance(memory, u, shares)` is one memory step; none means LegS. shares (batch, length).
    """
    batch, length, _ = inputs.shape
    scale_invariant = advance is None
    if scale_invariant:
        alpha = cell.memory.alpha
        advance = lambda memory, u, now: legs_memory(memory, u, now, alpha)  # noqa: E731
    if shares is None:
        shares = torch.tensor([1 / max(k, 1) for k in range(length)], dtype=torch.float64).expand(batch, length)
    h = inputs.new_zeros(batch, cell.hidden_size)
    m = inputs.new_zeros(batch, cell.memory_size, cell.memory.order)
    hidden = []
    for k in range(length):
        x = inputs[:, k]
        u = torch.cat([x, h], 1) @ cell.write.weight.T + cell.write.bias
        if k == 0 and scale_invariant:
            m = torch.cat([u.unsqueeze(-1), torch.zeros_like(m[..., 1:])], -1)
        else:
            m = advance(m, u, shares[:, k])
        features = torch.cat([x, m.reshape(batch, -1)], 1)
        candidate = torch.tanh(features @ cell.candidate.weight.T + cell.candidate.bias)
        if cell.gate is None:
            h = candidate
        else:
            g = torch.sigmoid(features @ cell.gate.weight.T + cell.gate.bias)
            h = (1 - g) * h + g * candidate
        hidden.append(h)
    return torch.stack(hidden, 1), m


def lmu(cell, inputs):
    """Hidden states (batch, length, hidden) of an `LMUCell`."""
    batch, length, _ = inputs.shape
    h = inputs.new_zeros(batch, cell.hidden_size)
    m = inputs.new_zeros(batch, cell.memory_size, cell.memory.order)
    A, B = cell.memory.matrices(inputs)
    hidden = []
    for k in range(length):
        x, flat = inputs[:, k], m.reshape(batch, -1)
        u = x @ cell.encode_input.T + h @ cell.encode_hidden.T + flat @ cell.encode_memory.T
        m = m @ A.T + u.unsqueeze(-1) * B
        flat = m.reshape(batch, -1)
        h = torch.tanh(x @ cell.weight_input.T + h @ cell.weight_hidden.T + flat @ cell.weight_memory.T)
        hidden.append(h)
    return torch.stack(hidden, 1)
