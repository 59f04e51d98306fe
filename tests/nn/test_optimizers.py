"""Adam, AdamW and gradient clipping against torch.optim and torch.nn.utils, bit for bit."""

import io
import subprocess
import sys

import pytest
import torch
from torch.optim.lr_scheduler import LambdaLR

from hippo.nn.optimizers import OPTIMIZERS, Adam, clip_gradients

GROUPS = (((3, 4), (5,)), ((2, 2),))  # shapes of the parameters of two groups
RATES, DECAYS = (1e-2, 3e-4), (0.1, 0.03)
TORCH = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def parameters():
    generator = torch.Generator().manual_seed(1)
    return [[torch.randn(shape, generator=generator).requires_grad_() for shape in group] for group in GROUPS]


def groups(parameters, decays=(0.0, 0.0)):
    values = zip(parameters, RATES, decays, strict=True)
    return [{"params": group, "lr": rate, "weight_decay": decay} for group, rate, decay in values]


def compute_gradients(parameters, step):
    """New random gradients; at every third step one parameter gets none."""
    generator = torch.Generator().manual_seed(step)
    for parameter in (p for group in parameters for p in group):
        if step % 3 or parameter.shape != (5,):
            (parameter * torch.randn(parameter.shape, generator=generator)).sum().backward()


def train(optimizer, parameters, steps):
    for step in steps:
        optimizer.zero_grad()
        compute_gradients(parameters, step)
        optimizer.step()
    return [p.detach() for group in parameters for p in group]


def equal(got, expected):
    return all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


@pytest.mark.parametrize("decays", [(0.0, 0.0), DECAYS])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_equal_those_of_torch(name, decays):
    ours, theirs = parameters(), parameters()
    got = train(OPTIMIZERS[name](groups(ours, decays)), ours, range(20))
    assert equal(got, train(TORCH[name](groups(theirs, decays), fused=True), theirs, range(20)))


def test_weight_decay_defaults_to_zero():
    for name in OPTIMIZERS:
        ours, theirs = parameters(), parameters()
        without = [{"params": group, "lr": rate} for group, rate in zip(ours, RATES, strict=True)]
        got = train(OPTIMIZERS[name](without), ours, range(3))
        assert equal(got, train(OPTIMIZERS[name](groups(theirs)), theirs, range(3)))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_learning_rate_multiplier_equals_a_scheduler_of_torch(name):
    ours, theirs = parameters(), parameters()
    optimizer, reference = OPTIMIZERS[name](groups(ours, DECAYS)), TORCH[name](groups(theirs, DECAYS), fused=True)
    scheduler = LambdaLR(reference, lambda step: step / 7)
    for step in range(7):
        optimizer.learning_rate_multiplier = step / 7
        got, expected = train(optimizer, ours, [step]), train(reference, theirs, [step])
        scheduler.step()
        assert equal(got, expected)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_restored_optimizer_continues_bit_for_bit(name):
    whole = parameters()
    expected = train(OPTIMIZERS[name](groups(whole, DECAYS)), whole, range(9))
    halved = parameters()
    first = OPTIMIZERS[name](groups(halved, DECAYS))
    train(first, halved, range(4))
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = OPTIMIZERS[name](groups(halved, DECAYS))
    second.load_state_dict(torch.load(file, weights_only=True))
    assert equal(train(second, halved, range(4, 9)), expected)


def test_invalid_groups_and_states_are_refused():
    one = torch.zeros(3, requires_grad=True)
    with pytest.raises(ValueError, match="in the groups twice"):
        Adam([{"params": [one], "lr": 0.1}, {"params": [one], "lr": 0.2}])
    saved = Adam([{"params": [torch.zeros(1, requires_grad=True)], "lr": 0.1}]).state_dict()
    optimizer = Adam([{"params": [one], "lr": 0.1}])
    with pytest.raises(ValueError, match=r"shapes \[\[\(1,\)\]\], expected \[\[\(3,\)\]\]"):
        optimizer.load_state_dict(saved)
    assert torch.equal(optimizer.moments[0][0].first, torch.zeros(3))
    with pytest.raises(ValueError, match="belong to another model"):
        optimizer.load_state_dict(torch.optim.Adam([one]).state_dict())


@pytest.mark.parametrize("max_norm", [0.5, 1e3])
def test_clipping_equals_that_of_torch_and_the_definition(max_norm):
    ours, theirs = (sum(parameters(), []) for _ in range(2))
    compute_gradients([ours], step=1)
    compute_gradients([theirs], step=1)
    before = torch.cat([p.grad.flatten() for p in ours])
    norm = clip_gradients(ours, max_norm)
    torch.testing.assert_close(norm, before.norm())
    assert torch.equal(norm, torch.nn.utils.clip_grad_norm_(theirs, max_norm))
    assert equal([p.grad for p in ours], [p.grad for p in theirs])
    after = torch.cat([p.grad.flatten() for p in ours])
    # torch divides by norm + 1e-6
    torch.testing.assert_close(after, before * min(1.0, max_norm / (float(before.norm()) + 1e-6)))


def test_a_maximum_norm_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="max_norm is 0"):
        clip_gradients([], 0)


def test_training_does_not_load_the_compiler():
    """Loading it would take a third of a short trial's start."""
    program = """
import sys, torch
from hippo.nn import build_model
from hippo.nn.optimizers import AdamW, clip_gradients
from hippo.nn.parameter_groups import parameter_groups
model = build_model("legs", 1, 2, hidden_size=4, layers=2, residual=True, norm="layer")
optimizer = AdamW(parameter_groups(model, 1e-3, 0.1))
optimizer.zero_grad()
model(torch.rand(2, 5, 1)).sum().backward()
clip_gradients(model.parameters(), 1.0)
optimizer.step()
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
