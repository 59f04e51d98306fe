"""The recurrences with a memory: what they share, and the HiPPO cell's, which reads candidate and gate from it."""

from typing import ClassVar

import torch
from torch import Tensor

from hippo.nn.cells.memories import MemoryUpdate, ScaledLegendre, TimeInvariant
from hippo.nn.engine import compiled as fused
from hippo.nn.engine.recurrence import Buffers, Recurrence


class MemoryRecurrence(Recurrence):
    """u = U_in x + U_rec h, and what a cell adds to it, is written to the memory m; z is read from the memory.

    u_in (channels, inputs), u_rec (channels, hidden); shares (batch, steps) of elapsed time or None.
    """

    kernels: ClassVar[dict[type, str]] = {ScaledLegendre: "legs_cell", TimeInvariant: "dense_cell"}

    def __init__(self, hidden_size, compute, w_in, w_rec, *extra, memory: MemoryUpdate, shares: Tensor | None = None):
        self.kernel = self.kernels.get(type(memory))
        super().__init__(hidden_size, compute, w_in, w_rec, *extra)
        self.u_in, self.u_rec = extra[0], extra[1][:, :hidden_size]
        self.channels = len(self.u_in)
        self.memory = memory
        self.shares = None if shares is None else shares.to(self.working).repeat_interleave(self.channels, 0)

    def states(self, batch: int) -> dict[str, tuple[int, ...]]:
        """The memory, one row per sample and channel."""
        return {"m": (batch * self.channels, self.memory.order)}

    def hoist(self, x: Tensor) -> None:
        """As the base class's, and u's input product; the compiled form makes that of z on its way."""
        if self.fused:
            self.remember()
        else:
            super().hoist(x)
        self.input_product(x, self.u_in, self.tape["u"])

    def compiled(self, x: Tensor, first: int, updated: dict[str, Tensor | None], adjoint: bool) -> None:
        """As the base class's. Each thread sums up the small weights' gradients over its samples."""
        small = {"w_in": self.w_in, "u_in": self.u_in, "u_rec": self.u_rec}
        slots = {f"grad_{name}": w.new_zeros(torch.get_num_threads(), *w.shape) for name, w in small.items()}
        shares = self.shares
        sizes = {
            "inputs": x.shape[2],
            "channels": self.channels,
            "order": self.memory.order,
            "first": first,
            "share_stride": 0 if shares is None else shares.shape[1],
            "gated": len(self.w_in) > self.hidden_size,
            "alpha": 0,
        }
        weights = {**small, "x": x, "shares": None if shares is None else shares[:: self.channels]}
        if isinstance(self.memory, ScaledLegendre):
            sizes["alpha"] = self.memory.alpha
        else:
            weights["transition"], weights["input"] = self.memory.matrices(self.w_in)
        weights |= {"memory": self.operand(), **self.memory_weights()}
        fused.run(self, len(x), {**updated, **slots}, adjoint, sizes, weights)
        self.small_gradients = tuple(slot.sum(0) for slot in slots.values())

    def memory_weights(self) -> dict[str, Tensor]:
        """Weights by which u reads the memory, for the compiled form."""
        return {}


class HiPPORecurrence(MemoryRecurrence):
    """z = [candidate, gate] pre-activations, read from the memory; extra = (U_in, U_rec)."""

    def __init__(self, hidden_size, compute, w_in, w_rec, u_in, u_rec, *, memory, shares):
        super().__init__(hidden_size, compute, w_in, w_rec, u_in, u_rec, memory=memory, shares=shares)
        self.gated = len(w_in) == 2 * hidden_size

    def buffers(self, steps: int, batch: int) -> Buffers:
        """The memory of every step, and what was written to it: the part from the input, then its gradient."""
        return {
            "memory": ((steps, batch, self.channels * self.memory.order), self.compute),
            "u": ((steps, batch, self.channels), self.working),
        }

    def operand(self) -> Tensor:
        """The memory after every step."""
        return self.tape["memory"]

    def step(self, t: int, k: int) -> None:
        """u = U_in x + U_rec h;  m = memory(m, u);  h = (1 - g) h + g candidate."""
        tape, h = self.tape, self.state["h"]
        u, operand, z = tape["u"][t], tape["memory"][t], tape["z"][t]
        torch.addmm(u, h, self.u_rec.t(), out=u)
        m = self.state["m"] = self.memory.advance(self.state["m"], u.flatten(), self.share(k), k == 0)
        operand.copy_(m.view_as(operand))
        self.recur(z, operand)
        candidate = z[:, : self.hidden_size].tanh_()
        if self.gated:
            h += z[:, self.hidden_size :].sigmoid_() * (candidate - h)
        else:
            h.copy_(candidate)
        tape["hidden"][t + 1].copy_(h)

    def adjoint(self, t: int, k: int) -> None:
        """The step's equations backwards."""
        tape, grad_h = self.tape, self.grad["h"]
        z, before = tape["z"][t], tape["hidden"][t]
        candidate = z[:, : self.hidden_size]
        if self.gated:
            gate = z[:, self.hidden_size :]
            opened = grad_h * gate
            grad_gate = opened * (1 - gate) * (candidate - before)
            candidate.copy_(opened * (1 - candidate * candidate))
            gate.copy_(grad_gate)
            grad_h -= opened
        else:
            candidate.copy_(grad_h * (1 - candidate * candidate))
            grad_h.zero_()
        grad_m = self.grad["m"]
        grad_m += self.pull_back(z).view_as(grad_m)
        self.grad["m"], grad_u = self.memory.adjoint(grad_m, self.share(k), k == 0)
        grad_u = tape["u"][t].copy_(grad_u.view_as(tape["u"][t]))
        grad_h.addmm_(grad_u, self.u_rec)

    def share(self, k: int) -> float | Tensor:
        """Share of the time so far that has passed since the last step, one number or one per row of memory."""
        if self.shares is not None:
            return self.shares[:, k]
        ratio = 1 / max(k, 1)
        # A number would have to be copied to the GPU, which no graph can record; filling a tensor it can.
        return self.w_in.new_full((1,), ratio) if self.w_in.is_cuda else ratio

    def gradients(self, x: Tensor) -> tuple[Tensor, ...]:
        """As the base class's; the compiled call has summed up those of the small weights on its way."""
        if not self.fused:
            return super().gradients(x)
        w_in, *extra = self.small_gradients
        return w_in, self.outer(self.tape["z"], self.tape["memory"]), *extra

    def extra_gradients(self, x: Tensor) -> tuple[Tensor, ...]:
        """Gradients of U_in and U_rec."""
        u = self.tape["u"]
        return self.outer(u, x), self.outer(u, self.tape["hidden"][:-1])

    def input_gradient(self, x: Tensor) -> Tensor:
        """Through candidate and gate, and through u."""
        return super().input_gradient(x) + self.tape["u"] @ self.u_in
