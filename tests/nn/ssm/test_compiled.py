"""The compiled forms of S4 layers against the recurrence in float64, with the kernels of every instruction set."""

import pytest
import torch

from hippo import kernels
from hippo.nn.ssm import compiled_convolution, compiled_scan, recurrence
from hippo.nn.ssm.discretization import DiscreteSystem
from hippo.nn.ssm.gated_linear import GatedLinear
from hippo.nn.ssm.side_by_side import join, samples_side_by_side, split

COMPILED = [name for name in kernels.runnable() if name != "torch" and "+" not in name]
# batch, length, features, states: odd batches, lengths that are no power of two, partly filled vectors, one step
SIZES = [
    *[(3, 137, 11, 5), (4, 100, 16, 32), (1, 65, 17, 3), (2, 300, 4, 2)],  # by transforms
    *[(3, 37, 11, 5), (2, 64, 8, 4), (1, 1, 3, 2), (2, 2, 5, 3), (5, 33, 33, 1)],  # directly
    *[(7, 70, 3, 2), (9, 40, 1, 3), (17, 66, 4, 2)],  # several samples side by side
]

pytestmark = pytest.mark.skipif(not COMPILED, reason="the kernels are not compiled")


def random_system(features, states, rank, channels):
    """A stable system whose states decay to a tenth over some twenty steps, in complex128."""
    complex_ = {"dtype": torch.complex128}
    decay = -0.5 * torch.rand(features, states, dtype=torch.float64) - 0.1
    a = torch.exp(torch.complex(decay / 3, torch.randn(features, states, dtype=torch.float64)))
    p = 0.1 * torch.randn(features, rank, states, **complex_) / states
    v = 0.3 * torch.randn(features, rank, states, **complex_)
    b, c = torch.randn(features, states, **complex_), torch.randn(channels, features, states, **complex_) / states
    return DiscreteSystem(a, p, v, b, c)


def responses(system, length):
    """The impulse responses (channels, features, length), step by step."""
    x, found = system.b, []
    for _ in range(length):
        found.append((system.c * x).sum(-1).real)
        t = (system.v * x.unsqueeze(1)).sum(-1, keepdim=True).real
        x = system.a * x + (system.p * t).sum(1)
    return torch.stack(found, -1)


def convolution(inputs, system, skip):
    """The outputs by sums over all lags."""
    length = inputs.shape[1]
    response = responses(system, length)
    lag = torch.arange(length).unsqueeze(1) - torch.arange(length)  # of output (row) and input (column)
    matrix = torch.where(lag >= 0, response[0][:, lag.clamp(min=0)], 0)  # (H, L, L)
    if len(response) == 2:
        matrix = matrix + torch.where(lag < 0, response[1][:, (-lag - 1).clamp(min=0)], 0)
    return torch.einsum("hij,bjh->bih", matrix, inputs) + skip * inputs


def in_type(tensors, dtype):
    """Leaves of an autograd graph, real ones of `dtype` and complex ones of its complex type."""
    complex_type = compiled_convolution.TYPES[dtype]
    return [t.detach().to(complex_type if t.is_complex() else dtype).requires_grad_() for t in tensors]


def bound(dtype, terms):
    """Relative to the largest entry: rounding of sums of so many products, and a logarithm of it in the transforms."""
    return 8 * torch.finfo(dtype).eps * terms**0.5


