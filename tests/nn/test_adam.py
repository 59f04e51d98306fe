"""Adam against torch.optim's own, bit for bit."""

import io
import subprocess
import sys

import pytest
import torch

from hippo.nn.adam import Adam

GROUPS = (((3, 4), (5,)), ((2, 2),))  # shapes of the parameters of two groups
RATES = (1e-2, 3e-4)


def parameters():
    generator = torch.Generator().manual_seed(1)
    return [[torch.randn(shape, generator=generator).requires_grad_() for shape in group] for group in GROUPS]


def groups(parameters):
    return [{"params": group, "lr": rate} for group, rate in zip(parameters, RATES, strict=True)]


def descend(optimiser, parameters, steps):
    """Steps on gradients drawn anew; every third leaves one parameter without."""
    for step in steps:
        optimiser.zero_grad()
        generator = torch.Generator().manual_seed(step)
        for parameter in (p for group in parameters for p in group):
            if step % 3 or parameter.shape != (5,):
                (parameter * torch.randn(parameter.shape, generator=generator)).sum().backward()
        optimiser.step()
    return [p.detach() for group in parameters for p in group]


def test_the_steps_are_those_of_torch():
    ours, theirs = parameters(), parameters()
    got = descend(Adam(groups(ours)), ours, range(20))
    want = descend(torch.optim.Adam(groups(theirs), fused=True), theirs, range(20))
    assert all(torch.equal(a, b) for a, b in zip(got, want, strict=True))


def test_saved_and_loaded_it_goes_on_as_before():
    whole = parameters()
    want = descend(Adam(groups(whole)), whole, range(9))
    halved = parameters()
    first = Adam(groups(halved))
    descend(first, halved, range(4))
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = Adam(groups(halved))
    second.load_state_dict(torch.load(file, weights_only=True))
    got = descend(second, halved, range(4, 9))
    assert all(torch.equal(a, b) for a, b in zip(got, want, strict=True))


def test_what_it_cannot_serve_is_refused():
    one = torch.zeros(3, requires_grad=True)
    with pytest.raises(ValueError, match="stands in the groups twice"):
        Adam([{"params": [one], "lr": 0.1}, {"params": [one], "lr": 0.2}])
    saved = Adam([{"params": [torch.zeros(1, requires_grad=True)], "lr": 0.1}]).state_dict()
    with pytest.raises(ValueError, match=r"shapes \[\[\(1,\)\]\], expected \[\[\(3,\)\]\]"):
        Adam([{"params": [one], "lr": 0.1}]).load_state_dict(saved)
    with pytest.raises(ValueError, match="of another model"):
        Adam([{"params": [one], "lr": 0.1}]).load_state_dict(torch.optim.Adam([one]).state_dict())


def test_training_does_not_load_the_compiler():
    """It would be a third of a short trial's start."""
    program = """
import sys, torch
from hippo.nn import build_model
from hippo.nn.adam import Adam
model = build_model("legs", 1, 2, hidden_size=4)
optimiser = Adam(model.parameter_groups(1e-3))
optimiser.zero_grad()
model(torch.rand(2, 5, 1)).sum().backward()
optimiser.step()
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
