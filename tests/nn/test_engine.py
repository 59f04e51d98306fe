"""The engine against the reference form of every cell: values, gradients, training, precision, checkpoints."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import hippo.nn.engine
from hippo import kernels
from hippo.kernels import backend
from hippo.nn import build_model
from hippo.nn.engine import tape, unroll
from hippo.nn.parameter_groups import parameter_groups
from tests.nn.cases import case_id, cases, extreme_cases, valid_size

double = torch.float64
BFLOAT16 = [name for name in kernels.runnable() if "+" in name]  # PyTorch, then compiled instruction sets


def build(case):
    """A float64 model with weights away from zeros, which would hide a wrong product."""
    name, options = case
    model = build_model(name, 2, 3, **{**options, "hidden_size": valid_size(name, 7)}).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return model


@pytest.fixture(params=cases(), ids=case_id)
def model(request):
    return build(request.param)


@pytest.fixture(params=extreme_cases(), ids=case_id)
def extreme_model(request):
    return build(request.param)


def gradients(loss, model, inputs):
    return torch.autograd.grad(loss, [inputs, *model.backbone.parameters()], retain_graph=True)


def test_equals_the_reference_form(model):
    inputs = torch.randn(4, 12, 2, dtype=double, requires_grad=True)
    expected, hidden = model.backbone.reference(inputs), model.backbone(inputs, sequence=True)
    weights = torch.randn_like(expected)
    # Rounding only: a dozen steps of numbers of order one in float64.
    torch.testing.assert_close(hidden, expected, atol=1e-12, rtol=1e-12)
    last = model.backbone(inputs)
    torch.testing.assert_close(last, expected[:, -1], atol=1e-12, rtol=1e-12)
    for got, want in (
        ((hidden * weights).sum(), (expected * weights).sum()),
        ((last * weights[:, 0]).sum(), (expected[:, -1] * weights[:, 0]).sum()),
    ):
        for g, w in zip(gradients(got, model, inputs), gradients(want, model, inputs), strict=True):
            torch.testing.assert_close(g, w, atol=1e-10, rtol=1e-10)


def test_training_equals_that_of_the_reference_form(model):
    other = copy.deepcopy(model)
    inputs, targets = torch.randn(5, 9, 2, dtype=double), torch.tensor([0, 1, 2, 0, 1])
    forms = (model, model.backbone), (other, lambda x: other.backbone.reference(x)[:, -1])
    for one, last in forms:
        # The larger eps keeps Adam from magnifying the rounding of gradients that are all but zero.
        optimizer = torch.optim.Adam(parameter_groups(one, 1e-2), eps=1e-4)
        for _ in range(4):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(one.decoder(last(inputs)), targets).backward()
            optimizer.step()
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-10, rtol=1e-10)


def test_gradcheck(model):
    names, parameters = zip(*model.backbone.named_parameters(), strict=True)

    def run(inputs, *values):
        return torch.func.functional_call(model.backbone, dict(zip(names, values, strict=True)), (inputs,))

    inputs = torch.randn(2, 3, 2, dtype=double, requires_grad=True)
    assert torch.autograd.gradcheck(run, (inputs, *parameters), fast_mode=True)


@pytest.mark.parametrize("sequence", [False, True])
@pytest.mark.parametrize("length", [1, 2, 15, 16, 17])
def test_checkpoints_change_rounding_only(extreme_model, sequence, length):
    model = extreme_model
    inputs = torch.randn(3, length, 2, dtype=double, requires_grad=True)
    plain = model.backbone(inputs, sequence=sequence)
    expected = gradients(plain.square().sum(), model, inputs)
    model.backbone.engine = model.backbone.engine.model_copy(update={"checkpoint": True})
    stored = model.backbone(inputs, sequence=sequence)
    torch.testing.assert_close(stored, plain, atol=1e-13, rtol=1e-13)
    for got, want in zip(gradients(stored.square().sum(), model, inputs), expected, strict=True):
        torch.testing.assert_close(got, want, atol=1e-11, rtol=1e-11)


def bfloat16(cell):
    cell.engine = cell.engine.model_copy(update={"precision": "bfloat16"})
    return cell


@pytest.mark.parametrize("name", [BFLOAT16[0], BFLOAT16[-1]])
def test_bfloat16_stays_near(model, name):
    """On the form of PyTorch, and on the fastest compiled one."""
    inputs = torch.randn(4, 12, 2)
    expected = model.backbone.reference(inputs.double())
    cell = bfloat16(model.float().backbone)
    with kernels.use(name):
        hidden = cell(inputs, sequence=True)
        hidden.square().sum().backward()
    assert hidden.dtype == torch.float32
    # bfloat16 rounds at 2^-9; over a dozen steps with weights of order one it stays within a few times that.
    assert 1e-5 * expected.norm() < (hidden - expected).norm() < 0.03 * expected.norm()
    assert all(p.grad.dtype == torch.float32 and p.grad.isfinite().all() for p in cell.parameters())


@pytest.mark.skipif(backend().compiled is None, reason="no compiled kernels")
def test_without_bfloat16_units_bfloat16_is_float32(extreme_model):
    cell, inputs = extreme_model.float().backbone, torch.randn(4, 12, 2)
    with kernels.use("baseline"):
        expected = cell(inputs)
        assert torch.equal(bfloat16(cell)(inputs), expected)


def test_evaluation_equals_training(model):
    inputs = torch.randn(3, 150, 2, dtype=double)
    with torch.no_grad():
        without = model.backbone(inputs, sequence=True)
    torch.testing.assert_close(without, model.backbone(inputs, sequence=True), atol=1e-12, rtol=1e-12)


def test_two_graphs_at_once_keep_their_own_tapes():
    model = build_model("gru", 2, 3, hidden_size=7).double()
    inputs = [torch.randn(3, 8, 2, dtype=double, requires_grad=True) for _ in range(2)]
    alone = [torch.autograd.grad(model(x).square().sum(), x)[0] for x in inputs]
    losses = [model(x).square().sum() for x in inputs]
    for loss, x, expected in zip(losses, inputs, alone, strict=True):
        assert torch.equal(torch.autograd.grad(loss, x)[0], expected)


def test_a_second_backward_pass_gives_the_same_gradient():
    model = build_model("lstm", 2, 3, hidden_size=7).double()
    inputs = torch.randn(3, 8, 2, dtype=double, requires_grad=True)
    loss = model(inputs).square().sum()
    first = torch.autograd.grad(loss, inputs, retain_graph=True)[0]
    assert torch.equal(torch.autograd.grad(loss, inputs)[0], first)


def test_spare_tapes_are_few():
    model = build_model("rnn", 2, 3, hidden_size=4)
    for length in range(2, 12):
        model(torch.randn(1, length, 2)).sum().backward()
    assert len(tape.spare_tapes) <= tape.TAPES_KEPT


def test_decayed_gradients_are_exactly_zero_and_not_subnormal():
    # Far from the loss the gradient of a contracting recurrence is smaller than any normal float. It must be zero
    # there, because arithmetic on subnormal numbers is a hundred times slower.
    model = build_model("rnn", 1, 2, hidden_size=16)
    with torch.no_grad():
        model.backbone.weight_hh.mul_(0.1)
    inputs = torch.randn(2, 400, 1, requires_grad=True)
    grad = torch.autograd.grad(model(inputs).sum(), inputs)[0].abs()
    assert (grad[:, -1] > 0).all() and not grad[:, :300].any()
    assert not ((grad > 0) & (grad < torch.finfo(torch.float32).tiny)).any()


@pytest.mark.slow
def test_length_100_000_trains_in_4_gigabytes():
    code = """
