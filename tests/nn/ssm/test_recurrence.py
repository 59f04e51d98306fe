"""The recurrent form: equal to the convolution for every variant, before and after training."""

import pytest
import torch

from hippo.nn import S4
from hippo.nn.parameter_groups import parameter_groups
from hippo.nn.ssm import recurrence
from tests.nn.ssm.systems import VARIANTS, discrete_system, variables

double = torch.float64


def layer(measure="legs", rule="bilinear", dtype=double, **options):
    options = {"dt_min": 0.01, "dt_max": 0.3, "state_size": 8, **options}
    return S4(6, measure=measure, discretization=rule, dtype=dtype, **options).eval()


def stepped(layer, inputs):
    state, outputs = layer.initial_state(len(inputs)), []
    for u in inputs.unbind(1):
        y, state = layer.step(u, state)
        outputs.append(y)
    return torch.stack(outputs, 1), state


def train(layer, steps=5):
    """A few steps of an optimizer with learning rates that move every part."""
    optimizer = torch.optim.AdamW(parameter_groups(layer.train(), 0.01))
    for group in optimizer.param_groups:
        group["lr"] = 0.01
    for _ in range(steps):
        inputs = torch.randn(2, 40, 6, dtype=layer.D.dtype)
        optimizer.zero_grad()
        (layer(inputs) - inputs.roll(3, 1)).square().mean().backward()
        optimizer.step()
    return layer.eval()


@pytest.mark.parametrize("dtype, state_size, bound", [(double, 8, 1e-10), (torch.float32, 8, 1e-5), (None, 64, 1e-5)])
@pytest.mark.parametrize("measure, rule", VARIANTS)
def test_stepping_equals_the_convolution(measure, rule, dtype, state_size, bound):
    inputs = torch.randn(2, 200, 6, dtype=dtype)
    model = layer(measure, rule, dtype, state_size=state_size)
    for is_trained in (False, True):
        model = train(model) if is_trained else model
        with torch.no_grad():
            outputs, (recurrent, _) = model(inputs), stepped(model, inputs)
        torch.testing.assert_close(recurrent, outputs, atol=bound, rtol=0)


@pytest.mark.parametrize("measure, rule", VARIANTS)
def test_a_scan_equals_single_steps(measure, rule):
    """From any state, over whole blocks and part of one."""
    system = discrete_system(measure, rule)
    inputs, skip = torch.randn(2, 2 * recurrence.BLOCK + 5, 3, dtype=double), torch.randn(3, dtype=double)
    state = torch.randn(2, 3, 4, dtype=torch.complex128)
    outputs, end = recurrence.scan(inputs, state, system, skip)
    for k, u in enumerate(inputs.unbind(1)):
        y, state = recurrence.step(u, state, system, skip)
        torch.testing.assert_close(outputs[:, k], y, atol=1e-11, rtol=0)
    torch.testing.assert_close(end, state, atol=1e-11, rtol=0)


def test_the_decay_over_a_block_is_rounded_once():
    """Both parts of a complex number in float32, by half of its eps; products of the powers would add up to 64."""
    system = discrete_system("diag_lin", "zoh")
    system = type(system)(*(tensor.to(torch.complex64) for tensor in system))
    decay = recurrence.BlockTables(system, recurrence.BLOCK).decay
    exact = system.a.to(torch.complex128).unsqueeze(2) ** torch.arange(recurrence.BLOCK + 1)
    error = (decay - exact).abs() / exact.abs()
    assert decay.dtype == torch.complex64 and error.max() < 0.5001 * torch.finfo(torch.float32).eps


@pytest.mark.parametrize("measure, rule", [("legt", "bilinear"), ("diag_lin", "zoh")])
def test_gradients(measure, rule, monkeypatch):
    monkeypatch.setattr(recurrence, "BLOCK", 2)
    leaves = variables(discrete_system(measure, rule, features=1, state_size=4))
    inputs = torch.randn(2, 5, 1, dtype=double, requires_grad=True)
    state = torch.randn(2, 1, 2, dtype=torch.complex128, requires_grad=True)
    skip, lengths = torch.randn(1, dtype=double, requires_grad=True), torch.tensor([5, 3])

    def scan(inputs, state, skip, *tensors):
        return recurrence.scan(inputs, state, type(discrete_system())(*tensors), skip, lengths)

    assert torch.autograd.gradcheck(scan, (inputs, state, skip, *leaves))


@pytest.mark.parametrize("cut", [1, 64, 100])
@pytest.mark.parametrize("measure, rule", [("legs", "bilinear"), ("legt", "bilinear"), ("diag_inv", "zoh")])
def test_chunks_equal_the_whole(measure, rule, cut):
    model, inputs = layer(measure, rule), torch.randn(2, 170, 6, dtype=double)
    first, state = model(inputs[:, :cut], return_state=True)
    second, state = model(inputs[:, cut:], state=state, return_state=True)
    torch.testing.assert_close(torch.cat([first, second], 1), model(inputs), atol=1e-10, rtol=0)
    torch.testing.assert_close(state, stepped(model, inputs)[1], atol=1e-10, rtol=0)


def test_the_gradient_passes_through_chunks():
    model, inputs = layer("legs"), torch.randn(2, 30, 6, dtype=double)
    first, state = model(inputs[:, :11], return_state=True)
    second = model(inputs[:, 11:], state=state)
    chunked = torch.autograd.grad(torch.cat([first, second], 1).square().sum(), list(model.parameters()))
    whole = torch.autograd.grad(model(inputs).square().sum(), list(model.parameters()))
    for got, want in zip(chunked, whole, strict=True):
        torch.testing.assert_close(got, want, atol=1e-9, rtol=1e-9)


def test_the_state_is_that_after_the_last_true_input():
    model, inputs = layer("legt"), torch.randn(4, 150, 6, dtype=double)
    lengths = torch.tensor([150, 64, 100, 1])
    padded = inputs.clone()
    for sample, length in enumerate(lengths.tolist()):
        padded[sample, length:] = torch.nan
    outputs, states = model(padded, lengths, return_state=True)
    for sample, length in enumerate(lengths.tolist()):
        alone, state = model(inputs[sample : sample + 1, :length], return_state=True)
        torch.testing.assert_close(outputs[sample : sample + 1, :length], alone, atol=1e-11, rtol=0)
        torch.testing.assert_close(states[sample : sample + 1], state, atol=1e-11, rtol=0)