@pytest.mark.parametrize("name", COMPILED)
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rank", [0, 1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_outputs_and_gradients(name, dtype, rank, channels):
    torch.manual_seed(0)
    for batch, length, features, states in SIZES:
        system = random_system(features, states, rank, channels)
        inputs, grad = torch.randn(2, batch, length, features, dtype=torch.float64)
        values = (inputs, torch.randn(features, dtype=torch.float64), *system)
        exact, tested = in_type(in_type(values, dtype), torch.float64), in_type(values, dtype)
        expected = convolution(exact[0], DiscreteSystem(*exact[2:]), exact[1])
        expected.backward(grad.to(dtype).double())
        with kernels.use(name):
            outputs = compiled_convolution.convolve(tested[0], DiscreteSystem(*tested[2:]), tested[1])
            outputs.backward(grad.to(dtype))
        pairs = [(outputs, expected), *((t.grad, e.grad) for t, e in zip(tested, exact, strict=True))]
        for found, wanted in pairs:
            wanted = torch.zeros_like(found) if wanted is None else wanted  # one step uses neither a, p nor v
            scale = max(wanted.abs().max().item(), 1.0) if wanted.numel() else 1.0
            assert found.shape == wanted.shape
            assert torch.allclose(found.to(wanted.dtype), wanted, rtol=0, atol=scale * bound(dtype, batch * length))