import resource, torch
torch.set_num_threads(1)
from hippo.nn import build_model
model = build_model("legs", 1, 2, hidden_size=64, engine={"checkpoint": True})
model(torch.randn(20, 100_000, 1)).sum().backward()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert int(done.stdout) < 4 << 20  # kilobytes


def test_evaluation_keeps_no_tape(extreme_model, monkeypatch):
    """Without gradients the tape has EVALUATION_CHUNK steps, even though the weights require gradients."""
    acquired = []

    def acquire(layout, device):
        acquired.append(layout["z"][0][0])
        return tape.acquire(layout, device)

    monkeypatch.setattr(unroll, "acquire", acquire)
    cell, chunk = extreme_model.backbone, unroll.EVALUATION_CHUNK
    inputs = torch.randn(2, 3 * chunk, 2, dtype=double)
    with torch.no_grad():
        cell(inputs)
    assert acquired == [chunk]
    cell(inputs)
    assert acquired == [chunk, 3 * chunk]


def test_training_after_inference_mode(model):
    """Buffers that were created under inference mode cannot take part in autograd."""
    fresh = copy.deepcopy(model)
    inputs = torch.randn(3, 20, 2, dtype=double, requires_grad=True)
    with torch.inference_mode():
        model.backbone(inputs)
    for got, want in zip(
        gradients(model.backbone(inputs).square().sum(), model, inputs),
        gradients(fresh.backbone(inputs).square().sum(), fresh, inputs),
        strict=True,
    ):
        assert torch.equal(got, want)


def test_the_engine_imports_no_cell():
    files = list(Path(hippo.nn.engine.__file__).parent.glob("*.py"))
    assert files and not [file.name for file in files if "hippo.nn.cells" in file.read_text()]
