"""The gated recurrent unit, with the reset gate after the product as in PyTorch and cuDNN.

Its hyperparameters are `GRUOptions` in `options.py`. Letters in shape comments: B samples, C input channels, H hidden
units.
"""

import torch
from torch import Tensor, nn

from hippo.nn.cells.unrolled import with_bias
from hippo.nn.engine.recurrence import Recurrence
from hippo_baselines.rnn import GateWeights


class GRURecurrence(Recurrence):
    """The engine's form of `GRUCell`.

    r, v = sigmoid(W x + U h);  n = tanh(W_n x + b + r (U_n h + b'));  h' = (1 - v) n + v h

    The two products of the new state n are kept apart: z = [r, v, U_n h + b', W_n x + b].
    """

    kernel = "gru"

    def step(self, t: int, k: int) -> None:
        """Compute one step (equations in the class docstring)."""
        z, hidden, h = self.tape["z"][t], self.tape["hidden"], self.state["h"]  # (B, 4*H), (T + 1, B, H), (B, H)
        self.add_recurrent_product(z, hidden[t])
        z[:, : 2 * self.hidden_size].sigmoid_()
        reset, keep, recurrent, new = z.chunk(4, 1)  # (B, H) each
        new.addcmul_(reset, recurrent).tanh_()
        h.mul_(keep).add_(new * (1 - keep))
        hidden[t + 1].copy_(h)

    def adjoint(self, t: int, k: int) -> None:
        """Backpropagate through one step."""
        z, before, grad_h = self.tape["z"][t], self.tape["hidden"][t], self.grad["h"]
        reset, keep, recurrent, new = z.chunk(4, 1)  # (B, H) each
        grad_kept = grad_h * keep
        grad_keep = grad_kept * (1 - keep) * (before - new)
        grad_new = (grad_h - grad_kept) * (1 - new * new)
        grad_recurrent = grad_new * reset
        reset.copy_(grad_recurrent * recurrent * (1 - reset))
        keep.copy_(grad_keep)
        recurrent.copy_(grad_recurrent)
        new.copy_(grad_new)
        grad_h.copy_(grad_kept.add_(self.operand_gradient(z)))


def stack_input_weights(cell: "GRUCell | nn.GRUCell") -> Tensor:
    """Return W of (r, v), of an empty block whose bias is b', and of n, each with its bias, stacked (4*H, C + 1)."""
    gates = 2 * cell.hidden_size
    return torch.cat(
        [
            with_bias(cell.weight_ih[:gates], cell.bias_ih[:gates] + cell.bias_hh[:gates]),
            with_bias(torch.zeros_like(cell.weight_ih[gates:]), cell.bias_hh[gates:]),
            with_bias(cell.weight_ih[gates:], cell.bias_ih[gates:]),
        ]
    )


class GRUCell(GateWeights):
    """Gated recurrent unit; gates in PyTorch's order: reset, update, new.

    r, v = sigmoid(W x + b + U h + b');  n = tanh(W_n x + b_n + r (U_n h + b_n'));  h' = (1 - v) n + v h

    Parameters
    ----------
    input_size, hidden_size : int
        Input channels and hidden units.

    References
    ----------
    Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation", EMNLP
    2014.
    """

    gates = 3

    def weights(self) -> tuple[Tensor, ...]:
        """Return (the weight of the input, U), shapes (4*H, C + 1) and (3*H, H)."""
        return stack_input_weights(self), self.weight_hh

    def recurrence(self, step_ratios: Tensor | None):
        """Return the engine's form of this cell."""
        return GRURecurrence

    def step(
        self, x: Tensor, state: tuple[Tensor, ...], step_ratio: float | Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Return (h,) after the input x (B, C): the reference form."""
        (h,) = state
        xr, xv, xn = (x @ self.weight_ih.T + self.bias_ih).chunk(3, 1)  # (B, H) each
        hr, hv, hn = (h @ self.weight_hh.T + self.bias_hh).chunk(3, 1)
        v = torch.sigmoid(xv + hv)
        return ((1 - v) * torch.tanh(xn + torch.sigmoid(xr + hr) * hn) + v * h,)
