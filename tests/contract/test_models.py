"""What every registered model keeps, whoever brought it."""

import copy

import pytest
import torch

from hippo import registry
from hippo.nn import available_models, build_model
from hippo.nn.parameter_groups import parameter_groups

# A model whose options have no default is built with these.
REQUIRED = {"theta": 12.0}


def build(name, timestamps=False, **more):
    required = {
        key: REQUIRED[key]
        for key, field in registry.find("models", name, "test").model_fields.items()
        if field.is_required()
    }
    torch.manual_seed(0)
    return build_model(name, 3, 5, timestamps=timestamps, hidden_size=8, **required, **more)


def batch(timestamps, samples=4, length=11, missing=False):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(samples, length, 3, generator=generator)
    if missing:
        inputs[torch.rand(inputs.shape, generator=generator) < 0.3] = torch.nan
    times = torch.rand(samples, length, generator=generator).sort(1).values if timestamps else None
    return inputs, times


@pytest.fixture(params=available_models())
def name(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["even", "timestamps"])
def timestamps(request):
    return request.param


def test_answers_once_per_sequence_or_per_step(name, timestamps):
    model, (inputs, times) = build(name, timestamps), batch(timestamps)
    answer = model(inputs, times)
    assert answer.shape == (4, 5) and answer.isfinite().all()
    model.return_sequence = True
    steps = model(inputs, times)
    assert steps.shape == (4, 11, 5)
    torch.testing.assert_close(steps[:, -1], answer)


def test_gradient_reaches_every_parameter(name, timestamps):
    missing = name == "gru_d"
    model, (inputs, times) = build(name, timestamps), batch(timestamps, missing=missing)
    with torch.no_grad():  # initial values that are zero may block a gradient at the very start
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    inputs.requires_grad_()
    model(inputs, times).square().sum().backward()
    assert inputs.grad.abs().sum() > 0
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, key


def test_samples_do_not_see_each_other(name, timestamps):
    model, (inputs, times) = build(name, timestamps).double(), batch(timestamps)
    inputs = inputs.double()
    together = model(inputs, times)
    alone = [model(inputs[i : i + 1], times[i : i + 1] if timestamps else None) for i in range(4)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-12, rtol=1e-12)


def test_padding_does_not_matter(name, timestamps):
    model, (inputs, times) = build(name, timestamps).double(), batch(timestamps)
    inputs, lengths = inputs.double(), torch.tensor([11, 1, 7, 10])
    short = [
        model(inputs[i : i + 1, :n], times[i : i + 1, :n] if timestamps else None)
        for i, n in enumerate(lengths.tolist())
    ]
    padded = inputs.clone()
    for i, n in enumerate(lengths.tolist()):
        padded[i, n:] = 1e3
        if timestamps:
            times[i, n:] = 0
    torch.testing.assert_close(model(padded, times, lengths), torch.cat(short), atol=1e-12, rtol=1e-12)


def test_causal(name):
    model, (inputs, _) = build(name), batch(False)
    model.return_sequence = True
    changed = inputs.clone()
    changed[:, 6:] += 1
    before, after = model(inputs), model(changed)
    assert torch.equal(before[:, :6], after[:, :6]) and not torch.equal(before[:, 6:], after[:, 6:])


def test_save_and_load(name, tmp_path):
    model, (inputs, _) = build(name), batch(False)
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    torch.manual_seed(9)
    other = build_model(name, 3, 5, **_options(name))
    assert not torch.equal(other(inputs), model(inputs))
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert torch.equal(other(inputs), model(inputs))
    assert torch.equal(copy.deepcopy(model)(inputs), model(inputs))


def _options(name):
    fields = registry.find("models", name, "test").model_fields
    return {"hidden_size": 8} | {key: REQUIRED[key] for key, field in fields.items() if field.is_required()}


def test_same_seed_same_bits(name, timestamps):
    def trained():
        model, (inputs, times) = build(name, timestamps), batch(timestamps)
        optimiser = torch.optim.Adam(parameter_groups(model, 1e-2))
        for _ in range(3):
            optimiser.zero_grad()
            model(inputs, times).square().sum().backward()
            optimiser.step()
        return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])

    assert torch.equal(trained(), trained())


def test_training_lowers_the_loss(name):
    model, (inputs, _) = build(name), batch(False, samples=16)
    targets = torch.arange(16) % 5
    optimiser = torch.optim.Adam(parameter_groups(model, 1e-2))
    losses = []
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(model(inputs), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.1


def test_every_hyperparameter_is_described(name):
    for key, field in registry.find("models", name, "test").model_fields.items():
        assert field.description, f"{name}.{key} has no description"


def test_padding_that_is_no_number_spoils_no_gradient(name):
    model, (inputs, _) = build(name), batch(False)
    inputs[1, 5:] = torch.nan
    model(inputs, lengths=torch.tensor([11, 5, 11, 11])).square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
