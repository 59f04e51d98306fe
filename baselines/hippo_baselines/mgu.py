"""The minimal gated unit: one gate that both resets and updates.

Its hyperparameters are `MGUOptions` in `options.py`. Letters in shape comments: B samples, C input channels, H hidden
units.
"""

import torch
from torch import Tensor

from hippo.nn.engine.recurrence import Buffers, Recurrence
from hippo_baselines.rnn import GateWeights


class MGURecurrence(Recurrence):
    """The engine's form of `MGUCell`: two products in sequence per step.

    f = sigmoid(W_f x + U_f h);  n = tanh(W_n x + U_n (f h));  h' = (1 - f) h + f n

    W_rec is U_f and extra = (U_n,).
    """

    kernel = "mgu"

    def arrange_weights(self) -> None:
        """Store both layouts of U_f and of U_n."""
        super().arrange_weights()
        (w_new,) = self.extra
        self.forward_new = w_new.t().to(self.compute).contiguous()
        self.backward_new = w_new.to(self.compute).contiguous()

    def buffers(self, steps: int, batch: int) -> Buffers:
        """Add the gated hidden state f h, the operand of the second product."""
        return {"passed": ((steps, batch, self.hidden_size), self.compute)}

    def step(self, t: int, k: int) -> None:
        """Compute one step (equations in the class docstring)."""
        z, hidden, passed, h = self.tape["z"][t], self.tape["hidden"], self.tape["passed"][t], self.state["h"]
        gate, new = z.chunk(2, 1)  # (B, H) each
        self.add_recurrent_product(z, hidden[t])
        torch.mul(gate.sigmoid_(), hidden[t], out=passed)
        new.addmm_(passed, self.forward_new).tanh_()
        h += gate * (new - h)
        hidden[t + 1].copy_(h)

    def adjoint(self, t: int, k: int) -> None:
        """Backpropagate through one step."""
        z, before, grad_h = self.tape["z"][t], self.tape["hidden"][t], self.grad["h"]
        gate, new = z.chunk(2, 1)  # (B, H) each
        grad_gated = grad_h * gate
        grad_gate = grad_h * (new - before)
        new.copy_(grad_gated * (1 - new * new))
        grad_passed = new @ self.backward_new
        grad_h += grad_passed * gate - grad_gated
        gate.copy_((grad_gate + grad_passed * before) * gate * (1 - gate))
        grad_h += self.operand_gradient(z)

    def extra_gradients(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the gradient of U_n (H, H)."""
        return (self.outer(self.tape["z"][..., self.hidden_size :], self.tape["passed"]),)


class MGUCell(GateWeights):
    """Minimal gated unit. Weight rows are ordered: gate, new state.

    f = sigmoid(W_f x + U_f h);  n = tanh(W_n x + U_n (f h));  h' = (1 - f) h + f n, each product with its biases.

    Parameters
    ----------
    input_size, hidden_size : int
        Input channels and hidden units.

    References
    ----------
    Zhou, Wu, Zhang, Zhou, "Minimal Gated Unit for Recurrent Neural Networks", 2016 (arXiv 1603.09420), equations 7-9.
    """

    gates = 2

    def weights(self) -> tuple[Tensor, ...]:
        """Return (W of f and n, U_f, U_n)."""
        w_in, w_rec = super().weights()  # (2*H, C + 1), (2*H, H)
        return w_in, w_rec[: self.hidden_size], w_rec[self.hidden_size :]

    def recurrence(self, step_ratios: Tensor | None):
        """Return the engine's form of this cell."""
        return MGURecurrence

    def step(
        self, x: Tensor, state: tuple[Tensor, ...], step_ratio: float | Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Return (h,) after the input x (B, C): the reference form."""
        (h,) = state
        xf, xn = (x @ self.weight_ih.T + self.bias_ih + self.bias_hh).chunk(2, 1)  # (B, H) each
        uf, un = self.weight_hh.chunk(2, 0)  # (H, H) each
        f = torch.sigmoid(xf + h @ uf.T)
        return ((1 - f) * h + f * torch.tanh(xn + (f * h) @ un.T),)
