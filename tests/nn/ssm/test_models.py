"""Models of S4 layers that `build_model` builds, beyond the contract tests: both directions, options, encoders."""

import pytest
import torch

from hippo.config import ConfigError, parse
from hippo.nn.bidirectional import Bidirectional
from hippo.nn.options import LegSOptions
from hippo.nn.sequence import SequenceModel
from hippo.nn.ssm.backbone import S4Backbone, set_rate
from hippo.nn.ssm.options import S4DOptions, S4Options

SMALL = {"hidden_size": 8, "state_size": 4, "layers": 2}


def build(options=S4Options, input_size=3, **settings):
    """A model by its options class, which need not be registered."""
    arguments = {key: settings.pop(key) for key in ("vocabulary", "timestamps", "return_sequence") if key in settings}
    return SequenceModel(parse(options, {**SMALL, **settings}, where="test"), input_size, 5, **arguments)


def batch(length=11):
    return torch.randn(4, length, 3)


@pytest.fixture(params=[S4Options, S4DOptions], ids=["s4", "s4d"])
def bidirectional(request):
    return build(request.param, bidirectional=True).double()


def test_samples_of_a_bidirectional_model_are_independent(bidirectional):
    inputs = batch().double()
    alone = torch.cat([bidirectional(sample.unsqueeze(0)) for sample in inputs])
    torch.testing.assert_close(bidirectional(inputs), alone, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("length", [11, 100])
def test_padding_of_a_bidirectional_model_does_not_matter(bidirectional, length):
    inputs, lengths = batch(length).double(), torch.tensor([length, 1, 7, 10])
    short = torch.cat([bidirectional(inputs[i : i + 1, :n]) for i, n in enumerate(lengths.tolist())])
    for i, n in enumerate(lengths.tolist()):
        inputs[i, n:] = torch.nan
    outputs = bidirectional(inputs, lengths=lengths)
    torch.testing.assert_close(outputs, short, atol=1e-10, rtol=1e-10)
    outputs.square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in bidirectional.parameters())


def test_the_gradient_of_a_bidirectional_model_reaches_every_parameter(bidirectional):
    bidirectional(batch().double()).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in bidirectional.parameters())


def test_the_second_direction_is_inside_the_layer(bidirectional):
    modules = list(bidirectional.modules())
    assert not any(isinstance(module, Bidirectional) for module in modules)
    assert bidirectional.backbone.output_size == 8
    options = parse(LegSOptions, {"hidden_size": 4, "bidirectional": True}, where="test")
    assert isinstance(options.layer(3), Bidirectional)


def test_the_rate_reaches_every_layer():
    model, inputs = build(), batch(100)
    before = model(inputs)
    set_rate(model, 2.0)
    assert [module.rate for module in model.modules() if isinstance(module, S4Backbone)] == [2.0, 2.0]
    assert not torch.allclose(model(inputs), before)
    with pytest.raises(ValueError, match="rate must be a positive number"):
        set_rate(model, 0)
    with pytest.raises(ValueError, match="Linear has no S4 layer"):
        set_rate(torch.nn.Linear(1, 1), 2.0)


def test_inputs_are_encoded():
    """By default in the channels of the layers; a linear map follows an encoding of another size."""
    assert build().encoder.out_features == 8 and build().backbone.blocks[0].layer.entry is None
    model = build(embedding_size=3)
    assert model.encoder.out_features == 3 and model.backbone.blocks[0].layer.entry.in_features == 3


def test_tokens_with_timestamps():
    """Timestamps are one more channel beside the embedding; a linear map leads to the channels of the layers."""
    model = build(input_size=1, vocabulary=7, timestamps=True)
    assert model(torch.randint(7, (4, 11)), torch.rand(4, 11).sort(1).values).shape == (4, 5)
    assert model.backbone.blocks[0].layer.entry.in_features == 9


def test_a_model_with_one_answer_per_step_ignores_the_default_pooling():
    assert build(return_sequence=True)(batch()).shape == (4, 11, 5)
    with pytest.raises(ConfigError, match="pooling = 'mean'"):
        SequenceModel(parse(LegSOptions, {"pooling": "mean"}, where="test"), 3, 5, return_sequence=True)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"state_size": 3}, "test: state_size must be even"),
        ({"measure": "legss"}, "test: measure = 'legss': no system is called 'legss'; did you mean 'legs'"),
        ({"dt_min": 0.2}, "test: dt_min = 0.2 is larger than dt_max = 0.1"),
        ({"discretization": "zoh"}, "test: discretization = 'zoh' needs a diagonal system"),
        ({"frozen": ["E"]}, "test: frozen.0 = 'E'"),
        ({"learning_rate_A": 0}, "test: learning_rate_A = 0"),
    ],
)
def test_options_that_cannot_be_used(settings, message):
    with pytest.raises(ConfigError, match=message):
        build(**settings)
