"""What the engine needs to know of a cell: its step, the step's adjoint, and what a step leaves on the tape."""

import torch
from torch import Tensor
from torch.nn.functional import hardshrink

from hippo.nn.engine import compiled as fused

# Numbers of input products that pass at a time through float32 on their way to a bfloat16 tape: what a cache holds.
SLAB = 2**18

# Name of a buffer -> its shape and type.
Buffers = dict[str, tuple[tuple[int, ...], torch.dtype]]


class Recurrence:
    """One cell over one batch of sequences, in preallocated buffers.

    Every cell's pre-activations are z_t = W_in x_t + [W_rec s_t, 0], with biases as weights of a last input channel
    that is 1. The operand s_t is the previous hidden state or a memory. The tape holds, for all steps at once and
    in the compute type, z (steps, batch, rows of W_in): first W_in x, then the activations, then in the backward
    pass the gradient of z; `operand` (steps, batch, columns of W_rec) and `hidden` (steps + 1, batch, hidden),
    which may be one storage. Weight gradients are then single products over the whole tape.

    States and their gradients are in the working type (that of the inputs), always current, never per step.
    """

    kernel: str | None = None  # the compiled form of step and adjoint (`engine/fused.py`), if there is one

    def __init__(self, hidden_size: int, compute: torch.dtype, w_in: Tensor, w_rec: Tensor, *extra: Tensor):
        self.hidden_size = hidden_size
        self.compute = compute
        self.working = w_in.dtype
        self.w_in, self.w_rec, self.extra = w_in, w_rec, extra
        self.rows = len(w_rec)
        # Gradients that fade over many steps end as subnormal numbers, on which a CPU's products run a hundred
        # times slower. What is this small changes no weight: zero it well before.
        self.negligible = torch.finfo(compute).tiny ** 0.8
        self.fused = fused.serves(self)
        if not self.fused:
            self.lay_out()

    def lay_out(self) -> None:
        """Both layouts of the weights, once per sequence: a product that has to transpose does so every step."""
        self.forward_weight = self.w_rec.t().to(self.compute).contiguous()
        self.backward_weight = self.w_rec.to(self.compute).contiguous()

    # -- what each cell defines ---------------------------------------------------------------------------------

    def buffers(self, steps: int, batch: int) -> Buffers:
        """What the tape holds besides `z` and `hidden`."""
        return {}

    def states(self, batch: int) -> dict[str, tuple[int, ...]]:
        """Shapes of the running states besides `h` (batch, hidden)."""
        return {}

    def step(self, t: int, k: int) -> None:
        """Advance the states over step `t` of the tape, which is step `k` of the sequence."""
        raise NotImplementedError

    def adjoint(self, t: int, k: int) -> None:
        """From gradients of the states after step `t` to those before it; leaves the gradient of z on the tape."""
        raise NotImplementedError

    def operand(self) -> Tensor:
        """The operands of all steps (steps, batch, columns of W_rec); the previous hidden states unless told."""
        return self.tape["hidden"][:-1]

    def hidden(self) -> Tensor:
        """Hidden states after every step of a stretch just run forward (steps, batch, hidden)."""
        return self.tape["hidden"][1:]

    def extra_gradients(self, x: Tensor) -> tuple[Tensor, ...]:
        """Gradients of `extra` from the tape after its backward pass."""
        return ()

    # -- buffers ------------------------------------------------------------------------------------------------

    def layout(self, steps: int, batch: int) -> Buffers:
        """Everything on the tape. A first dimension of `steps` + 1 includes what was before the first step."""
        z, hidden = (steps, batch, len(self.w_in)), (steps + 1, batch, self.hidden_size)
        return {"z": (z, self.compute), "hidden": (hidden, self.compute), **self.buffers(steps, batch)}

    def start(self, batch: int) -> None:
        """Zero states, as before the first step."""
        shapes = {"h": (batch, self.hidden_size), **self.states(batch)}
        self.state = {name: self.w_in.new_zeros(shape) for name, shape in shapes.items()}

    def start_adjoint(self, batch: int) -> None:
        """Zero gradients of the states, as after the last step."""
        shapes = {"h": (batch, self.hidden_size), **self.states(batch)}
        self.grad = {name: self.w_in.new_zeros(shape) for name, shape in shapes.items()}

    # -- a stretch of consecutive steps -------------------------------------------------------------------------

    def forward(self, x: Tensor, tape: dict[str, Tensor], first: int) -> None:
        """Advance over inputs `x` (steps, batch, channels), steps `first`, `first` + 1, ... of the sequence."""
        self.tape = tape
        self.hoist(x)
        if self.fused:
            return self.compiled(x, first, self.state, adjoint=False)
        for t in range(len(x)):
            self.step(t, first + t)

    def backward(self, x: Tensor, grad_hidden: Tensor | None, tape: dict[str, Tensor], first: int) -> None:
        """The adjoint of `forward`; grad_hidden (steps, batch, hidden) or None is added as it comes by."""
        self.tape = tape
        if self.fused:
            return self.compiled(x, first, {**self.grad, "grad_hidden": grad_hidden}, adjoint=True)
        for t in reversed(range(len(x))):
            if grad_hidden is not None:
                self.grad["h"] += grad_hidden[t]
            self.grad = {name: hardshrink(grad, self.negligible) for name, grad in self.grad.items()}
            self.adjoint(t, first + t)

    def compiled(self, x: Tensor, first: int, updated: dict[str, Tensor | None], adjoint: bool) -> None:
        """`step` or `adjoint` of all steps in one call, which writes the `updated` states or their gradients."""
        weights = {"extra": self.extra[0] if self.extra else None}
        fused.run(self, len(x), updated, adjoint, {"negligible": self.negligible}, weights)

    def hoist(self, x: Tensor) -> None:
        """Onto the tape: all steps' input products, and the states before the first step."""
        self.input_product(x, self.w_in, self.tape["z"])
        self.remember()

    def remember(self) -> None:
        """Onto the tape: the states before the first step, as far as it holds them."""
        self.tape["hidden"][0].copy_(self.state["h"])

    def gradients(self, x: Tensor) -> tuple[Tensor, ...]:
        """This stretch's gradients of (w_in, w_rec, *extra), one large product each, in the working type."""
        z = self.tape["z"]
        operand = self.operand()
        return (
            self.outer(z, x),
            self.outer(z[..., : self.rows], operand),
            *self.extra_gradients(x),
        )

    def input_gradient(self, x: Tensor) -> Tensor:
        """Gradient of the inputs (steps, batch, channels)."""
        return (self.tape["z"].flatten(0, 1) @ self.w_in.to(self.compute)).to(self.working).view_as(x)

    # -- products -----------------------------------------------------------------------------------------------

    def input_product(self, x: Tensor, weight: Tensor, out: Tensor) -> None:
        """out (steps, batch, rows) = x @ weight.T, computed in the working type."""
        if out.dtype == self.working:
            torch.mm(x.flatten(0, 1), weight.t(), out=out.flatten(0, 1))
            return
        steps = max(1, SLAB // out[0].numel())
        product = weight.new_empty(min(steps, len(x)) * out.shape[1], out.shape[2])
        for part, slab in zip(x.split(steps), out.split(steps), strict=True):
            rows = part.flatten(0, 1)
            slab.copy_(torch.mm(rows, weight.t(), out=product[: len(rows)]).view_as(slab))

    def outer(self, left: Tensor, right: Tensor) -> Tensor:
        """Sum over steps and samples of left ⊗ right, (left columns, right columns), in the working type."""
        left, right = left.flatten(0, 1), right.flatten(0, 1).to(left.dtype)
        # With few columns on the right the libraries are up to fifteen times slower than with few on the left.
        product = left.t() @ right if left.shape[1] <= right.shape[1] else (right.t() @ left).t().contiguous()
        return product.to(self.working)

    def recur(self, z: Tensor, operand: Tensor) -> None:
        """z[:, rows of W_rec] += operand @ W_rec.T"""
        z[:, : self.rows].addmm_(operand, self.forward_weight)

    def pull_back(self, grad_z: Tensor) -> Tensor:
        """grad_z[:, rows of W_rec] @ W_rec, the gradient of the operand, in the compute type."""
        return grad_z[:, : self.rows] @ self.backward_weight
