"""The compiled LegS cell against the same engine in float64, whose values the naive form vouches for."""

import pytest
import torch

from hippo.kernels import backend
from hippo.nn import build_model
from hippo.nn.engine import fused

pytestmark = pytest.mark.skipif(backend().compiled is None, reason=f"no compiled kernels: {backend().reason}")

# Sizes around the widths that the kernels pad to: vectors of 4, 8 and 16, tiles of 16 and 32.
CASES = [
    {"hidden_size": 37},
    {"hidden_size": 64, "order": 32},
    {"hidden_size": 5, "order": 1},
    {"hidden_size": 16, "order": 21, "memory_size": 3},
    {"hidden_size": 33, "order": 20, "gated": False},
    {"hidden_size": 40, "discretization": "backward"},
]


def run(options, timestamps, batch, precision="float32", dtype=torch.float32):
    """Hidden states, and all gradients in one vector."""
    torch.manual_seed(0)
    model = build_model("legs", 2, 3, timestamps=timestamps, engine={"precision": precision}, **options).to(dtype)
    inputs = torch.randn(batch, 40, 2).to(dtype).requires_grad_()
    times = torch.rand(batch, 40).sort(1).values.to(dtype) if timestamps else None
    hidden = model.cell(inputs, times, sequence=True)
    weights = torch.randn(batch, 40, options["hidden_size"]).to(dtype)
    grads = torch.autograd.grad((hidden * weights).sum(), [inputs, *model.cell.parameters()])
    return hidden.detach().double(), torch.cat([grad.double().flatten() for grad in grads])


def distance(got, want):
    return ((got - want).norm() / want.norm()).item()


@pytest.mark.parametrize("timestamps", [False, True])
@pytest.mark.parametrize("options", CASES, ids=str)
@pytest.mark.parametrize("batch", [1, 19, 33])
def test_float32_is_float64_up_to_rounding(options, timestamps, batch):
    want = run(options, timestamps, batch, dtype=torch.float64)
    got = run(options, timestamps, batch)
    # float32 rounds at 6e-8; over 40 steps errors of a few roundings remain in norm.
    assert distance(got[0], want[0]) < 1e-6 and distance(got[1], want[1]) < 1e-6


@pytest.mark.parametrize("timestamps", [False, True])
@pytest.mark.parametrize("options", CASES, ids=str)
def test_bfloat16_rounds_its_operands_only(options, timestamps):
    want = run(options, timestamps, 19, dtype=torch.float64)
    got = run(options, timestamps, 19, "bfloat16")
    # Operands and stored activations round at 2^-9 = 2e-3 each, independently.
    assert distance(got[0], want[0]) < 4e-3 and distance(got[1], want[1]) < 8e-3
    assert distance(got[0], want[0]) > 1e-5  # it is not float32 by mistake


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("threads", [2, 3, 8])
def test_the_share_of_a_thread_does_not_matter(precision, threads, monkeypatch):
    one = run({"hidden_size": 37}, False, 5, precision)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    many = run({"hidden_size": 37}, False, 5, precision)
    assert torch.equal(one[0], many[0])
    # Each thread sums up its samples' share of the small weights' gradients: other brackets, other rounding.
    assert distance(many[1], one[1]) < 1e-6


def test_serves_what_it_can_compute_only():
    def of(name, dtype, **options):
        model = build_model(name, 1, 2, hidden_size=4, **options).to(dtype)
        make = model.cell.recurrence(None)
        return fused.serves(make(4, dtype, *model.cell.weights()))

    assert of("legs", torch.float32)
    assert not of("legs", torch.float64)
    assert not of("lagt", torch.float32)


@pytest.mark.parametrize("magnitude", [1e-30, 1e-3, 1.0, 30.0, 1e4])
def test_saturated_and_tiny_pre_activations(magnitude):
    # The activations are the kernel's own polynomials: near zero and far out they must be as good as in between.
    torch.manual_seed(0)
    model = build_model("legs", 1, 2, hidden_size=50)
    with torch.no_grad():
        model.cell.candidate.weight.normal_().mul_(magnitude)
        model.cell.candidate.bias.zero_()
        model.cell.gate.weight.normal_().mul_(magnitude)
    inputs = torch.randn(7, 5, 1)
    hidden = model.cell(inputs, sequence=True)
    want = model.double().cell(inputs.double(), sequence=True)
    assert hidden.isfinite().all()
    # Pre-activations carry float32's rounding times their size, which the slope of tanh cannot enlarge.
    assert distance(hidden.double(), want) < 1e-6 * max(1.0, min(magnitude, 1e2))
