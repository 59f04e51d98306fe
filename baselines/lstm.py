"""Long short-term memory (Hochreiter & Schmidhuber 1997) with a forget gate (Gers et al. 2000)."""

import torch
from torch import Tensor

from baselines.rnn import StackedCell
from hippo.nn.engine.recurrence import Buffers, Recurrence


class LSTMRecurrence(Recurrence):
    """i, f, o = sigmoid(W x + U h);  g = tanh(W x + U h);  c' = f c + i g;  h' = o tanh(c')."""

    kernel = "lstm"

    def buffers(self, steps: int, batch: int) -> Buffers:
        """The cell state before every step, and after the last."""
        return {"cell": ((steps + 1, batch, self.hidden_size), self.compute)}

    def states(self, batch: int) -> dict[str, tuple[int, ...]]:
        """The cell state."""
        return {"c": (batch, self.hidden_size)}

    def remember(self) -> None:
        """Also the cell state before the first step."""
        super().remember()
        self.tape["cell"][0].copy_(self.state["c"])

    def step(self, t: int, k: int) -> None:
        """The equations above."""
        z, hidden = self.tape["z"][t], self.tape["hidden"]
        h, c = self.state["h"], self.state["c"]
        self.recur(z, hidden[t])
        z[:, : 2 * self.hidden_size].sigmoid_()
        i, f, g, o = z.chunk(4, 1)
        g.tanh_()
        o.sigmoid_()
        c.mul_(f).addcmul_(i, g) if i.dtype == c.dtype else c.mul_(f).add_(i * g)
        self.tape["cell"][t + 1].copy_(c)
        h.copy_(o * torch.tanh(c))
        hidden[t + 1].copy_(h)

    def adjoint(self, t: int, k: int) -> None:
        """Backwards."""
        z, cell = self.tape["z"][t], self.tape["cell"]
        grad_h, grad_c = self.grad["h"], self.grad["c"]
        i, f, g, o = z.chunk(4, 1)
        shown = torch.tanh(cell[t + 1])
        grad_c += grad_h * o * (1 - shown * shown)
        grad_o = grad_h * shown * o * (1 - o)
        grad_i, grad_g = grad_c * g * i * (1 - i), grad_c * i * (1 - g * g)
        o.copy_(grad_o)
        i.copy_(grad_i)
        g.copy_(grad_g)
        kept = grad_c * f
        f.copy_(kept * cell[t] * (1 - f))
        grad_c.copy_(kept)
        grad_h.copy_(self.pull_back(z))


class LSTMCell(StackedCell):
    """The standard cell; gates in the library's order: input, forget, cell, output."""

    gates = 4

    def recurrence(self, shares: Tensor | None):
        """The engine's form of this cell."""
        return LSTMRecurrence
