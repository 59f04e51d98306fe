"""Contract of every registered model, of this project or of another installed package."""

import copy

import pytest
import torch

from hippo import registry
from hippo.config import ConfigError
from hippo.nn import available_models, build_model
from hippo.nn.backbone import engine_options
from hippo.nn.cells.cell import Cell
from hippo.nn.parameter_groups import parameter_groups


def options_of(name):
    return registry.find("models", name, where="test")


def build(name, timestamps=False):
    """The model with the hyperparameters that its options class declares for tests."""
    torch.manual_seed(0)
    return build_model(name, 3, 5, timestamps=timestamps, **options_of(name).test_options)


def batch(timestamps, samples=4, length=11, missing=False):
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(samples, length, 3, generator=generator)
    if missing:
        inputs[torch.rand(inputs.shape, generator=generator) < 0.3] = torch.nan
    times = torch.rand(samples, length, generator=generator).sort(1).values if timestamps else None
    return inputs, times


def disturb(module):
    """Move parameters away from initial values that are zero, which block gradients and hide wrong products."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))


@pytest.fixture(params=available_models())
def name(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["even", "timestamps"])
def timestamps(request):
    return request.param


def test_precision_auto_suits_every_model(name):
    """A model that the engine does not run multiplies in float32."""
    options = options_of(name).test_options
    engines = engine_options(build_model(name, 3, 5, engine={"precision": "auto"}, **options).backbone)
    assert all(engine.precision == "auto" for engine in engines)
    if not engines:
        with pytest.raises(ConfigError, match="is not run by the engine"):
            build_model(name, 3, 5, engine={"precision": "bfloat16"}, **options)


def test_one_answer_per_sequence_or_per_step(name, timestamps):
    model, (inputs, times) = build(name, timestamps), batch(timestamps)
    answer = model(inputs, times)
    assert answer.shape == (4, 5) and answer.isfinite().all()
    model.return_sequence = True
    steps = model(inputs, times)
    assert steps.shape == (4, 11, 5)
    torch.testing.assert_close(steps[:, -1], answer)


def test_gradient_reaches_every_parameter(name, timestamps):
    """Some parameters of models for missing values have a gradient only if values are missing."""
    model = build(name, timestamps)
    disturb(model)

    def unreached(missing):
        inputs, times = batch(timestamps, missing=missing)
        inputs.requires_grad_()
        model.zero_grad()
        model(inputs, times).square().sum().backward()
        assert inputs.grad.abs().sum() > 0
        gradients = {key: parameter.grad for key, parameter in model.named_parameters()}
        return {key for key, gradient in gradients.items() if gradient is None or not gradient.abs().sum() > 0}

    missed = unreached(missing=False)
    assert not missed or not missed & unreached(missing=True)


def test_equals_its_reference_form(name, timestamps):
    """Values and gradients of a cell against its own step-by-step form, if it has one."""
    if not isinstance(build(name).backbone, Cell):
        pytest.skip("not a recurrent cell")
    cell, (inputs, times) = build(name).double().backbone, batch(timestamps)
    disturb(cell)
    inputs = inputs.double().requires_grad_()
    try:
        expected = cell.reference(inputs, times)
    except NotImplementedError as error:
        assert type(cell).__name__ in str(error)
        pytest.skip(str(error))
    hidden = cell(inputs, times=times, sequence=True)
    # Rounding only: eleven steps of numbers of order one in float64.
    torch.testing.assert_close(hidden, expected, atol=1e-12, rtol=1e-12)
    weights = torch.randn_like(hidden)
    variables = [inputs, *cell.parameters()]
    got, want = (
        torch.autograd.grad((h * weights).sum(), variables, allow_unused=True, materialize_grads=True)
        for h in (hidden, expected)
    )
    for g, w in zip(got, want, strict=True):
        torch.testing.assert_close(g, w, atol=1e-10, rtol=1e-10)


def test_a_backbone_declares_the_channels_of_its_outputs(name):
    model, (inputs, _) = build(name), batch(False)
    backbone = model.backbone
    inputs = inputs if model.encoder is None else model.encoder(inputs)
    assert backbone(inputs).shape == (4, backbone.output_size)
    assert backbone(inputs, sequence=True).shape == (4, 11, backbone.output_size)


def test_an_initial_state_is_not_taken_for_timestamps(name):
    """`cell(inputs, h0)` is the call of `torch.nn.GRU`."""
    cell, (inputs, _) = build(name).backbone, batch(False)
    if not isinstance(cell, Cell):
        pytest.skip("not a recurrent cell")
    for state in (torch.zeros(1, 4, cell.hidden_size), torch.zeros(4, 11)):  # the second has the shape of times
        with pytest.raises(TypeError, match="takes the inputs alone by position.*run\\(inputs, state\\)"):
            cell(inputs, state)


def test_chunks_of_a_stream_equal_one_call(name, timestamps):
    """A cell that carries a state gives the same hidden states wherever the sequence is cut, and step by step."""
    cell, (inputs, times) = build(name).double().backbone, batch(timestamps)
    if not isinstance(cell, Cell):
        pytest.skip("not a recurrent cell")
    disturb(cell)
    inputs, times = inputs.double(), times if times is None else times.double()
    try:
        state = cell.initial_state(inputs)
    except NotImplementedError as error:
        assert type(cell).__name__ in str(error)
        pytest.skip(str(error))
    expected, hidden = cell(inputs, times=times, sequence=True), []
    for part in (slice(0, 1), slice(1, 7), slice(7, 11)):
        found, state = cell.run(inputs[:, part], state, times=times if times is None else times[:, part])
        hidden.append(found)
    # Rounding only: eleven steps of numbers of order one in float64.
    torch.testing.assert_close(torch.cat(hidden, 1), expected, atol=1e-12, rtol=1e-12)


def test_samples_are_independent(name, timestamps):
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
    other = build_model(name, 3, 5, **options_of(name).test_options)
    assert not torch.equal(other(inputs), model(inputs))
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert torch.equal(other(inputs), model(inputs))
    assert torch.equal(copy.deepcopy(model)(inputs), model(inputs))


def test_same_seed_same_bits(name, timestamps):
    def trained():
        model, (inputs, times) = build(name, timestamps), batch(timestamps)
        optimizer = torch.optim.Adam(parameter_groups(model, 1e-2))
        for _ in range(3):
            optimizer.zero_grad()
            model(inputs, times).square().sum().backward()
            optimizer.step()
        return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])

    assert torch.equal(trained(), trained())


def test_training_lowers_the_loss(name):
    model, (inputs, _) = build(name), batch(False, samples=16)
    targets = torch.arange(16) % 5
    optimizer = torch.optim.Adam(parameter_groups(model, 1e-2))
    losses = []
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.1


def test_every_hyperparameter_is_described(name):
    for key, field in options_of(name).model_fields.items():
        assert field.description, f"{name}.{key} has no description"


def test_nan_in_the_padding_changes_no_gradient(name):
    model, (inputs, _) = build(name), batch(False)
    inputs[1, 5:] = torch.nan
    model(inputs, lengths=torch.tensor([11, 5, 11, 11])).square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
