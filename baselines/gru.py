"""Gated recurrent unit (Cho et al. 2014), with the reset gate after the product as in the libraries."""

import torch
from torch import Tensor

from baselines.rnn import StackedCell
from hippo.nn.cells.unrolled import with_bias
from hippo.nn.engine.recurrence import Recurrence


class GRURecurrence(Recurrence):
    """r, v = sigmoid(W x + U h);  n = tanh(W_n x + b + r (U_n h + b'));  h' = (1 - v) n + v h.

    The new state's two products stay apart: z = [r, v, U_n h + b', W_n x + b].
    """

    kernel = "gru"

    def step(self, t: int, k: int) -> None:
        """The equations above."""
        z, hidden, h = self.tape["z"][t], self.tape["hidden"], self.state["h"]
        self.recur(z, hidden[t])
        z[:, : 2 * self.hidden_size].sigmoid_()
        reset, keep, remembered, new = z.chunk(4, 1)
        new.addcmul_(reset, remembered).tanh_()
        h.mul_(keep).add_(new * (1 - keep))
        hidden[t + 1].copy_(h)

    def adjoint(self, t: int, k: int) -> None:
        """Backwards."""
        z, before, grad_h = self.tape["z"][t], self.tape["hidden"][t], self.grad["h"]
        reset, keep, remembered, new = z.chunk(4, 1)
        kept = grad_h * keep
        grad_keep = kept * (1 - keep) * (before - new)
        grad_new = (grad_h - kept) * (1 - new * new)
        grad_remembered = grad_new * reset
        reset.copy_(grad_remembered * remembered * (1 - reset))
        keep.copy_(grad_keep)
        remembered.copy_(grad_remembered)
        new.copy_(grad_new)
        grad_h.copy_(kept.add_(self.pull_back(z)))


class GRUCell(StackedCell):
    """The standard cell; gates in the library's order: reset, update, new."""

    gates = 3

    def weights(self) -> tuple[Tensor, ...]:
        """(W of r, v, an empty block whose bias is b', W_n; U)."""
        H = self.hidden_size
        gates = with_bias(self.weight_ih[: 2 * H], self.bias_ih[: 2 * H] + self.bias_hh[: 2 * H])
        remembered = with_bias(torch.zeros_like(self.weight_ih[2 * H :]), self.bias_hh[2 * H :])
        new = with_bias(self.weight_ih[2 * H :], self.bias_ih[2 * H :])
        return torch.cat([gates, remembered, new]), self.weight_hh

    def recurrence(self, shares: Tensor | None):
        """The engine's form of this cell."""
        return GRURecurrence
