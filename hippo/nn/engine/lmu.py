"""The Legendre Memory Unit's recurrence."""

import torch
from torch import Tensor

from hippo.nn.engine.recurrence import Buffers, Recurrence


class LMURecurrence(Recurrence):
    """u = E_in x + E_rec [h, m];  m' = memory(m, u);  h' = tanh(W_in x + W_rec [h, m']); extra = (E_in, E_rec)."""

    def __init__(self, hidden_size, compute, w_in, w_rec, e_in, e_rec, *, memory):
        super().__init__(hidden_size, compute, w_in, w_rec, e_in, e_rec)
        self.e_in, self.e_hidden, self.e_memory = e_in, e_rec[:, :hidden_size], e_rec[:, hidden_size:]
        self.channels = len(e_in)
        self.memory = memory

    def layout(self, steps: int, batch: int) -> Buffers:
        """z, the hidden state after activation; entry t + 1 of operand [h, m'] of step t; u, then its gradient."""
        return {
            "z": ((steps, batch, self.hidden_size), self.compute),
            "operand": ((steps + 1, batch, self.w_rec.shape[1]), self.compute),
            "u": ((steps, batch, self.channels), self.working),
        }

    def states(self, batch: int) -> dict[str, tuple[int, ...]]:
        """The memory, one row per sample and channel."""
        return {"m": (batch * self.channels, self.memory.order)}

    def operand(self) -> Tensor:
        """[h, m'] of every step."""
        return self.tape["operand"][1:]

    def hidden(self) -> Tensor:
        """Hidden states after every step."""
        return self.tape["z"]

    def hoist(self, x: Tensor) -> None:
        """Input products of h and u."""
        super().hoist(x)
        self.input_product(x, self.e_in, self.tape["u"])
        flat = self.state["m"].view(x.shape[1], -1)
        self.tape["operand"][0, :, self.hidden_size :].copy_(flat)

    def step(self, t: int, k: int) -> None:
        """The equations above."""
        u, operand, z = self.tape["u"][t], self.tape["operand"][t + 1], self.tape["z"][t]
        h, m = self.state["h"], self.state["m"]
        u.addmm_(h, self.e_hidden.t()).addmm_(m.view(len(h), -1), self.e_memory.t())
        m = self.state["m"] = self.memory.advance(m, u.flatten(), 0.0, False)
        operand[:, : self.hidden_size].copy_(h)
        operand[:, self.hidden_size :].copy_(m.view(len(h), -1))
        self.recur(z, operand)
        h.copy_(z.tanh_())

    def adjoint(self, t: int, k: int) -> None:
        """The step's equations backwards."""
        z, u, grad_h, grad_m = self.tape["z"][t], self.tape["u"][t], self.grad["h"], self.grad["m"]
        z.copy_(grad_h * (1 - z * z))
        grad_operand = self.pull_back(z)
        grad_h.copy_(grad_operand[:, : self.hidden_size])
        grad_m += grad_operand[:, self.hidden_size :].reshape_as(grad_m)
        grad_m, grad_u = self.memory.adjoint(grad_m, 0.0, False)
        u.copy_(grad_u.view_as(u))
        grad_h.addmm_(u, self.e_hidden)
        grad_m.view(len(grad_h), -1).addmm_(u, self.e_memory)
        self.grad["m"] = grad_m

    def extra_gradients(self, x: Tensor) -> tuple[Tensor, ...]:
        """Gradients of E_in and E_rec; u read the memory as it was a step before the operand's."""
        u, operand = self.tape["u"], self.tape["operand"]
        from_hidden = self.outer(u, operand[1:, :, : self.hidden_size])
        from_memory = self.outer(u, operand[:-1, :, self.hidden_size :])
        return self.outer(u, x), torch.cat([from_hidden, from_memory], 1)

    def input_gradient(self, x: Tensor) -> Tensor:
        """Through h and through u."""
        return super().input_gradient(x) + self.tape["u"] @ self.e_in
