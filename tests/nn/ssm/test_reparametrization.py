"""Pruning and parametrizations of PyTorch on the parts of S4 layers."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize, prune

from hippo.nn import S4
from hippo.nn.parameter_groups import parameter_groups

PARTS = ["C", "B", "P", "frequency", "log_decay", "log_step"]


class Half(nn.Module):
    def forward(self, values):
        return values / 2


def layer():
    torch.manual_seed(0)
    return S4(4, 8, dt_min=0.01, dtype=torch.float64)


def without_reparametrization(model):
    """A layer that has the same values as its parameters."""
    plain = layer().eval()
    plain.D, plain.output = model.D, model.output
    with torch.no_grad():
        for name, value in model.system().items():
            getattr(plain.system, name).copy_(value)
    return plain


def check(model):
    """Compare all forms of a layer with those of one without reparametrization."""
    inputs, state = torch.randn(2, 70, 4, dtype=torch.float64), torch.full((2, 4, 4), 0.1j, dtype=torch.complex128)
    plain = without_reparametrization(model)
    for _ in range(2):  # the second time from what is kept
        with torch.no_grad():
            assert torch.equal(model(inputs), plain(inputs))
            assert torch.equal(model.last(inputs), plain.last(inputs))
            assert torch.equal(model.step(inputs[:, 0], state)[0], plain.step(inputs[:, 0], state)[0])


def train(model):
    """Two steps, each of them with a graph of its own."""
    optimizer = torch.optim.SGD(parameter_groups(model.train(), 0.01), lr=0.01)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.randn(2, 70, 4, dtype=torch.float64)).square().mean().backward()
        optimizer.step()
    return model.eval()


@pytest.mark.parametrize("part", PARTS)
def test_a_pruned_part(part):
    model = layer().eval()
    prune.random_unstructured(model.system, part, 0.5)
    check(model)
    before = getattr(model.system, f"{part}_orig").clone()
    check(train(model))
    assert not torch.equal(getattr(model.system, f"{part}_orig"), before)
    assert torch.equal(model.system()[part] == 0, getattr(model.system, f"{part}_mask") == 0)
    rates = {id(p): group["lr"] for group in parameter_groups(model, 0.01) for p in group["params"]}
    assert rates[id(getattr(model.system, f"{part}_orig"))] == (0.01 if part == "C" else 0.001)


@pytest.mark.parametrize("part", PARTS)
def test_a_parametrized_part(part):
    model = layer().eval()
    expected = getattr(model.system, part).detach() / 2
    parametrize.register_parametrization(model.system, part, Half())
    assert torch.equal(model.system()[part], expected)
    check(model)
    with torch.no_grad():
        model.system.parametrizations[part].original.mul_(1.1)
    check(model)
    check(train(model))


def test_a_parametrized_skip_is_followed_by_steps():
    model, inputs, state = layer().float().eval(), torch.randn(2, 4), torch.zeros(2, 4, 4, dtype=torch.complex64)
    parametrize.register_parametrization(model, "D", Half())
    with torch.no_grad():
        before = model.step(inputs, state)[0]
        model.parametrizations["D"].original.add_(1)
        assert not torch.equal(model.step(inputs, state)[0], before)
