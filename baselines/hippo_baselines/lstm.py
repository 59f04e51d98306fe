"""Long short-term memory with a forget gate.

Its hyperparameters are `LSTMOptions` in `options.py`. Letters in shape comments: B samples, C input channels, H hidden
units.
"""

import torch
from torch import Tensor

from hippo.nn.engine.recurrence import Buffers, Recurrence
from hippo_baselines.rnn import GateWeights


class LSTMRecurrence(Recurrence):
    """The engine's form of `LSTMCell`.

    i, f, o = sigmoid(W x + U h);  g = tanh(W x + U h);  c' = f c + i g;  h' = o tanh(c')
    """

    kernel = "lstm"

    def buffers(self, steps: int, batch: int) -> Buffers:
        """Add the cell state before every step and after the last."""
        return {"cell": ((steps + 1, batch, self.hidden_size), self.compute)}

    def states(self, batch: int) -> dict[str, tuple[int, ...]]:
        """Add the cell state."""
        return {"c": (batch, self.hidden_size)}

    def save_initial_states(self) -> None:
        """Write the hidden state and the cell state before the first step to the tape."""
        super().save_initial_states()
        self.tape["cell"][0].copy_(self.state["c"])

    def step(self, t: int, k: int) -> None:
        """Compute one step (equations in the class docstring)."""
        z, hidden = self.tape["z"][t], self.tape["hidden"]  # (B, 4*H), (T + 1, B, H)
        h, c = self.state["h"], self.state["c"]
        self.add_recurrent_product(z, hidden[t])
        z[:, : 2 * self.hidden_size].sigmoid_()
        i, f, g, o = z.chunk(4, 1)  # (B, H) each
        g.tanh_()
        o.sigmoid_()
        c.mul_(f).addcmul_(i, g) if i.dtype == c.dtype else c.mul_(f).add_(i * g)
        self.tape["cell"][t + 1].copy_(c)
        h.copy_(o * torch.tanh(c))
        hidden[t + 1].copy_(h)

    def adjoint(self, t: int, k: int) -> None:
        """Backpropagate through one step."""
        z, cell = self.tape["z"][t], self.tape["cell"]
        grad_h, grad_c = self.grad["h"], self.grad["c"]
        i, f, g, o = z.chunk(4, 1)  # (B, H) each
        tanh_c = torch.tanh(cell[t + 1])
        grad_c += grad_h * o * (1 - tanh_c * tanh_c)
        grad_o = grad_h * tanh_c * o * (1 - o)
        grad_i, grad_g = grad_c * g * i * (1 - i), grad_c * i * (1 - g * g)
        o.copy_(grad_o)
        i.copy_(grad_i)
        g.copy_(grad_g)
        grad_before = grad_c * f
        f.copy_(grad_before * cell[t] * (1 - f))
        grad_c.copy_(grad_before)
        grad_h.copy_(self.operand_gradient(z))


class LSTMCell(GateWeights):
    """Long short-term memory; gates in PyTorch's order: input, forget, cell, output.

    i, f, o = sigmoid(W x + b + U h + b');  g = tanh(W x + b + U h + b');  c' = f c + i g;  h' = o tanh(c')

    Parameters
    ----------
    input_size, hidden_size : int
        Input channels and hidden units.

    References
    ----------
    Hochreiter, Schmidhuber, "Long Short-Term Memory", Neural Computation 1997. Gers, Schmidhuber, Cummins, "Learning to
    Forget", Neural Computation 2000.
    """

    gates = 4

    def recurrence(self, step_ratios: Tensor | None):
        """Return the engine's form of this cell."""
        return LSTMRecurrence

    # -- reference form -----------------------------------------------------------------------------------------

    def start(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Return (h, c): hidden state and cell state (B, H) of zeros."""
        (h,) = super().start(inputs)
        return h, torch.zeros_like(h)

    def step(
        self, x: Tensor, state: tuple[Tensor, ...], step_ratio: float | Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Return (h, c) after the input x (B, C)."""
        h, c = state
        z = x @ self.weight_ih.T + self.bias_ih + h @ self.weight_hh.T + self.bias_hh
        i, f, g, o = z.chunk(4, 1)  # (B, H) each
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c
