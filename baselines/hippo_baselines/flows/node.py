"""A flow over a whole sequence as one node of the autograd graph."""

import torch
from torch import Tensor

from hippo.nn.engine.first_derivative import first_derivative_only
from hippo_baselines.flows import compiled_form
from hippo_baselines.flows.equation import Equation, Inputs, Weights
from hippo_baselines.flows.torch_form import TorchFlow


def solve_flow(equation: Equation, inputs: Inputs, weights: Weights, every_step: bool) -> Tensor:
    """Solve the equation from input to input with fixed steps.

    Parameters
    ----------
    equation : Equation
        Functions and rule.
    inputs : Inputs
        Initial state, path and inputs of the GRU; shapes as in `Inputs`.
    weights : Weights
        Weights; shapes as in `Weights`.
    every_step : bool
        Return the hidden state after every input, not only that after the last one.

    Returns
    -------
    Tensor, shape (batch, hidden), or (length, batch, hidden) if `every_step`
    """
    # Inside `_Flow.forward` gradients are always disabled, and `needs_input_grad` is set even under `no_grad`.
    return _Flow.apply(equation, every_step, torch.is_grad_enabled(), *inputs, *weights)


class _Flow(torch.autograd.Function):
    @staticmethod
    def forward(ctx, equation, every_step, grad_enabled, state, controls, x, *weights):
        inputs, weights = Inputs(state, controls, x), Weights(*weights)
        keep = grad_enabled and any(ctx.needs_input_grad)
        form = compiled_form.CompiledFlow if compiled_form.serves(equation, inputs, weights) else TorchFlow
        ctx.flow, ctx.every_step = form(equation, inputs, weights, keep), every_step
        ctx.save_for_backward(*(tensor for tensor in (*inputs, *weights) if tensor is not None))
        return ctx.flow.forward(every_step)

    @staticmethod
    @first_derivative_only
    def backward(ctx, grad):
        ctx.saved_tensors  # noqa: B018 -- raises if an input or a weight was changed in place since `forward`
        gradients = ctx.flow.backward(grad, ctx.every_step, needs_x=ctx.needs_input_grad[5])
        return None, None, None, gradients.state, gradients.controls, gradients.x, *gradients.weights
