"""Minimal gated unit (Zhou, Wu, Zhang, Zhou 2016): one gate that both resets and updates."""

import torch
from torch import Tensor

from baselines.rnn import StackedCell
from hippo.nn.engine.recurrence import Buffers, Recurrence


class MGURecurrence(Recurrence):
    """f = sigmoid(W_f x + U_f h);  n = tanh(W_n x + U_n (f h));  h' = (1 - f) h + f n.

    The one cell here with two products in a row: W_rec holds U_f, extra holds U_n.
    """

    kernel = "mgu"

    def lay_out(self) -> None:
        """Also of U_n."""
        super().lay_out()
        (w_new,) = self.extra
        self.forward_new = w_new.t().to(self.compute).contiguous()
        self.backward_new = w_new.to(self.compute).contiguous()

    def buffers(self, steps: int, batch: int) -> Buffers:
        """What the gate lets through, the operand of the second product."""
        return {"passed": ((steps, batch, self.hidden_size), self.compute)}

    def step(self, t: int, k: int) -> None:
        """The equations above."""
        z, hidden, passed, h = self.tape["z"][t], self.tape["hidden"], self.tape["passed"][t], self.state["h"]
        gate, new = z.chunk(2, 1)
        self.recur(z, hidden[t])
        torch.mul(gate.sigmoid_(), hidden[t], out=passed)
        new.addmm_(passed, self.forward_new).tanh_()
        h += gate * (new - h)
        hidden[t + 1].copy_(h)

    def adjoint(self, t: int, k: int) -> None:
        """Backwards."""
        z, before, grad_h = self.tape["z"][t], self.tape["hidden"][t], self.grad["h"]
        gate, new = z.chunk(2, 1)
        let_in = grad_h * gate
        grad_gate = grad_h * (new - before)
        new.copy_(let_in * (1 - new * new))
        grad_passed = new @ self.backward_new
        grad_h += grad_passed * gate - let_in
        gate.copy_((grad_gate + grad_passed * before) * gate * (1 - gate))
        grad_h += self.pull_back(z)

    def extra_gradients(self, x: Tensor) -> tuple[Tensor, ...]:
        """Gradient of U_n."""
        return (self.outer(self.tape["z"][..., self.hidden_size :], self.tape["passed"]),)


class MGUCell(StackedCell):
    """The cell of the paper; gate first, then the new state."""

    gates = 2

    def weights(self) -> tuple[Tensor, ...]:
        """(W of f and n, U_f, U_n)."""
        w_in, w_rec = super().weights()
        return w_in, w_rec[: self.hidden_size], w_rec[self.hidden_size :]

    def recurrence(self, shares: Tensor | None):
        """The engine's form of this cell."""
        return MGURecurrence
