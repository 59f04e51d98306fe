"""Interface between a cell and the engine: one step, its adjoint, and the activations that a step saves.

Letters in shape comments: T steps of a chunk, B samples, C input channels (the last one is the constant 1 of the
biases), H hidden units, Z rows of W_in, R rows of W_rec (the first R of the Z pre-activations have a recurrent
product), K columns of W_rec (the size of the operand).
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import hardshrink

from hippo.nn.engine import compiled
from hippo.nn.engine.phases import phase

# Numbers per block of input products that are computed in float32 before they are rounded to a bfloat16 tape. A block
# of this size (1 MB) stays in the processor's cache.
PRODUCT_BLOCK = 2**18

# Name of a buffer -> its shape and dtype.
Buffers = dict[str, tuple[tuple[int, ...], torch.dtype]]


class Recurrence:
    """One cell over one batch of sequences, in preallocated buffers.

    The pre-activations of every cell are z_t = W_in x_t + [W_rec s_t, 0]. Biases are the weights of a last input
    channel that is 1. The operand s_t is the previous hidden state or a memory.

    The tape holds the saved activations of all steps of a chunk: `z` (steps, batch, rows of W_in), `hidden`
    (steps + 1, batch, hidden) whose entry 0 is the state before the first step, and the buffers that a cell adds.
    Buffer `z` holds W_in x, then the activations, and in the backward pass the gradient of the pre-activations. The
    gradient of each weight is then one matrix product over the whole tape.

    The tape has dtype `compute`. The running states `state` and their gradients `grad` (dictionaries, hidden state
    under "h") exist for the current step only and have dtype `working`.

    A subclass defines `step` and `adjoint`, and where it needs them `buffers`, `states`, `operand` and
    `extra_gradients`.

    Parameters
    ----------
    hidden_size : int
        Hidden units H.
    compute : torch.dtype
        Type of matrix products and of the tape.
    w_in : Tensor, shape (Z, C)
        Weight of the inputs; its last column holds the biases.
    w_rec : Tensor, shape (R, K)
        Weight of the operand, R <= Z.
    *extra : Tensor
        Further weights of the cell.

    Attributes
    ----------
    kernel : str or None
        Name of the compiled function that computes `step` and `adjoint` of a whole chunk, if there is one.
    """

    kernel: str | None = None

    def __init__(self, hidden_size: int, compute: torch.dtype, w_in: Tensor, w_rec: Tensor, *extra: Tensor):
        self.hidden_size = hidden_size
        self.compute = compute
        self.working = w_in.dtype
        self.w_in, self.w_rec, self.extra = w_in, w_rec, extra
        self.rows = len(w_rec)
        # A gradient that decays over many steps ends as a subnormal number, and CPU products of subnormal numbers take
        # a hundred times longer. Gradients far above that limit are too small to change a weight: set them to zero.
        self.negligible = torch.finfo(compute).tiny ** 0.8
        self.is_compiled = compiled.serves(self.kernel, compute, w_in)
        if not self.is_compiled:
            self.arrange_weights()

    def arrange_weights(self) -> None:
        """Store both layouts of the recurrent weights once per sequence; a transposing product would do so per step."""
        self.forward_weight = self.w_rec.t().to(self.compute).contiguous()  # (K, R)
        self.backward_weight = self.w_rec.to(self.compute).contiguous()  # (R, K)

    # -- defined by each cell -----------------------------------------------------------------------------------

    def buffers(self, steps: int, batch: int) -> Buffers:
        """Return shape and dtype of the buffers on the tape besides `z` and `hidden`."""
        return {}

    def states(self, batch: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the running states besides `h` (batch, hidden)."""
        return {}

    def step(self, t: int, k: int) -> None:
        """Update the running states by one step and save its activations.

        Parameters
        ----------
        t : int
            Index of the step in the tape. `tape["z"][t]` (B, Z) holds W_in x_t.
        k : int
            Index of the step in the sequence.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define step(t, k)")

    def adjoint(self, t: int, k: int) -> None:
        """Turn the gradients of the states after a step into those before it.

        Also replaces the activations in `tape["z"][t]` by the gradient of the pre-activations.

        Parameters
        ----------
        t, k : int
            Index of the step in the tape and in the sequence.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define adjoint(t, k)")

    def operand(self) -> Tensor:
        """Return the operands of all steps (T, B, K); by default the previous hidden states."""
        return self.tape["hidden"][:-1]

    def hidden(self) -> Tensor:
        """Return the hidden states after every step of the chunk (T, B, H), valid after `forward`."""
        return self.tape["hidden"][1:]

    def extra_gradients(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the gradients of `extra`, valid after `backward`; x (T, B, C) are the inputs of the chunk."""
        return ()

    # -- buffers ------------------------------------------------------------------------------------------------

    def layout(self, steps: int, batch: int) -> Buffers:
        """Return shape and dtype of every buffer. First dimension steps + 1: entry 0 precedes the first step."""
        z, hidden = (steps, batch, len(self.w_in)), (steps + 1, batch, self.hidden_size)
        return {"z": (z, self.compute), "hidden": (hidden, self.compute), **self.buffers(steps, batch)}

    def start(self, batch: int, initial: Sequence[Tensor] = ()) -> None:
        """Set the states before the first step: `h` and those of `states` to copies of `initial`, or to zero."""
        self.state = self._filled(batch, initial)

    def start_adjoint(self, batch: int, final: Sequence[Tensor] = ()) -> None:
        """Set the gradients of the states after the last step to copies of `final`, or to zero."""
        self.grad = self._filled(batch, final)

    def _filled(self, batch: int, values: Sequence[Tensor]) -> dict[str, Tensor]:
        """New contiguous tensors, because the steps update states in place."""
        shapes = {"h": (batch, self.hidden_size), **self.states(batch)}
        if not values:
            return {name: self.w_in.new_zeros(shape) for name, shape in shapes.items()}
        if len(values) != len(shapes):
            raise ValueError(f"{len(values)} states are given; expected {len(shapes)}: {', '.join(shapes)}")
        pairs = zip(shapes.items(), values, strict=True)
        return {name: self.w_in.new_empty(shape).copy_(value.reshape(shape)) for (name, shape), value in pairs}

    # -- a chunk of consecutive steps ---------------------------------------------------------------------------

    def forward(self, x: Tensor, tape: dict[str, Tensor], first: int) -> None:
        """Run the steps of one chunk.

        Parameters
        ----------
        x : Tensor, shape (T, B, C)
            Inputs of steps `first`, `first` + 1, ... of the sequence.
        tape : dict of Tensor
            Buffers of `layout(T, B)`; overwritten.
        first : int
            Index in the sequence of the chunk's first step.
        """
        self.tape = tape
        self.precompute_input_projections(x)
        if self.is_compiled:
            self.run_compiled(x, first, self.state, adjoint=False)
            return
        for t in range(len(x)):
            self.step(t, first + t)

    def backward(self, x: Tensor, grad_hidden: Tensor | None, tape: dict[str, Tensor], first: int) -> None:
        """Run the adjoint of one chunk, last step first, after `forward` of the same chunk.

        Parameters
        ----------
        x : Tensor, shape (T, B, C)
            Inputs of the chunk.
        grad_hidden : Tensor, shape (T, B, H), or None
            Gradient of the loss with respect to the hidden state of each step; added to `grad["h"]` step by step.
        tape : dict of Tensor
            The tape that `forward` wrote; overwritten.
        first : int
            Index in the sequence of the chunk's first step.
        """
        self.tape = tape
        if self.is_compiled:
            self.run_compiled(x, first, {**self.grad, "grad_hidden": grad_hidden}, adjoint=True)
            return
        for t in reversed(range(len(x))):
            if grad_hidden is not None:
                self.grad["h"] += grad_hidden[t]
            self.grad = {name: hardshrink(grad, self.negligible) for name, grad in self.grad.items()}
            self.adjoint(t, first + t)

    def run_compiled(self, x: Tensor, first: int, updated: Mapping[str, Tensor | None], adjoint: bool) -> None:
        """Run `step` or `adjoint` for a whole chunk in one compiled call, which updates the tensors in `updated`."""
        extra = self.extra[0] if self.extra else None
        compiled.run(
            compiled.CompiledCall(
                kernel=self.kernel,
                backward=adjoint,
                steps=len(x),
                batch_size=x.shape[1],
                hidden_size=self.hidden_size,
                compute=self.compute,
                tensors={"w_rec": self.w_rec, "extra": extra, **updated, **self.tape},
                numbers={"negligible": self.negligible},
            )
        )

    def precompute_input_projections(self, x: Tensor) -> None:
        """Write W_in x of all steps, and the states before the first step, to the tape."""
        self.input_product(x, self.w_in, self.tape["z"])
        self.save_initial_states()

    def save_initial_states(self) -> None:
        """Write the states before the first step to the tape, as far as the tape holds them."""
        self.tape["hidden"][0].copy_(self.state["h"])

    def gradients(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the chunk's gradients of (w_in, w_rec, *extra) for inputs x (T, B, C). Call after `backward`."""
        z = self.tape["z"]  # (T, B, Z)
        operand = self.operand()  # (T, B, K)
        return (
            self.outer(z, x),  # (Z, C)
            self.outer(z[..., : self.rows], operand),  # (R, K)
            *self.extra_gradients(x),
        )

    def input_gradient(self, x: Tensor) -> Tensor:
        """Return the gradient of the inputs x (T, B, C). Call after `backward`."""
        grad = self.tape["z"].flatten(0, 1) @ self.w_in.to(self.compute)  # (T*B, C)
        return grad.to(self.working).view_as(x)  # (T, B, C)

    # -- products -----------------------------------------------------------------------------------------------

    @phase("input product")
    def input_product(self, x: Tensor, weight: Tensor, out: Tensor) -> None:
        """Compute out (T, B, rows) = x (T, B, C) @ weight (rows, C).T in dtype `working`."""
        if out.dtype == self.working:
            torch.mm(x.flatten(0, 1), weight.t(), out=out.flatten(0, 1))  # (T*B, rows)
            return
        steps = max(1, PRODUCT_BLOCK // out[0].numel())
        product = weight.new_empty(min(steps, len(x)) * out.shape[1], out.shape[2])  # (steps*B, rows)
        for x_block, out_block in zip(x.split(steps), out.split(steps), strict=True):
            flat = x_block.flatten(0, 1)  # (steps*B, C)
            out_block.copy_(torch.mm(flat, weight.t(), out=product[: len(flat)]).view_as(out_block))

    @phase("weight gradient")
    def outer(self, left: Tensor, right: Tensor) -> Tensor:
        """Sum left[t, b] right[t, b]^T over steps and samples: (T, B, m), (T, B, n) -> (m, n), dtype `working`."""
        left, right = left.flatten(0, 1), right.flatten(0, 1).to(left.dtype)  # (T*B, m), (T*B, n)
        if self.is_compiled and compiled.has_weight_gradient(left, right):
            return compiled.weight_gradient(left, right)
        # With few columns on the right the libraries are up to fifteen times slower than with few on the left.
        product = left.t() @ right if left.shape[1] <= right.shape[1] else (right.t() @ left).t().contiguous()
        return product.to(self.working)  # (m, n)

    def add_recurrent_product(self, z: Tensor, operand: Tensor) -> None:
        """Add W_rec operand to the first R pre-activations: z (B, Z), operand (B, K)."""
        z[:, : self.rows].addmm_(operand, self.forward_weight)

    def operand_gradient(self, grad_z: Tensor) -> Tensor:
        """Return the gradient of the operand (B, K) from that of the pre-activations (B, Z), dtype `compute`."""
        return grad_z[:, : self.rows] @ self.backward_weight
