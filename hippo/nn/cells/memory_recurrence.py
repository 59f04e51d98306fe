"""The part of the engine's form that the HiPPO cell and the LMU have in common: a memory that the cell writes to.

Letters in shape comments: T steps of a chunk, B samples, C input channels with that of the biases, H hidden units,
M memory channels, N coefficients per memory channel.
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from hippo.nn.cells.memories import DenseMemory, LegSMemory, MemoryUpdate
from hippo.nn.engine import compiled
from hippo.nn.engine.recurrence import Recurrence


class MemoryRecurrence(Recurrence):
    """A recurrence that writes u = U_in x + U_rec h (and terms that a cell adds) to a memory m, and reads z from m.

    Parameters
    ----------
    hidden_size, compute, w_in, w_rec
        As in `Recurrence`; the operand of W_rec contains the memory.
    *extra : Tensor
        (U_in, U_rec) of shapes (M, C) and (M, H); a cell may append columns to U_rec.
    memory : MemoryUpdate
        Update rule of the memory.
    step_ratios : Tensor, shape (batch, length), or None
        Δt/t of every step; None if inputs are evenly spaced.

    Attributes
    ----------
    kernels : dict
        Type of memory -> name of the compiled function for a cell with it.
    """

    kernels: ClassVar[dict[type, str]] = {LegSMemory: "legs_cell", DenseMemory: "dense_cell"}

    def __init__(
        self, hidden_size, compute, w_in, w_rec, *extra, memory: MemoryUpdate, step_ratios: Tensor | None = None
    ):
        self.kernel = self.kernels.get(type(memory))
        super().__init__(hidden_size, compute, w_in, w_rec, *extra)
        self.u_in, self.u_rec = extra[0], extra[1][:, :hidden_size]
        self.channels = len(self.u_in)
        self.memory = memory
        # One entry per memory channel of each sample, (B*M, L).
        self.step_ratios = (
            None if step_ratios is None else step_ratios.to(self.working).repeat_interleave(self.channels, 0)
        )

    def states(self, batch: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of the memory: one row per memory channel of each sample."""
        return {"m": (batch * self.channels, self.memory.order)}

    def precompute_input_projections(self, x: Tensor) -> None:
        """Write U_in x and W_in x of all steps to the tape. The compiled form computes W_in x step by step instead."""
        if self.is_compiled:
            self.save_initial_states()
        else:
            super().precompute_input_projections(x)
        self.input_product(x, self.u_in, self.tape["u"])

    def run_compiled(self, x: Tensor, first: int, updated: Mapping[str, Tensor | None], adjoint: bool) -> None:
        """Run a whole chunk in one compiled call; each thread sums the small weights' gradients over its samples."""
        small = {"w_in": self.w_in, "u_in": self.u_in, "u_rec": self.u_rec}
        slots = {f"grad_{name}": w.new_zeros(torch.get_num_threads(), *w.shape) for name, w in small.items()}
        transition = input_vector = None
        alpha = 0.0
        if isinstance(self.memory, LegSMemory):
            alpha = self.memory.alpha
        elif isinstance(self.memory, DenseMemory):
            transition, input_vector = self.memory.matrices(self.w_in)
        # The compiled form takes one step ratio per sample, (B, L).
        step_ratios = None if self.step_ratios is None else self.step_ratios[:: self.channels]
        memory_weights = self.memory_weights()
        compiled.run(
            compiled.CompiledCall(
                kernel=self.kernel,
                backward=adjoint,
                steps=len(x),
                batch_size=x.shape[1],
                hidden_size=self.hidden_size,
                compute=self.compute,
                tensors={
                    "x": x,
                    "w_in": self.w_in,
                    "w_rec": self.w_rec,
                    "u_rec": self.u_rec,
                    "transition": transition,
                    "input": input_vector,
                    "step_ratios": step_ratios,
                    "z": self.tape["z"],
                    "hidden": self.tape.get("hidden"),
                    "operand": self.operand(),
                    "u": self.tape["u"],
                    **memory_weights,
                    **updated,
                    **(slots if adjoint else {}),
                },
                numbers={
                    "input_size": x.shape[2],
                    "channels": self.channels,
                    "order": self.memory.order,
                    "first_step": first,
                    "step_ratio_stride": 0 if step_ratios is None else step_ratios.shape[1],
                    "gated": len(self.w_in) > self.hidden_size,
                    "reads_hidden": bool(memory_weights),
                    "alpha": alpha,
                },
            )
        )
        self.small_gradients = tuple(slot.sum(0) for slot in slots.values())

    def memory_weights(self) -> dict[str, Tensor]:
        """Return the weights by which u depends on the memory, for the compiled form."""
        return {}

    def input_gradient(self, x: Tensor) -> Tensor:
        """Return the gradient of the inputs x (T, B, C): through z and through u."""
        return super().input_gradient(x) + self.tape["u"] @ self.u_in  # (T, B, C)
