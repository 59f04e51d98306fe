"""The Legendre Memory Unit's recurrence."""

from typing import ClassVar

import torch
from torch import Tensor

from hippo.nn.cells.memories import TimeInvariant
from hippo.nn.cells.memory_recurrence import MemoryRecurrence
from hippo.nn.engine.recurrence import Buffers


class LMURecurrence(MemoryRecurrence):
    """u = E_in x + E_rec [h, m];  m' = memory(m, u);  h' = tanh(W_in x + W_rec [h, m']); extra = (E_in, E_rec)."""

    kernels: ClassVar[dict[type, str]] = {TimeInvariant: "dense_cell"}

    def __init__(self, hidden_size, compute, w_in, w_rec, e_in, e_rec, *, memory):
        super().__init__(hidden_size, compute, w_in, w_rec, e_in, e_rec, memory=memory)
        self.e_memory = e_rec[:, hidden_size:]

    def memory_weights(self) -> dict[str, Tensor]:
        """Those of u."""
        return {"u_memory": self.e_memory}

    def layout(self, steps: int, batch: int) -> Buffers:
        """z, the hidden state after activation; entry t + 1 of operand [h, m'] of step t; u, then its gradient."""
        return {
            "z": ((steps, batch, self.hidden_size), self.compute),
            "operand": ((steps + 1, batch, self.w_rec.shape[1]), self.compute),
            "u": ((steps, batch, self.channels), self.working),
        }

    def operand(self) -> Tensor:
        """[h, m'] of every step."""
        return self.tape["operand"][1:]

    def hidden(self) -> Tensor:
        """Hidden states after every step."""
        return self.tape["z"]

    def remember(self) -> None:
        """The memory before the first step, which its u reads."""
        memory = self.tape["operand"][0, :, self.hidden_size :]
        memory.copy_(self.state["m"].view_as(memory))

    def step(self, t: int, k: int) -> None:
        """The equations above."""
        u, operand, z = self.tape["u"][t], self.tape["operand"][t + 1], self.tape["z"][t]
        h, m = self.state["h"], self.state["m"]
        u.addmm_(h, self.u_rec.t()).addmm_(m.view(len(h), -1), self.e_memory.t())
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
        grad_h.addmm_(u, self.u_rec)
        grad_m.view(len(grad_h), -1).addmm_(u, self.e_memory)
        self.grad["m"] = grad_m

    def gradients(self, x: Tensor) -> tuple[Tensor, ...]:
        """Those of E_rec apart for h and m: u read the memory as it was a step before the operand's."""
        u, operand = self.tape["u"], self.operand()
        from_memory = self.outer(u.to(self.compute), self.tape["operand"][:-1, :, self.hidden_size :])
        if self.fused:
            w_in, e_in, from_hidden = self.small_gradients
        else:
            w_in, e_in = self.outer(self.tape["z"], x), self.outer(u, x)
            from_hidden = self.outer(u, operand[..., : self.hidden_size])
        return w_in, self.outer(self.tape["z"], operand), e_in, torch.cat([from_hidden, from_memory], 1)

    def input_gradient(self, x: Tensor) -> Tensor:
        """Through h and through u."""
        return super().input_gradient(x) + self.tape["u"] @ self.u_in
