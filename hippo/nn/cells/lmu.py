"""The Legendre Memory Unit.

Its hyperparameters are `LMUOptions` in `hippo.nn.options`. Letters in shape comments: T steps of a chunk, B samples, C
input channels, H hidden units, M memory channels, N coefficients per memory channel.
"""

from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from hippo.nn.cells.memories import DenseMemory
from hippo.nn.cells.memory_recurrence import MemoryRecurrence
from hippo.nn.cells.unrolled import UnrolledCell, with_bias
from hippo.nn.engine.recurrence import Buffers


class LMURecurrence(MemoryRecurrence):
    """The engine's form of `LMUCell`; operand = [h, m'], extra = (E_in, E_rec).

    u = E_in x + E_rec [h, m];  m' = memory(m, u);  h' = tanh(W_in x + W_rec [h, m'])
    """

    kernels: ClassVar[dict[type, str]] = {DenseMemory: "dense_cell"}

    def __init__(self, hidden_size, compute, w_in, w_rec, e_in, e_rec, *, memory):
        super().__init__(hidden_size, compute, w_in, w_rec, e_in, e_rec, memory=memory)
        self.e_memory = e_rec[:, hidden_size:]  # (M, M*N)

    def memory_weights(self) -> dict[str, Tensor]:
        """Return the weight by which u depends on the memory."""
        return {"u_memory": self.e_memory}

    def layout(self, steps: int, batch: int) -> Buffers:
        """Return the buffers: z, which becomes h'; the operands, where entry t + 1 is [h, m'] of step t; and u."""
        return {
            "z": ((steps, batch, self.hidden_size), self.compute),
            "operand": ((steps + 1, batch, self.w_rec.shape[1]), self.compute),
            "u": ((steps, batch, self.channels), self.working),
        }

    def operand(self) -> Tensor:
        """Return [h, m'] of every step (T, B, H + M*N)."""
        return self.tape["operand"][1:]

    def hidden(self) -> Tensor:
        """Return the hidden states after every step (T, B, H)."""
        return self.tape["z"]

    def save_initial_states(self) -> None:
        """Write the memory before the first step, which the first u depends on, to the tape."""
        memory = self.tape["operand"][0, :, self.hidden_size :]  # (B, M*N)
        memory.copy_(self.state["m"].view_as(memory))

    def step(self, t: int, k: int) -> None:
        """Compute one step (equations in the class docstring)."""
        u, operand, z = self.tape["u"][t], self.tape["operand"][t + 1], self.tape["z"][t]  # (B, M), (B, H + M*N), ...
        h, m = self.state["h"], self.state["m"]
        u.addmm_(h, self.u_rec.t()).addmm_(m.view(len(h), -1), self.e_memory.t())
        m = self.state["m"] = self.memory.update(m, u.flatten(), 0.0, False)  # (B*M, N)
        operand[:, : self.hidden_size].copy_(h)
        operand[:, self.hidden_size :].copy_(m.view(len(h), -1))
        self.add_recurrent_product(z, operand)
        h.copy_(z.tanh_())

    def adjoint(self, t: int, k: int) -> None:
        """Backpropagate through one step."""
        z, u, grad_h, grad_m = self.tape["z"][t], self.tape["u"][t], self.grad["h"], self.grad["m"]
        z.copy_(grad_h * (1 - z * z))
        grad_operand = self.operand_gradient(z)  # (B, H + M*N)
        grad_h.copy_(grad_operand[:, : self.hidden_size])
        grad_m += grad_operand[:, self.hidden_size :].reshape_as(grad_m)
        grad_m, grad_u = self.memory.adjoint(grad_m, 0.0, False)
        u.copy_(grad_u.view_as(u))  # (B*M,) -> (B, M)
        grad_h.addmm_(u, self.u_rec)
        grad_m.view(len(grad_h), -1).addmm_(u, self.e_memory)
        self.grad["m"] = grad_m

    def gradients(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the gradients of all weights; u of a step depends on the memory of the previous operand."""
        u, operand = self.tape["u"], self.operand()
        from_memory = self.outer(u.to(self.compute), self.tape["operand"][:-1, :, self.hidden_size :])  # (M, M*N)
        if self.is_compiled:
            w_in, e_in, from_hidden = self.small_gradients
        else:
            w_in, e_in = self.outer(self.tape["z"], x), self.outer(u, x)
            from_hidden = self.outer(u, operand[..., : self.hidden_size])  # (M, H)
        return w_in, self.outer(self.tape["z"], operand), e_in, torch.cat([from_hidden, from_memory], 1)


class LMUCell(UnrolledCell):
    """Legendre Memory Unit.

    u = e_x x + e_h h + e_m m;  m' = A m + B u;  h' = tanh(W_x x + W_h h + W_m m'), without biases.

    Initially the encoders copy the input (e_x = 1, e_h = e_m = 0) and the hidden state depends on the memory only (W_m
    Xavier normal, W_x = W_h = 0), as in the authors' code.

    Parameters
    ----------
    input_size, hidden_size : int
        Input channels and hidden units.
    memory : DenseMemory
        Update rule of the memory.
    memory_size : int, default 1
        Channels of u; each has `memory.order` coefficients.

    References
    ----------
    Voelker, Kajić, Eliasmith, "Legendre Memory Units", NeurIPS 2019.
    """

    def __init__(self, input_size: int, hidden_size: int, memory: DenseMemory, memory_size: int = 1):
        super().__init__(input_size, hidden_size)
        self.memory = memory
        self.memory_size = memory_size
        coefficients = memory_size * memory.order
        self.encode_input = nn.Parameter(torch.ones(memory_size, input_size))
        self.encode_hidden = nn.Parameter(torch.zeros(memory_size, hidden_size))
        self.encode_memory = nn.Parameter(torch.zeros(memory_size, coefficients))
        self.weight_input = nn.Parameter(torch.zeros(hidden_size, input_size))
        self.weight_hidden = nn.Parameter(torch.zeros(hidden_size, hidden_size))
        self.weight_memory = nn.Parameter(nn.init.xavier_normal_(torch.empty(hidden_size, coefficients)))

    def weights(self) -> tuple[Tensor, ...]:
        """Return (W_x, [W_h, W_m], e_x, [e_h, e_m])."""
        recurrent = torch.cat([self.weight_hidden, self.weight_memory], dim=1)  # (H, H + M*N)
        encoder = torch.cat([self.encode_hidden, self.encode_memory], dim=1)  # (M, H + M*N)
        return with_bias(self.weight_input), recurrent, with_bias(self.encode_input), encoder

    def recurrence(self, step_ratios: Tensor | None):
        """Return the engine's form of this cell."""
        return partial(LMURecurrence, memory=self.memory)

    # -- reference form -----------------------------------------------------------------------------------------

    def start(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Return (h, m): hidden state (B, H) and memory (B, M, N) of zeros."""
        (h,) = super().start(inputs)
        return h, inputs.new_zeros(inputs.shape[0], self.memory_size, self.memory.order)

    def step(
        self, x: Tensor, state: tuple[Tensor, ...], step_ratio: float | Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Return (h, m) after the input x (B, C)."""
        h, m = state
        u = x @ self.encode_input.T + h @ self.encode_hidden.T + m.flatten(1) @ self.encode_memory.T  # (B, M)
        m = self.memory.reference(m, u, 0.0, first=False)  # (B, M, N)
        z = x @ self.weight_input.T + h @ self.weight_hidden.T + m.flatten(1) @ self.weight_memory.T  # (B, H)
        return torch.tanh(z), m
