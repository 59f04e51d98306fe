"""Gradients of layers with fixed A and B, which follow from the impulse response, against the graph of the rule."""

import pytest
import torch

from hippo import kernels
from hippo.nn import S4
from hippo.nn.ssm.compiled_convolution import response
from hippo.nn.ssm.step_gradient import with_step_gradient
from tests.nn.ssm.systems import VARIANTS, state_space

double = torch.float64
COMPILED = [name for name in kernels.runnable() if name != "torch" and "+" not in name]
BILINEAR = [measure for measure, rule in VARIANTS if rule == "bilinear"]

pytestmark = pytest.mark.skipif(not COMPILED, reason="the kernels are not compiled")


@pytest.mark.parametrize("measure", BILINEAR)
def test_derivative_of_a_response(measure):
    """The identity itself, against the graph of the discretization, with two channels and any rate."""
    space = state_space(measure, channels=2, frozen=("A", "B"))
    system, log_step = space.of_response(rate=1.5)
    grad, parameters = torch.randn(2, 40, 3, dtype=double), list(space.parameters())
    responses = response(system, 40, log_step), response(space.discretize(1.5), 40)
    both = [torch.autograd.grad((values * grad).sum(), parameters) for values in responses]
    for found, wanted in zip(*both, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)


def test_one_step():
    """K[0] = C Bbar, and Bbar = h / (1 - h a / 2) B for one state a."""
    log_step, a = torch.tensor([-1.0], dtype=double, requires_grad=True), -0.7
    h = log_step.exp()
    system = [(1 + h * a / 2) / (1 - h * a / 2), h / (1 - h * a / 2)]
    responses = torch.stack([system[1], system[0] * system[1]]).detach().unsqueeze(0)  # (1, 2, 1)
    with_step_gradient(responses, log_step).sum().backward()
    (wanted,) = torch.autograd.grad(system[1], log_step)
    torch.testing.assert_close(log_step.grad, wanted, rtol=1e-14, atol=0)


@pytest.mark.parametrize("name", COMPILED)
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"measure": "legs", "bidirectional": True},
        {"measure": "legt+fout", "n_ssm": 2, "frozen": ("A", "B", "D")},
        {"measure": "diag_inv", "discretization": "bilinear", "output": None},
        {"measure": "legs", "frozen": ("A", "B", "C")},
    ],
)
def test_gradients_of_a_layer(name, last, options):
    """Against PyTorch's forms, which go through the graph of the rule, in float64 and in float32."""
    model = S4(19, 8, dt_min=0.01, dt_max=0.3, dtype=double, **{"frozen": ("A", "B"), **options})
    inputs, weights = torch.randn(3, 150, 19, dtype=double), torch.randn(3, 150, 19, dtype=double)
    inputs.requires_grad_()

    def gradients(model, inputs):
        outputs = model.last(inputs) if last else model(inputs)
        loss = (outputs * (weights[:, -1] if last else weights)).sum()
        return torch.autograd.grad(loss, [inputs, *model.parameters()])

    with kernels.use("torch"):
        expected = gradients(model, inputs)
    with kernels.use(name):
        for found, wanted in zip(gradients(model, inputs), expected, strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)
        weights = weights.float()
        single = gradients(model.float(), inputs.detach().float().requires_grad_())
    for found, wanted in zip(single, expected, strict=True):
        limit = 150 * torch.finfo(torch.float32).eps * wanted.abs().max()  # a rounding of each power
        assert (found - wanted).abs().max() < limit


@pytest.mark.parametrize("name", COMPILED)
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rank", [0, 1, 2])
def test_outputs_alone_have_the_same_gradient(name, rank, channels):
    measure = ["diag_lin", "legs", "legt"][rank]
    space = state_space(measure, features=11, state_size=10, channels=channels)
    for length in (1, 2, 127, 128, 129, 300):
        system, grad = space.discretize(), torch.randn(channels, length, 11, dtype=double)
        constants = [part.detach() for part in system[:4]]
        c = system.c.detach().requires_grad_()
        with kernels.use(name):
            (wanted,) = torch.autograd.grad((response(system, length) * grad).sum(), system.c)
            alone = response(type(system)(*constants, c), length)
            (found,) = torch.autograd.grad((alone * grad).sum(), c)
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12 * length)


@pytest.mark.parametrize(
    "options",
    [
        {"measure": "diag_inv", "discretization": "zoh", "frozen": ("A", "B")},
        {"frozen": ("A",)},
        {"frozen": ("B",)},
        {"frozen": ("A", "B", "step")},
    ],
)
def test_other_layers_go_through_the_graph(options):
    assert state_space(**options).of_response() is None


def test_parts_that_are_fixed_later():
    space = state_space()
    assert space.of_response() is None
    for name in ("log_decay", "frequency", "P", "B"):
        getattr(space, name).requires_grad_(False)
    assert space.of_response() is not None
    with torch.no_grad():
        assert space.of_response() is None
