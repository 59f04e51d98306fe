"""Gradients of layers with fixed A and B, which follow from the impulse response, against the graph of the rule."""

import pytest
import torch

from hippo import kernels
from hippo.nn import S4
from hippo.nn.ssm.compiled_convolution import convolve, response
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
    system, log_step = space.discretize_without_steps(rate=1.5)
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
    """Against PyTorch's forms, which go through the graph of the rule."""
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


@pytest.mark.parametrize("measure", BILINEAR)
def test_float32(measure):
    """To rounding: a relative error eps of a, p, v and b is one of up to (l + 1) eps in the terms of K[l], which the
    derivative multiplies by up to l + 1."""
    space = state_space(measure, features=7, frozen=("A", "B"), dtype=torch.float32)
    exact = state_space(measure, features=7, frozen=("A", "B"))
    exact.load_state_dict({name: value.double() for name, value in space.state_dict().items()})
    grad, steps = torch.randn(1, 120, 7), torch.arange(1, 121, dtype=double)
    found, wanted = (
        torch.autograd.grad((response(system, 120, log_step) * grad).sum(), [tensors.C, tensors.log_step])
        for tensors in (space, exact)
        for system, log_step in [tensors.discretize_without_steps()]
    )
    states, terms = terms_of_response(exact.discretize(), 120)  # (L, H, n) and (L, H)
    eps, size = torch.finfo(torch.float32).eps, grad[0].abs().double()  # (L, H)
    limit = 8 * eps * torch.einsum("l,lh,lhn->hn", steps, size, states)  # C has a factor 2
    assert ((found[0] - wanted[0]).norm(dim=-1)[0] <= 2 * limit).all()
    assert ((found[1] - wanted[1]).abs() <= 8 * eps * (steps.square() @ (size * terms.amax(0)))).all()


def terms_of_response(system, length):
    """Absolute values of the states after an impulse (L, H, n), and of the terms that the response is the sum of."""
    x, states = system.b.detach(), []
    for _ in range(length):
        states.append(x.abs())
        t = (system.v * x.unsqueeze(1)).sum(-1, keepdim=True).real
        x = (system.a * x + (system.p * t).sum(1)).detach()
    states = torch.stack(states)
    return states, (states * system.c[0].detach().abs()).sum(-1)


def fixed(dtype=double, **options):
    return S4(5, 8, dt_min=0.01, dt_max=0.3, frozen=("A", "B"), dtype=dtype, **options)


def gradients_of(model, inputs):
    model.zero_grad()
    model(inputs).square().sum().backward()
    return [parameter.grad.clone() for parameter in model.parameters()]


def test_the_cache_of_eval_mode_is_not_used():
    """It may hold tensors of inference mode, or be older than a change through `data`."""
    model, inputs = fixed().eval(), torch.randn(2, 30, 5, dtype=double)
    with torch.inference_mode():
        model(inputs)
    gradients_of(model, inputs)
    with torch.no_grad():
        model(inputs)
    model.system.log_step.data.add_(0.5)
    found = gradients_of(model, inputs)
    model.train()
    for got, wanted in zip(found, gradients_of(model, inputs), strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=0)


def test_autocast_does_not_reach_the_gradient():
    model, inputs = fixed(torch.float32, output=None), torch.randn(2, 300, 5)
    wanted = gradients_of(model, inputs)
    with torch.autocast("cpu", torch.bfloat16):
        found = gradients_of(model, inputs)
    assert all(torch.equal(got, want) for got, want in zip(found, wanted, strict=True))


def test_a_fixed_part_may_require_a_gradient():
    model, inputs = fixed(), torch.randn(2, 30, 5, dtype=double)
    frequency = model.system.frequency.clone().requires_grad_()
    outputs = torch.func.functional_call(model, {"system.frequency": frequency}, (inputs,))
    assert torch.autograd.grad(outputs.sum(), frequency)[0].abs().max() > 0


@pytest.mark.parametrize("shape", [(0, 5, 5), (2, 0, 5)])
def test_no_inputs_have_gradients_of_zero(shape):
    space = state_space(features=5, frozen=("A", "B"))
    system, log_step = space.discretize_without_steps()
    outputs = convolve(torch.zeros(shape, dtype=double), system, torch.ones(5, dtype=double), False, log_step)
    outputs.sum().backward()
    assert outputs.shape == shape and not space.C.grad.any() and not space.log_step.grad.any()


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
    assert state_space(**options).discretize_without_steps() is None


def test_parts_that_are_fixed_later():
    space = state_space()
    assert space.discretize_without_steps() is None
    for name in ("log_decay", "frequency", "P", "B"):
        getattr(space, name).requires_grad_(False)
    parts, (system, log_step) = [space.log_step, space.C], space.discretize_without_steps()
    found = torch.autograd.grad(response(system, 20, log_step).sum(), parts)
    wanted = torch.autograd.grad(response(space.discretize(), 20).sum(), parts)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    with torch.no_grad():
        assert space.discretize_without_steps() is None
