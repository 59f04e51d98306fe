"""CUDA graphs. Without a GPU, their buffers and bookkeeping are tested with graphs that call their function again."""

import gc

import pytest
import torch

from hippo.config import ConfigError
from hippo.nn import build_model
from hippo.nn.cells import unrolled
from hippo.nn.device import resolve_device
from hippo.nn.engine import graph
from tests.nn.cases import engine_models, options_of

double = torch.float64
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


def build(name, **options):
    return build_model(name, 2, 3, **{**options_of(name).test_options, **options})


@pytest.fixture
def graphed(monkeypatch):
    """A function (cell, inputs, sequence, state) that runs a cell through `Graphed`, as it runs on a CUDA device."""
    monkeypatch.setattr(graph, "record", lambda runs: runs)

    def hidden(cell, inputs, sequence=False, state=None):
        def unroll(make, steps, weights, every_step, checkpoint, state, first):
            assert first == 0
            return graph.Graphed.apply(cell, make, every_step, True, len(state), steps, *state, *weights)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(unrolled, "unroll", unroll)
            return cell(inputs, sequence=sequence) if state is None else cell.run(inputs, state)

    return hidden


@pytest.mark.parametrize("sequence", [False, True])
@pytest.mark.parametrize("name", engine_models())
def test_buffers_carry_values_in_and_gradients_out(name, sequence, graphed):
    cell = build(name, hidden_size=6).double().backbone
    for _ in range(2):  # the second time with kept buffers, with other weights
        with torch.no_grad():
            for parameter in cell.parameters():
                parameter += 0.2 * torch.randn_like(parameter)
        inputs = torch.randn(3, 7, 2, dtype=double, requires_grad=True)
        got, want = graphed(cell, inputs, sequence), cell(inputs, sequence=sequence)
        torch.testing.assert_close(got, want, atol=1e-13, rtol=1e-13)
        targets = [inputs, *cell.parameters()]
        expected = torch.autograd.grad(want.square().sum(), targets)
        for _ in range(2):  # the second backward pass runs the forward graph again
            found = torch.autograd.grad(got.square().sum(), targets, retain_graph=True)
            for a, b in zip(found, expected, strict=True):
                torch.testing.assert_close(a, b, atol=1e-11, rtol=1e-11)
        assert len(graph.spare_graphs[cell]) == 1


@pytest.mark.parametrize("name", engine_models())
def test_buffers_carry_states_in_and_out(name, graphed):
    cell = build(name, hidden_size=6).double().backbone
    inputs = torch.randn(3, 7, 2, dtype=double, requires_grad=True)
    initial = tuple(s if s.dtype != double or s.ndim == 1 else torch.randn_like(s) for s in cell.initial_state(inputs))
    variables = [entry.requires_grad_() for entry in initial if entry.ndim > 1]
    (got, got_state), (want, want_state) = graphed(cell, inputs, state=initial), cell.run(inputs, initial)
    weights = [torch.randn_like(entry) for entry in (want, *want_state)]
    gradients = []
    for outputs, tolerance in (((got, *got_state), 1e-13), ((want, *want_state), 0)):
        for a, b in zip(outputs, (want, *want_state), strict=True):
            torch.testing.assert_close(a, b, atol=tolerance, rtol=tolerance)
        loss = sum((a * w).sum() for a, w in zip(outputs, weights, strict=True))
        gradients.append(torch.autograd.grad(loss, [inputs, *variables], allow_unused=True, materialize_grads=True))
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, atol=1e-11, rtol=1e-11)


def test_graphs_are_deleted_with_their_cell(graphed):
    cell = build_model("rnn", 2, 3, hidden_size=6).backbone
    for length in range(2, 8):
        graphed(cell, torch.randn(1, length, 2), False).sum().backward()
    assert len(graph.spare_graphs[cell]) == graph.GRAPHS_KEPT
    before = len(graph.spare_graphs)
    del cell
    gc.collect()
    assert len(graph.spare_graphs) < before


@needs_cuda
@pytest.mark.parametrize("name", engine_models())
def test_cuda_equals_cpu(name):
    model = build(name, hidden_size=16).double()
    inputs = torch.randn(5, 30, 2, dtype=double)
    want = torch.autograd.grad(model(inputs).square().sum(), list(model.parameters()))
    model, inputs = model.cuda(), inputs.cuda()
    for _ in range(2):
        got = torch.autograd.grad(model(inputs).square().sum(), list(model.parameters()))
        for a, b in zip(got, want, strict=True):
            torch.testing.assert_close(a.cpu(), b, atol=1e-10, rtol=1e-10)


def test_the_device_setting():
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(ConfigError, match="device 'gpu': .*set device to auto or cpu"):
        resolve_device("gpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_a_missing_device_is_one_clear_message():
    with pytest.raises(ConfigError, match="device 'cuda': .*set device to auto or cpu"):
        resolve_device("cuda")
