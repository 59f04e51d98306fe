"""The slow, obvious form of every cell: one step at a time under autograd, with dense discretised matrices.

The oracle of the cells and of the engine. Reads a cell's parameters, shares none of its code.
"""

from functools import lru_cache

import numpy as np
import torch

from hippo.operators.measures import transition


@lru_cache(maxsize=1024)
def dense_step(order: int, step: float, alpha: float, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """LegS, generalised bilinear: (I - a s A)^-1 (I + (1 - a) s A) and (I - a s A)^-1 s B, solved in float64."""
    A, B = transition("legs", order)
    eye = np.eye(order)
    right = np.column_stack([eye + (1 - alpha) * step * A, step * B])
    solution = torch.from_numpy(np.linalg.solve(eye - alpha * step * A, right)).to(dtype)
    return solution[:, :-1].contiguous(), solution[:, -1].contiguous()


def legs_memory(memory, u, shares, alpha):
    """(batch, channels, order) after inputs `u` (batch, channels); `shares` (batch,) of the time so far."""
    if bool((shares == shares[0]).all()):
        matrix, vector = dense_step(memory.shape[-1], shares[0].item(), alpha, memory.dtype)
        return memory @ matrix.T + u.unsqueeze(-1) * vector
    rows = [legs_memory(memory[i : i + 1], u[i : i + 1], shares[i : i + 1], alpha) for i in range(len(memory))]
    return torch.cat(rows)


def uniform_shares(batch, length):
    """1 / k at step k; 1 at step 0, where it is not used."""
    shares = torch.tensor([[1 / max(k, 1) for k in range(length)]], dtype=torch.float64)
    return shares.expand(batch, length)


def linear(x, layer):
    return x @ layer.weight.T + layer.bias


def hippo(cell, inputs, shares=None):
    """Hidden states (batch, length, hidden) of a `HiPPOCell`; shares (batch, length) if timestamped."""
    batch, length, _ = inputs.shape
    scale_invariant = cell.memory.takes_times
    shares = uniform_shares(batch, length) if shares is None else shares
    h = inputs.new_zeros(batch, cell.hidden_size)
    m = inputs.new_zeros(batch, cell.memory_size, cell.memory.order)
    hidden = []
    for k in range(length):
        x = inputs[:, k]
        u = linear(torch.cat([x, h], 1), cell.write)
        if not scale_invariant:
            A, B = cell.memory.matrices(inputs)
            m = m @ A.T + u.unsqueeze(-1) * B
        elif k == 0:
            m = torch.cat([u.unsqueeze(-1), torch.zeros_like(m[..., 1:])], -1)
        else:
            m = legs_memory(m, u, shares[:, k], cell.memory.alpha)
        features = torch.cat([x, m.reshape(batch, -1)], 1)
        candidate = torch.tanh(linear(features, cell.candidate))
        g = 1 if cell.gate is None else torch.sigmoid(linear(features, cell.gate))
        h = (1 - g) * h + g * candidate
        hidden.append(h)
    return torch.stack(hidden, 1)


def lmu(cell, inputs):
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


def stepped(step, cell, inputs, states=1):
    """Hidden states of a cell whose `step(cell, x, *state)` returns the next state, hidden state first."""
    state = [inputs.new_zeros(len(inputs), cell.hidden_size)] * states
    hidden = []
    for x in inputs.unbind(1):
        state = step(cell, x, *state)
        hidden.append(state[0])
    return torch.stack(hidden, 1)


def rnn_step(cell, x, h):
    return (torch.tanh(x @ cell.weight_ih.T + cell.bias_ih + h @ cell.weight_hh.T + cell.bias_hh),)


def gru_step(cell, x, h):
    xr, xv, xn = (x @ cell.weight_ih.T + cell.bias_ih).chunk(3, 1)
    hr, hv, hn = (h @ cell.weight_hh.T + cell.bias_hh).chunk(3, 1)
    v = torch.sigmoid(xv + hv)
    return ((1 - v) * torch.tanh(xn + torch.sigmoid(xr + hr) * hn) + v * h,)


def lstm_step(cell, x, h, c):
    i, f, g, o = (x @ cell.weight_ih.T + cell.bias_ih + h @ cell.weight_hh.T + cell.bias_hh).chunk(4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def mgu_step(cell, x, h):
    xf, xn = (x @ cell.weight_ih.T + cell.bias_ih + cell.bias_hh).chunk(2, 1)
    uf, un = cell.weight_hh.chunk(2, 0)
    f = torch.sigmoid(xf + h @ uf.T)
    return ((1 - f) * h + f * torch.tanh(xn + (f * h) @ un.T),)


def exprnn(cell, inputs):
    upper = torch.triu(cell.skew, 1)
    orthogonal = torch.linalg.matrix_exp(upper - upper.T)

    def step(cell, x, h):
        z = x @ cell.weight_ih.T + h @ orthogonal.T
        return (torch.sign(z) * torch.relu(z.abs() + cell.bias),)

    return stepped(step, cell, inputs)


def gru_d(cell, inputs, times=None):
    """Hidden states of a `GRUDCell`, remembering each channel's last observation and when it was."""
    batch, length, channels = inputs.shape
    times = torch.arange(length).expand(batch, length) if times is None else times
    h = inputs.new_zeros(batch, cell.hidden_size)
    newest, when = inputs.new_zeros(batch, channels), times[:, :1].to(inputs.dtype).repeat(1, channels)
    hidden = []
    for k in range(length):
        elapsed, mask = times[:, k : k + 1] - when, ~inputs[:, k].isnan()
        share = torch.exp(-torch.relu(cell.input_decay * elapsed + cell.input_decay_bias))
        x = torch.where(mask, inputs[:, k], share * newest)
        newest = torch.where(mask, inputs[:, k], newest)
        when = torch.where(mask, times[:, k : k + 1], when)
        h = torch.exp(-torch.relu(elapsed @ cell.hidden_decay.T + cell.hidden_decay_bias)) * h
        xr, xv, xn = (x @ cell.weight_input.T + mask.to(x.dtype) @ cell.weight_mask.T + cell.bias).chunk(3, 1)
        ur, uv, un = cell.weight_hidden.chunk(3, 0)
        r, v = torch.sigmoid(xr + h @ ur.T), torch.sigmoid(xv + h @ uv.T)
        h = (1 - v) * h + v * torch.tanh(xn + (r * h) @ un.T)
        hidden.append(h)
    return torch.stack(hidden, 1)


FORMS = {
    "legs": hippo,
    "legt": hippo,
    "lagt": hippo,
    "fout": hippo,
    "rand": hippo,
    "lmu": lmu,
    "rnn": lambda cell, inputs: stepped(rnn_step, cell, inputs),
    "gru": lambda cell, inputs: stepped(gru_step, cell, inputs),
    "lstm": lambda cell, inputs: stepped(lstm_step, cell, inputs, states=2),
    "mgu": lambda cell, inputs: stepped(mgu_step, cell, inputs),
    "exprnn": exprnn,
    "gru_d": gru_d,
}
