"""Stacks of layers against compositions written by hand, and every option of a stack over several models."""

import pytest
import torch
from torch import nn

from hippo import registry
from hippo.config import ConfigError
from hippo.nn import available_models, build_model
from hippo.nn.bidirectional import reverse, reverse_times
from hippo.nn.cells.cell import Cell
from hippo.nn.normalization import BatchNorm, SequenceDropout
from hippo.nn.parameter_groups import parameter_groups
from hippo.nn.stack import Stack

LENGTHS = torch.tensor([7, 1, 4])


def build(name, input_size=3, **options):
    torch.manual_seed(0)
    required = registry.find("models", name, "test").test_options
    return build_model(name, input_size, 2, **{**required, "hidden_size": 4, **options}).double()


def cells(model):
    return [module for module in model.modules() if isinstance(module, Cell)]


def batch(channels=3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(3, 7, channels, dtype=dtype, generator=generator)


# -- the parts, against torch's own modules -----------------------------------------------------------------------


def test_layers_follow_each_other():
    model, inputs = build("gru", layers=3), batch()
    outputs = inputs
    for cell in cells(model):
        outputs = cell(outputs, sequence=True)
    assert [cell.input_size for cell in cells(model)] == [3, 4, 4]
    torch.testing.assert_close(model(inputs), model.decoder(outputs[:, -1]))


@pytest.mark.parametrize("layers", [1, 2])
def test_bidirectional_layers_equal_those_of_torch(layers):
    model, inputs = build("gru", layers=layers, bidirectional=True, return_sequence=True), batch()
    reference = nn.GRU(3, 4, num_layers=layers, bidirectional=True, batch_first=True).double()
    with torch.no_grad():
        for number, cell in enumerate(cells(model)):
            suffix = f"_l{number // 2}" + "_reverse" * (number % 2)
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(reference, name + suffix).copy_(getattr(cell, name))
    packed = nn.utils.rnn.pack_padded_sequence(inputs, LENGTHS, batch_first=True, enforce_sorted=False)
    expected, _ = nn.utils.rnn.pad_packed_sequence(reference(packed)[0], batch_first=True)
    outputs = model.backbone(inputs, lengths=LENGTHS, sequence=True)
    for sample, length in enumerate(LENGTHS):
        torch.testing.assert_close(outputs[sample, :length], expected[sample, :length])
    torch.testing.assert_close(model(inputs), model.decoder(reference(inputs)[0]))


def test_a_residual_connection_adds_the_inputs():
    model, inputs = build("gru", input_size=4, layers=2, residual=True), batch(4)
    outputs = inputs
    for cell in cells(model):
        outputs = outputs + cell(outputs, sequence=True)
    torch.testing.assert_close(model(inputs), model.decoder(outputs[:, -1]))
    assert not [key for key in model.state_dict() if "shortcut" in key]


def test_a_residual_connection_maps_the_inputs_linearly_where_the_channels_differ():
    model, inputs = build("gru", layers=2, residual=True), batch()
    first, second = cells(model)
    shortcut = model.state_dict()["backbone.blocks.0.shortcut.weight"]
    assert shortcut.shape == (4, 3) and "backbone.blocks.1.shortcut.weight" not in model.state_dict()
    middle = first(inputs, sequence=True) + inputs @ shortcut.T
    outputs = middle + second(middle, sequence=True)
    torch.testing.assert_close(model(inputs), model.decoder(outputs[:, -1]))


def layer_norm(x):
    return (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt()


def batch_norm(x):
    return (x - x.mean((0, 1))) / (x.var((0, 1), unbiased=False) + 1e-5).sqrt()


NORMS = {"layer": layer_norm, "batch": batch_norm}


@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize("norm", NORMS)
def test_prenorm_normalizes_before_each_layer_and_at_the_end(norm, encoded):
    size = 5 if encoded else None
    model, inputs = build("gru", layers=2, norm=norm, residual=True, embedding_size=size), batch()
    first, second = cells(model)
    normalize = NORMS[norm]
    x = model.encoder(inputs) if encoded else inputs
    weight = model.backbone.blocks[0].shortcut.weight
    # inputs that are not encoded are not normalized
    middle = first(normalize(x) if encoded else x, sequence=True) + x @ weight.T
    outputs = normalize(middle + second(normalize(middle), sequence=True))
    torch.testing.assert_close(model(inputs), model.decoder(outputs[:, -1]))


@pytest.mark.parametrize("norm", NORMS)
def test_postnorm_normalizes_after_each_layer(norm):
    model, inputs = build("gru", input_size=4, layers=2, norm=norm, residual=True, prenorm=False), batch(4)
    outputs = inputs
    for cell in cells(model):
        outputs = NORMS[norm](outputs + cell(outputs, sequence=True))
    torch.testing.assert_close(model(inputs), model.decoder(outputs[:, -1]))
    assert not any(key.startswith("backbone.norm") for key in model.state_dict())


def test_layer_norm_of_one_channel_is_refused():
    with pytest.raises(ConfigError, match="norm = 'layer' over 1 channel removes its input"):
        build_model("gru", 3, 2, hidden_size=1, norm="layer")
    build_model("gru", 1, 2, hidden_size=4, norm="layer")(torch.zeros(1, 2, 1))


def test_batch_norm_ignores_the_padding():
    inside = torch.arange(7) < LENGTHS.unsqueeze(1)
    inputs = batch()
    ours, reference = BatchNorm(3).double(), nn.BatchNorm1d(3).double()
    padded = inputs.where(inside.unsqueeze(2), torch.nan)
    true = torch.cat([sample[:length] for sample, length in zip(inputs, LENGTHS, strict=True)])
    for mode in (True, False):
        ours.train(mode)
        reference.train(mode)
        outputs = ours(padded, inside)
        assert torch.equal(outputs[inside], reference(true)) and torch.equal(outputs[~inside], torch.zeros(9, 3))
    assert all(torch.equal(a, b) for a, b in zip(ours.buffers(), reference.buffers(), strict=True))


def test_tied_dropout_zeroes_the_same_units_at_all_steps():
    ones = torch.ones(4, 6, 50)
    tied, untied = SequenceDropout(0.5, tied=True)(ones), SequenceDropout(0.5)(ones)
    assert set(tied.unique().tolist()) == set(untied.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(tied, tied[:, :1].expand_as(tied)) and not torch.equal(untied, untied[:, :1].expand_as(untied))
    assert not torch.equal(tied[0], tied[1])
    assert torch.equal(SequenceDropout(0.5, tied=True).eval()(ones), ones)


@pytest.mark.parametrize("tied", [False, True])
def test_layer_dropout_acts_on_each_layer_in_training_mode_only(tied):
    model, inputs = build("gru", layers=2, layer_dropout=0.5, tie_dropout=tied), batch()
    assert not torch.equal(model(inputs), model(inputs))
    model.eval()
    outputs = inputs
    for cell in cells(model):
        outputs = cell(outputs, sequence=True)
    torch.testing.assert_close(model(inputs), model.decoder(outputs[:, -1]))
    with torch.no_grad():  # two layers and the output have 4 units: a zero is one of 4 units at one of 7 steps
        model.train()
        dropped = model.backbone(inputs, sequence=True) == 0
    assert dropped.any() and bool((dropped == dropped[:, :1]).all()) == tied


# -- reversal -----------------------------------------------------------------------------------------------------


def test_reversal_is_within_the_true_length():
    values = torch.arange(10).view(2, 5)
    assert reverse(values, None).tolist() == [[4, 3, 2, 1, 0], [9, 8, 7, 6, 5]]
    assert reverse(values, torch.tensor([3, 5])).tolist() == [[2, 1, 0, 3, 4], [9, 8, 7, 6, 5]]
    assert torch.equal(reverse(reverse(batch(), LENGTHS), LENGTHS), batch())


def test_reversed_times_are_those_to_the_last_input():
    times = torch.tensor([[0.5, 1.0, 4.0, 9.0], [0.0, 2.0, 3.0, torch.nan]])
    assert reverse_times(times[:1], None).tolist() == [[0.0, 5.0, 8.0, 8.5]]
    assert reverse_times(times, torch.tensor([4, 3])).tolist() == [[0.0, 5.0, 8.0, 8.5], [0.0, 1.0, 3.0, 3.0]]
    assert reverse_times(torch.tensor([[0, 2, 7]], dtype=torch.uint8), None).tolist() == [[0.0, 5.0, 7.0]]


@pytest.mark.parametrize("name", ["legs", "gru_d", "ode_rnn"])
def test_evenly_spaced_times_equal_no_times_in_both_directions(name):
    without = build(name, layers=2, bidirectional=True)
    with_times = build(name, layers=2, bidirectional=True, timestamps=True)
    inputs = batch()
    times = torch.arange(7, dtype=torch.float64).expand(3, 7)
    torch.testing.assert_close(with_times(inputs, times, LENGTHS), without(inputs, lengths=LENGTHS))


def test_the_reversed_copy_of_legs_reads_reversed_times():
    model, inputs = build("legs", bidirectional=True, timestamps=True), batch()
    times = torch.rand(3, 7, dtype=torch.float64).cumsum(1)
    forward, backward = cells(model)
    ages = times[:, -1:] - times
    both = (
        forward(inputs, times=times, sequence=True),
        backward(inputs.flip(1), times=ages.flip(1), sequence=True).flip(1),
    )
    expected = torch.cat(both, dim=2)
    torch.testing.assert_close(model.backbone(inputs, times=times, sequence=True), expected)


def test_decreasing_times_are_refused_in_both_directions():
    model = build("legs", bidirectional=True, timestamps=True)
    with pytest.raises(ValueError, match="times are negative, decrease or are not finite"):
        model(batch()[:1, :3], times=torch.tensor([[0.0, 2.0, 1.0]]))


# -- every option over several models -----------------------------------------------------------------------------

STACKS = {
    "layers": {"layers": 2},
    "bidirectional": {"bidirectional": True, "pooling": "mean"},
    "residual": {"residual": True, "layers": 2},
    "layer norm": {"norm": "layer", "layers": 2},
    "batch norm": {"norm": "batch", "prenorm": False, "residual": True},
    "mean": {"pooling": "mean"},
    "encoder": {"embedding_size": 6, "norm": "layer", "residual": True, "layers": 2},
    "all": {
        "layers": 2,
        "bidirectional": True,
        "residual": True,
        "norm": "batch",
        "embedding_size": 6,
        "pooling": "mean",
        "layer_dropout": 0.2,
        "tie_dropout": True,
        "dropout": 0.1,
    },
}
MODELS = ["legs", "gru", "gru_d", "ode_rnn", "lmu"]


@pytest.fixture(params=STACKS)
def options(request):
    return STACKS[request.param]


@pytest.fixture(params=MODELS)
def name(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["even", "timestamps"])
def timed(request):
    return request.param


def test_padding_does_not_matter(name, options, timed):
    model, inputs = build(name, timestamps=timed, **options).eval(), batch()
    times = torch.rand(3, 7, dtype=torch.float64).cumsum(1) if timed else None
    short = [
        model(inputs[i : i + 1, :n], times[i : i + 1, :n] if timed else None) for i, n in enumerate(LENGTHS.tolist())
    ]
    for i, n in enumerate(LENGTHS.tolist()):
        inputs[i, n:] = torch.nan
        if timed:
            times[i, n:] = 0
    torch.testing.assert_close(model(inputs, times, LENGTHS), torch.cat(short), atol=1e-12, rtol=1e-12)


def test_padding_does_not_matter_in_training(name, options):
    options = options | {"layer_dropout": 0.0, "dropout": 0.0}
    outcomes = []
    for padding in (torch.nan, 1e3):
        model, inputs = build(name, **options), batch()
        inputs[1, 1:], inputs[2, 4:] = padding, padding
        answers = model(inputs, lengths=LENGTHS)
        answers.square().sum().backward()
        outcomes.append([answers, *(p.grad for p in model.parameters()), *model.buffers()])
    assert all(torch.equal(a, b) and a.isfinite().all() for a, b in zip(*outcomes, strict=True))


def test_one_answer_per_step(name, options):
    model = build(name, **{**options, "pooling": "last"}, return_sequence=True).eval()
    answers = model(batch())
    assert answers.shape == (3, 7, 2) and answers.isfinite().all()
    model.return_sequence = False
    torch.testing.assert_close(model(batch()), answers[:, -1])


def test_samples_do_not_affect_each_other_in_evaluation(name, options):
    model, inputs = build(name, **options).eval(), batch()
    alone = torch.cat([model(inputs[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(model(inputs), alone, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("every_model", available_models())
def test_training_reaches_every_parameter_and_repeats(every_model):
    options = STACKS["all"] | {"layer_dropout": 0.0, "dropout": 0.0}
    builds_stack = registry.find("models", every_model, "test").builds_stack
    if builds_stack:
        options = {key: value for key, value in options.items() if key not in ("norm", "tie_dropout")}  # of its own

    def trained():
        model, inputs = build(every_model, **options).float(), batch(dtype=torch.float32)
        with torch.no_grad():  # some initial values are zero and block gradients at first
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        optimizer = torch.optim.Adam(parameter_groups(model, 1e-2))
        for _ in range(2):
            optimizer.zero_grad()
            model(inputs, lengths=LENGTHS).square().sum().backward()
            optimizer.step()
        unreached = {key for key, parameter in model.named_parameters() if not parameter.grad.abs().sum() > 0}
        # GRU-D's decay of missing inputs has an effect only if inputs are missing; encoded ones never are.
        expected = {key for key, _ in model.named_parameters() if ".input_decay" in key}
        assert isinstance(model.backbone, Stack) != builds_stack and unreached == expected
        return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])

    assert torch.equal(trained(), trained())


def test_a_restored_stack_gives_the_same_answers(name, options):
    model, inputs = build(name, **options), batch()
    model(inputs)  # changes running statistics
    torch.manual_seed(9)
    other = build(name, **options)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    other.load_state_dict(model.state_dict())
    assert torch.equal(model.eval()(inputs), other.eval()(inputs))


@pytest.mark.parametrize("residual", [False, True])
def test_missing_values_pass_through_a_stack_of_gru_d(residual):
    model, inputs = build("gru_d", layers=2, residual=residual, norm="layer"), batch()
    inputs[0, 2:4, 1] = torch.nan
    model(inputs).square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
