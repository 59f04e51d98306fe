"""The CUDA graphs. Without a GPU, their buffers and bookkeeping are tested with graphs that merely run again."""

import gc

import pytest
import torch

from hippo.config import ConfigError
from hippo.nn import build_model
from hippo.nn.device import resolve_device
from hippo.nn.engine import graph

double = torch.float64
MODELS = {"legs": {}, "lagt": {}, "fout": {"theta": 9.0}, "rand": {"step": 0.5}, "lmu": {"theta": 9.0}}
MODELS |= dict.fromkeys(("gru", "lstm", "mgu", "rnn", "exprnn"), {})
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


def hidden(cell, inputs, sequence):
    """What the cell computes on a CUDA device, here through `Graphed` itself."""
    from functools import partial

    make = partial(cell.recurrence(None), cell.hidden_size, inputs.dtype)
    steps = torch.cat([inputs, torch.ones_like(inputs[..., :1])], 2).transpose(0, 1).contiguous()
    out = graph.Graphed.apply(cell, make, sequence, True, steps, *cell.weights())
    return out.transpose(0, 1) if sequence else out


@pytest.mark.parametrize("sequence", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_buffers_carry_values_in_and_gradients_out(name, sequence, monkeypatch):
    monkeypatch.setattr(graph, "record", lambda runs: runs)
    cell = build_model(name, 2, 3, hidden_size=6, **MODELS[name]).double().backbone
    for _ in range(2):  # the second time through kept buffers, with other weights
        with torch.no_grad():
            for parameter in cell.parameters():
                parameter += 0.2 * torch.randn_like(parameter)
        inputs = torch.randn(3, 7, 2, dtype=double, requires_grad=True)
        got, want = hidden(cell, inputs, sequence), cell(inputs, sequence=sequence)
        torch.testing.assert_close(got, want, atol=1e-13, rtol=1e-13)
        targets = [inputs, *cell.parameters()]
        expected = torch.autograd.grad(want.square().sum(), targets)
        for _ in range(2):  # the second backward pass has to run forward again
            found = torch.autograd.grad(got.square().sum(), targets, retain_graph=True)
            for a, b in zip(found, expected, strict=True):
                torch.testing.assert_close(a, b, atol=1e-11, rtol=1e-11)
        assert len(graph._spare[cell]) == 1


def test_graphs_go_with_their_cell(monkeypatch):
    monkeypatch.setattr(graph, "record", lambda runs: runs)
    cell = build_model("rnn", 2, 3, hidden_size=6).backbone
    for length in range(2, 8):
        hidden(cell, torch.randn(1, length, 2), False).sum().backward()
    assert len(graph._spare[cell]) == 2
    before = len(graph._spare)
    del cell
    gc.collect()
    assert len(graph._spare) < before


@needs_cuda
@pytest.mark.parametrize("name", MODELS)
def test_cuda_equals_cpu(name):
    model = build_model(name, 2, 3, hidden_size=16, **MODELS[name]).double()
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
