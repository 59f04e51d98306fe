"""The HiPPO recurrent cell: a hidden state that writes to a HiPPO memory and is computed from it.

Its hyperparameters are `LegSOptions`, `LegTOptions`, `LagTOptions`, `FouTOptions` and `RandOptions` in
`hippo.nn.options`. Letters in shape comments: T steps of a chunk, B samples, C input channels, H hidden units, M memory
channels, N coefficients per memory channel.
"""

from functools import partial

import torch
from torch import Tensor, nn

from hippo.nn.cells.memories import DenseMemory, MemoryUpdate
from hippo.nn.cells.memory_recurrence import MemoryRecurrence
from hippo.nn.cells.times import unseen
from hippo.nn.cells.unrolled import UnrolledCell, with_bias
from hippo.nn.engine.recurrence import Buffers


class HiPPORecurrence(MemoryRecurrence):
    """The engine's form of `HiPPOCell`: z = [candidate, gate] pre-activations, extra = (U_in, U_rec)."""

    def __init__(self, hidden_size, compute, w_in, w_rec, u_in, u_rec, *, memory, step_ratios):
        super().__init__(hidden_size, compute, w_in, w_rec, u_in, u_rec, memory=memory, step_ratios=step_ratios)
        self.gated = len(w_in) == 2 * hidden_size

    def buffers(self, steps: int, batch: int) -> Buffers:
        """Add the memory after every step, and u: first U_in x, then u, in the backward pass its gradient."""
        return {
            "memory": ((steps, batch, self.channels * self.memory.order), self.compute),
            "u": ((steps, batch, self.channels), self.working),
        }

    def operand(self) -> Tensor:
        """Return the memory after every step (T, B, M*N)."""
        return self.tape["memory"]

    def step(self, t: int, k: int) -> None:
        """Compute u = U_in x + U_rec h;  m = memory(m, u);  h = (1 - g) h + g candidate."""
        tape, h = self.tape, self.state["h"]
        u, operand, z = tape["u"][t], tape["memory"][t], tape["z"][t]  # (B, M), (B, M*N), (B, H or 2*H)
        torch.addmm(u, h, self.u_rec.t(), out=u)
        m = self.memory.update(self.state["m"], u.flatten(), self.step_ratio(k), k == 0)  # (B*M, N)
        self.state["m"] = m
        operand.copy_(m.view_as(operand))
        self.add_recurrent_product(z, operand)
        candidate = z[:, : self.hidden_size].tanh_()
        if self.gated:
            h += z[:, self.hidden_size :].sigmoid_() * (candidate - h)
        else:
            h.copy_(candidate)
        tape["hidden"][t + 1].copy_(h)

    def adjoint(self, t: int, k: int) -> None:
        """Backpropagate through one step."""
        tape, grad_h = self.tape, self.grad["h"]
        z, before = tape["z"][t], tape["hidden"][t]
        candidate = z[:, : self.hidden_size]
        if self.gated:
            gate = z[:, self.hidden_size :]
            grad_gated = grad_h * gate
            grad_gate = grad_gated * (1 - gate) * (candidate - before)
            candidate.copy_(grad_gated * (1 - candidate * candidate))
            gate.copy_(grad_gate)
            grad_h -= grad_gated
        else:
            candidate.copy_(grad_h * (1 - candidate * candidate))
            grad_h.zero_()
        grad_m = self.grad["m"]  # (B*M, N)
        grad_m += self.operand_gradient(z).view_as(grad_m)
        self.grad["m"], grad_u = self.memory.adjoint(grad_m, self.step_ratio(k), k == 0)
        grad_u = tape["u"][t].copy_(grad_u.view_as(tape["u"][t]))  # (B*M,) -> (B, M)
        grad_h.addmm_(grad_u, self.u_rec)

    def step_ratio(self, k: int) -> float | Tensor:
        """Return Δt/t of step k: one number, or one per memory channel of each sample (B*M,)."""
        if self.step_ratios is not None:
            return self.step_ratios[:, k]
        ratio = 1 / max(k, 1)
        # A CUDA graph cannot record a copy of a number to the GPU, but it can record filling a tensor.
        return self.w_in.new_full((1,), ratio) if self.w_in.is_cuda else ratio

    def gradients(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the gradients of all weights; the compiled call has already summed those of the small weights."""
        if not self.is_compiled:
            return super().gradients(x)
        w_in, *extra = self.small_gradients
        return w_in, self.outer(self.tape["z"], self.tape["memory"]), *extra

    def extra_gradients(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the gradients of U_in (M, C) and U_rec (M, H)."""
        u = self.tape["u"]
        return self.outer(u, x), self.outer(u, self.tape["hidden"][:-1])


class HiPPOCell(UnrolledCell):
    """HiPPO recurrent cell with any memory.

    u = W_u [x, h] + b_u;  m' = memory(m, u);  h' = (1 - g) h + g tanh(W_h [x, m'] + b_h)

    The gate is g = sigmoid(W_g [x, m'] + b_g), or 1 if not `gated`. There is no hidden-to-hidden matrix.

    Parameters
    ----------
    input_size, hidden_size : int
        Input channels and hidden units.
    memory : MemoryUpdate
        Update rule of the memory: `LegSMemory` or `DenseMemory`.
    memory_size : int, default 1
        Channels of u; each has `memory.order` coefficients.
    gated : bool, default True
        Use the gate.

    References
    ----------
    Gu et al., "HiPPO: Recurrent Memory with Optimal Polynomial Projections", NeurIPS 2020, section 3, appendix F.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        memory: MemoryUpdate,
        memory_size: int = 1,
        gated: bool = True,
    ):
        super().__init__(input_size, hidden_size)
        self.memory = memory
        self.memory_size = memory_size
        features = input_size + memory_size * memory.order
        self.write = nn.Linear(input_size + hidden_size, memory_size)
        self.candidate = nn.Linear(features, hidden_size)
        self.gate = nn.Linear(features, hidden_size) if gated else None
        nn.init.kaiming_uniform_(self.write.weight, nonlinearity="linear")
        nn.init.xavier_normal_(self.candidate.weight)
        if self.gate is not None:
            nn.init.kaiming_normal_(self.gate.weight, nonlinearity="linear")

    def weights(self) -> tuple[Tensor, ...]:
        """Return (W_in, W_rec, U_in, U_rec). Candidate and gate are stacked, so that each step is one product."""
        layers = [self.candidate] if self.gate is None else [self.candidate, self.gate]
        weight = torch.cat([layer.weight for layer in layers])  # (H or 2*H, C + M*N)
        bias = torch.cat([layer.bias for layer in layers])
        C = self.input_size
        w_in, u_in = with_bias(weight[:, :C], bias), with_bias(self.write.weight[:, :C], self.write.bias)
        return w_in, weight[:, C:], u_in, self.write.weight[:, C:]

    def recurrence(self, step_ratios: Tensor | None):
        """Return the engine's form of this cell."""
        return partial(HiPPORecurrence, memory=self.memory, step_ratios=step_ratios)

    @property
    def timed(self) -> bool:
        """Whether the memory depends on the number of the input, or on its timestamp."""
        return not isinstance(self.memory, DenseMemory)

    # -- reference form -----------------------------------------------------------------------------------------

    def start(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Return (h, m), hidden state (B, H) and memory (B, M, N) of zeros; if `timed` also the time (B,), -1."""
        (h,) = super().start(inputs)
        m = inputs.new_zeros(inputs.shape[0], self.memory_size, self.memory.order)
        return (h, m, unseen(inputs)) if self.timed else (h, m)

    def step(
        self, x: Tensor, state: tuple[Tensor, ...], step_ratio: float | Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Return the state after the input x (B, C), by dense matrices. The time of the input is one more."""
        h, m, *time = state
        u = _linear(torch.cat([x, h], 1), self.write)  # (B, M)
        m = self._remember(m, u, step_ratio, *time)  # (B, M, N)
        features = torch.cat([x, m.flatten(1)], 1)  # (B, C + M*N)
        candidate = torch.tanh(_linear(features, self.candidate))
        g = 1 if self.gate is None else torch.sigmoid(_linear(features, self.gate))
        return ((1 - g) * h + g * candidate, m, *(t + 1 for t in time))

    def _remember(self, m: Tensor, u: Tensor, step_ratio: float | Tensor | None, time: Tensor | None = None) -> Tensor:
        """The memory after u (B, M); `time` (B,) is that of the last input."""
        if time is None:
            return self.memory.reference(m, u, 0.0, first=False)
        first = time < 0
        if step_ratio is None:
            step_ratio = 1 / (time + 1).clamp(min=1)
            if len(time) and bool((time == time[0]).all()):
                step_ratio = float(step_ratio[0])
        updated = self.memory.reference(m, u, step_ratio, first=False)
        return torch.where(first.view(-1, 1, 1), self.memory.reference(m, u, step_ratio, first=True), updated)


def _linear(x: Tensor, layer: nn.Linear) -> Tensor:
    return x @ layer.weight.T + layer.bias
