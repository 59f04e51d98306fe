"""The gated recurrent unit without its reset gate.

It is the unit called GRU in the published code of the HiPPO paper. Its hyperparameters are `GRUOptions` in
`options.py`. Letters in shape comments: B samples, C input channels, H hidden units.
"""

import torch
from torch import Tensor

from hippo.nn.engine.recurrence import Recurrence
from hippo_baselines.rnn import GateWeights


class UpdateGateRecurrence(Recurrence):
    """The engine's form of `UpdateGateCell`; z = [g, n]."""

    kernel = "update_gate"

    def step(self, t: int, k: int) -> None:
        """Compute one step (equations in `UpdateGateCell`)."""
        z, hidden, h = self.tape["z"][t], self.tape["hidden"], self.state["h"]  # (B, 2*H), (T + 1, B, H), (B, H)
        self.add_recurrent_product(z, hidden[t])
        gate, new = z.chunk(2, 1)  # (B, H) each
        gate.sigmoid_()
        new.tanh_()
        h += gate * (new - h)
        hidden[t + 1].copy_(h)

    def adjoint(self, t: int, k: int) -> None:
        """Backpropagate through one step."""
        z, before, grad_h = self.tape["z"][t], self.tape["hidden"][t], self.grad["h"]
        gate, new = z.chunk(2, 1)  # (B, H) each
        grad_gated = grad_h * gate
        grad_gate = grad_h * (new - before) * gate * (1 - gate)
        new.copy_(grad_gated * (1 - new * new))
        gate.copy_(grad_gate)
        grad_h.sub_(grad_gated).add_(self.operand_gradient(z))


class UpdateGateCell(GateWeights):
    """Gated recurrent unit with an update gate alone. Weight rows are ordered: gate, new state.

    g = sigmoid(W_g x + U_g h);  n = tanh(W_n x + U_n h);  h' = (1 - g) h + g n, each product with its biases.

    Parameters
    ----------
    input_size, hidden_size : int
        Input channels and hidden units.

    References
    ----------
    Gu, Dao, Ermon, Rudra and Ré, "HiPPO: Recurrent Memory with Optimal Polynomial Projections", NeurIPS 2020: its
    published code.
    """

    gates = 2

    def recurrence(self, step_ratios: Tensor | None):
        """Return the engine's form of this cell."""
        return UpdateGateRecurrence

    def step(
        self, x: Tensor, state: tuple[Tensor, ...], step_ratio: float | Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Return (h,) after the input x (B, C): the reference form."""
        (h,) = state
        sums = x @ self.weight_ih.T + self.bias_ih + h @ self.weight_hh.T + self.bias_hh
        gate, new = sums.chunk(2, 1)  # (B, H) each
        g = torch.sigmoid(gate)
        return ((1 - g) * h + g * torch.tanh(new),)
