"""A flow and its adjoint as one compiled call each: float32 on a CPU (csrc/cells/flow_cell.hpp).

Letters in shape comments are those of `equation`.
"""

import torch
from torch import Tensor

from hippo.nn.engine import compiled
from hippo.nn.engine.recurrence import Buffers
from hippo.nn.engine.tape import acquire, release
from hippo_baselines.flows.equation import Equation, Gradients, Inputs, Weights, input_count


def serves(equation: Equation, inputs: Inputs, weights: Weights) -> bool:
    """Return True if the compiled form computes this flow: float32 on a CPU with compiled kernels."""
    return inputs.controls.dtype == torch.float32 and compiled.serves(
        equation.kernel, torch.float32, weights.inner_weight
    )


class CompiledFlow:
    """One flow over a whole sequence; parameters and methods are those of `TorchFlow`."""

    def __init__(self, equation: Equation, inputs: Inputs, weights: Weights, keep: bool):
        self.equation, self.inputs, self.weights, self.keep = equation, inputs, weights, keep
        self.steps = input_count(equation, inputs)
        self.batch, self.hidden_size = inputs.state.shape
        self.tape: dict[str, Tensor] | None = None

    def forward(self, every_step: bool) -> Tensor:
        """Return the hidden states after every input (L, B, H), or after the last one (B, H)."""
        state = self.inputs.state.clone(memory_format=torch.contiguous_format)
        hidden = state.new_empty(self.steps, *state.shape) if every_step else None
        self.tape = acquire(self._layout(), state.device)
        self._run(backward=False, h=state, hidden=hidden)
        if not self.keep:
            self._release()
        return state if hidden is None else hidden

    def backward(self, grad: Tensor, every_step: bool, needs_x: bool) -> Gradients:
        """Return all gradients; arguments are those of `TorchFlow.backward`."""
        if self.tape is None:  # a second backward pass: the tape may belong to another flow by now
            self.forward(every_step=False)
        state = grad.new_zeros(self.batch, self.hidden_size)
        if not every_step:
            state.copy_(grad)
        slots = torch.get_num_threads()  # every thread sums the gradients of the weights over its samples
        weights = {f"grad_{name}": grad.new_zeros(slots, *shape) for name, shape in self._transposed_shapes().items()}
        grad_controls = grad.new_empty(self.inputs.controls.shape)
        grad_x = grad.new_empty(self.inputs.x.shape) if needs_x else None
        self._run(
            backward=True,
            h=state,
            grad_hidden=grad if every_step else None,
            grad_controls=grad_controls,
            grad_x=grad_x,
            **weights,
        )
        self._release()
        return Gradients(state, grad_controls, grad_x, self._sum_and_transpose(*weights.values()))

    def _layout(self) -> Buffers:
        """Return shape and dtype of the buffers of the tape."""
        weights, evaluations, inputs = self.weights, len(self.inputs.controls), self.steps
        if not self.keep:
            evaluations, inputs = min(evaluations, 1), 1
        shapes = {
            "states": (evaluations, self.batch, self.hidden_size),
            "inner": (evaluations, self.batch, len(weights.inner_weight)),
            "outer": (evaluations, self.batch, weights.outer_bias.numel()),
        }
        if weights.w_in is not None:
            shapes["flowed"] = (inputs, self.batch, self.hidden_size)
            shapes["z"] = (inputs, self.batch, len(weights.w_in))
        return {name: (shape, torch.float32) for name, shape in shapes.items()}

    def _release(self) -> None:
        release(self.tape)
        self.tape = None

    def _transposed_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the transposed weights, in the order of `Weights`."""
        weights = self.weights
        field_size = len(weights.inner_weight)
        shapes = {
            "inner_weight": (self.hidden_size, field_size),
            "inner_bias": (field_size,),
            "outer_weight": (field_size, weights.outer_bias.numel()),
            "outer_bias": (weights.outer_bias.numel(),),
        }
        if weights.w_in is not None:
            shapes["w_in"], shapes["w_rec"] = weights.w_in.shape[::-1], weights.w_rec.shape[::-1]
        return shapes

    def _sum_and_transpose(self, *gradients: Tensor) -> Weights:
        """Return the gradients of the weights from those of the transposed weights of all threads (slots, ...)."""
        pairs = zip(gradients, self.weights, strict=False)  # no gradients of a GRU where there is none
        return Weights(*(gradient.sum(0).t().reshape(weight.shape) for gradient, weight in pairs))

    def _run(self, backward: bool, **updated: Tensor | None) -> None:
        weights, inputs = self.weights, self.inputs
        compiled.run(
            compiled.CompiledCall(
                kernel=self.equation.kernel,
                backward=backward,
                steps=self.steps,
                batch_size=self.batch,
                hidden_size=self.hidden_size,
                compute=torch.float32,
                tensors={
                    "tableau": self.equation.tableau.matrix(inputs.controls),
                    "controls": inputs.controls,
                    "x": inputs.x,
                    **weights._asdict(),
                    **self.tape,
                    **updated,
                },
                numbers={
                    "field_size": len(weights.inner_weight),
                    "channels": len(weights.outer_bias),
                    "substeps": self.equation.substeps,
                    "stages": self.equation.stages,
                    "input_size": 0 if inputs.x is None else inputs.x.shape[2],
                    "keep": self.keep,
                },
            )
        )
