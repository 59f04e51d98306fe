"""Layers whose gradients come from compiled kernels say that they have no second derivative."""

import pytest
import torch

from hippo.nn import S4, S4D, HiPPOLayer, build_model
from hippo.nn.engine.first_derivative import first_derivative_only
from hippo.nn.ssm.gated_linear import GatedLinear

MESSAGE = "first derivatives only"
LAYERS = {
    "engine": lambda: HiPPOLayer(3, 4, batch_first=True),
    "checkpointed": lambda: build_model("gru", 3, 2, hidden_size=4, engine={"checkpoint": True}).backbone,
    "s4": lambda: S4(3, state_size=4),
    "s4d": lambda: S4D(3, state_size=4),
    "gated linear": lambda: GatedLinear(3),
}


def first(outputs):
    return outputs[0] if isinstance(outputs, tuple) else outputs


@pytest.mark.parametrize("name", LAYERS)
def test_a_second_derivative_is_refused_also_of_a_sum(name):
    """The gradient of a sum is a constant, so PyTorch's own `once_differentiable` would let it pass as zero."""
    layer, inputs = LAYERS[name](), torch.randn(2, 5, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(first(layer(inputs)).sum(), inputs, create_graph=True)
    with pytest.raises(RuntimeError, match=MESSAGE):
        gradient.square().sum().backward()
    with pytest.raises(RuntimeError, match=MESSAGE):
        torch.autograd.functional.hessian(lambda values: first(layer(values)).sum(), inputs.detach())


@pytest.mark.parametrize("name", LAYERS)
def test_the_first_derivative_with_a_graph_is_that_without(name):
    layer, inputs = LAYERS[name](), torch.randn(2, 5, 3, requires_grad=True)
    gradients = [
        torch.autograd.grad(first(layer(inputs)).sum(), [inputs, *layer.parameters()], create_graph=graph,
                            allow_unused=True)
        for graph in (False, True)
    ]  # fmt: skip
    for without, with_graph in zip(*gradients, strict=True):
        assert (without is None) == (with_graph is None)
        assert without is None or torch.equal(without, with_graph)


@pytest.mark.parametrize("cell", ["gru", "lmu", "legs"])
def test_gradients_do_not_depend_on_the_autocast_of_the_backward_pass(cell):
    options = {"theta": 10.0} if cell == "lmu" else {}
    layer, inputs = HiPPOLayer(3, 8, cell=cell, batch_first=True, **options), torch.randn(2, 20, 3)
    found = []
    for enabled in (False, True):
        layer.zero_grad()
        loss = layer(inputs)[0].sum()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss.backward()
        found.append([parameter.grad for parameter in layer.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_a_function_without_several_gradients_is_refused_too():
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, value):
            ctx.save_for_backward(value)
            return 2 * value

        @staticmethod
        @first_derivative_only
        def backward(ctx, gradient):
            return 2 * gradient

    value = torch.ones((), requires_grad=True)
    (gradient,) = torch.autograd.grad(Double.apply(value), value, create_graph=True)
    assert gradient.item() == 2
    with pytest.raises(RuntimeError, match=MESSAGE):
        gradient.backward()