@pytest.mark.parametrize("batch, features, count", [(7, 3, 5), (7, 4, 4), (2, 1, 2), (7, 16, 1), (7, 17, 1), (1, 3, 1)])
def test_samples_fill_a_cache_line(batch, features, count):
    inputs = torch.randn(batch, 6, features)
    assert samples_side_by_side(inputs) == count
    joined = join(inputs, count)
    assert joined.shape == (-(-batch // count), 6, count * features)
    assert torch.equal(joined[0, :, -features:], inputs[count - 1])
    assert torch.equal(split(joined, count, batch), inputs)


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_gradients_by_differences(rank):
    torch.manual_seed(0)
    system = random_system(3, 2, rank, 2)
    values = in_type((torch.randn(3, 9, 3), torch.randn(3), *system), torch.float64)
    assert torch.autograd.gradcheck(
        lambda inputs, skip, *parts: compiled_convolution.convolve(inputs, DiscreteSystem(*parts), skip), values
    )


@pytest.mark.parametrize("name", COMPILED)
@pytest.mark.parametrize("rank", [0, 1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scan_is_the_recurrence(name, dtype, rank):
    torch.manual_seed(0)
    for batch, length, features, states in SIZES:
        system = DiscreteSystem(*in_type(random_system(features, states, rank, 1), dtype))
        state = torch.randn(batch, features, states, dtype=compiled_convolution.TYPES[dtype])
        inputs, skip = torch.randn(batch, length, features, dtype=dtype), torch.randn(features, dtype=dtype)
        before = state.clone()
        with kernels.use(name), torch.no_grad():
            assert compiled_scan.serves(inputs, state, system, skip)
            outputs, after = compiled_scan.scan(inputs, state, system, skip)
            exact = DiscreteSystem(*(part.to(torch.complex128) for part in system))
            expected, x = [], state.to(torch.complex128)
            for step in range(length):
                y, x = recurrence.step(inputs[:, step].double(), x, exact, skip.double())
                expected.append(y)
        assert torch.equal(state, before)
        for found, wanted in ((outputs, torch.stack(expected, 1)), (after, x)):
            limit = wanted.abs().max().item() * bound(dtype, length)
            assert torch.allclose(found.to(wanted.dtype), wanted, rtol=0, atol=limit)


def test_same_bits_whatever_the_chunks():
    torch.manual_seed(0)
    system = DiscreteSystem(*(part.to(torch.complex64) for part in random_system(9, 6, 1, 1)))
    inputs, skip = torch.randn(2, 50, 9), torch.randn(9)
    state = torch.zeros(2, 9, 6, dtype=torch.complex64)
    whole, end = compiled_scan.scan(inputs, state, system, skip)
    parts = []
    for chunk in inputs.split(17, dim=1):
        outputs, state = compiled_scan.scan(chunk, state, system, skip)
        parts.append(outputs)
    assert torch.equal(torch.cat(parts, 1), whole)
    assert torch.equal(state, end)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads(threads, monkeypatch):
    torch.manual_seed(0)
    system = random_system(20, 4, 1, 2)
    inputs, skip = torch.randn(7, 30, 20, dtype=torch.float64), torch.randn(20, dtype=torch.float64)
    expected = in_type((inputs, skip, *system), torch.float64)
    convolution(expected[0], DiscreteSystem(*expected[2:]), expected[1]).square().sum().backward()
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    for _ in range(2):  # the same bits at the same number of threads
        found = in_type((inputs, skip, *system), torch.float64)
        compiled_convolution.convolve(found[0], DiscreteSystem(*found[2:]), found[1]).square().sum().backward()
        bits = [t.grad for t in found]
        assert all(
            torch.allclose(f.grad, e.grad, rtol=0, atol=e.grad.abs().max() * bound(torch.float64, 210))
            for f, e in zip(found, expected, strict=True)
        )
    again = in_type((inputs, skip, *system), torch.float64)
    compiled_convolution.convolve(again[0], DiscreteSystem(*again[2:]), again[1]).square().sum().backward()
    assert all(torch.equal(t.grad, b) for t, b in zip(again, bits, strict=True))


def test_no_step_and_no_sample():
    system = random_system(3, 2, 1, 1)
    skip = torch.ones(3, dtype=torch.float64)
    inputs = torch.zeros(0, 5, 3, dtype=torch.float64, requires_grad=True)
    outputs = compiled_convolution.convolve(inputs, system, skip)
    outputs.sum().backward()
    assert outputs.shape == inputs.grad.shape == (0, 5, 3)


@pytest.mark.parametrize("name", COMPILED)
def test_gelu_of_the_outputs(name):
    torch.manual_seed(0)
    system = random_system(11, 4, 1, 2)
    inputs, skip = torch.randn(3, 40, 11, dtype=torch.float64), torch.randn(11, dtype=torch.float64)
    exact, tested = (in_type((inputs, skip, *system), dtype) for dtype in (torch.float64, torch.float32))
    grad = torch.randn(3, 40, 11)
    expected = torch.nn.functional.gelu(convolution(exact[0], DiscreteSystem(*exact[2:]), exact[1]))
    expected.backward(grad.double())
    with kernels.use(name):
        outputs = compiled_convolution.convolve(tested[0], DiscreteSystem(*tested[2:]), tested[1], gelu=True)
        outputs.backward(grad)
    # GELU and its derivative add an absolute error of a few 1e-7 to the rounding of the convolution.
    for found, wanted in [(outputs, expected), *((t.grad, e.grad) for t, e in zip(tested, exact, strict=True))]:
        limit = max(wanted.abs().max().item(), 1.0) * (bound(torch.float32, 120) + 1e-6)
        assert torch.allclose(found.to(wanted.dtype), wanted, rtol=0, atol=limit)


@pytest.mark.parametrize("name", COMPILED)
@pytest.mark.parametrize("channels", [1, 7, 16, 40])
def test_gated_linear_map(name, channels):
    torch.manual_seed(0)
    tested = GatedLinear(channels)
    exact = torch.nn.Sequential(torch.nn.Linear(channels, 2 * channels), torch.nn.GLU()).double()
    exact[0].load_state_dict(tested.state_dict())
    inputs = torch.randn(3, 5, channels, requires_grad=True)
    inputs64 = inputs.detach().double().requires_grad_()
    with kernels.use(name):
        outputs = tested(inputs)
        outputs.square().sum().backward()
    expected = exact(inputs64)
    expected.square().sum().backward()
    pairs = [(outputs, expected), (inputs.grad, inputs64.grad)]
    pairs += [(tested.weight.grad, exact[0].weight.grad), (tested.bias.grad, exact[0].bias.grad)]
    for found, wanted in pairs:
        limit = max(wanted.abs().max().item(), 1.0) * bound(torch.float32, 15 * channels)
        assert torch.allclose(found.double(), wanted, rtol=0, atol=limit)
