"""The Transformer encoder against its equations in float64, written out here."""

import math

import pytest
import torch
from torch.nn.functional import gelu

from hippo.config import ConfigError
from hippo.nn import build_model
from hippo_baselines.transformer import TransformerBackbone, sinusoids

HEADS = 2


def backbone(norm_first=True, causal=False, layers=2, input_size=8):
    torch.manual_seed(0)
    return TransformerBackbone(input_size, 8, layers, HEADS, 12, 0.0, norm_first, causal).double().eval()


def norm(x, module):
    centered = x - x.mean(-1, keepdim=True)
    return centered / (centered.square().mean(-1, keepdim=True) + module.eps).sqrt() * module.weight + module.bias


def attend(x, module, seen):
    """Attention of x (length, channels); `seen` (length, length) is True where the row may look at the column."""
    query, key, value = (x @ module.in_proj_weight.T + module.in_proj_bias).chunk(3, dim=1)
    heads = []
    for q, k, v in zip(*(part.chunk(HEADS, dim=1) for part in (query, key, value)), strict=True):
        weights = (q @ k.T / math.sqrt(q.shape[1])).masked_fill(~seen, -torch.inf).softmax(1)
        heads.append(weights @ v)
    return torch.cat(heads, dim=1) @ module.out_proj.weight.T + module.out_proj.bias


def reference(model, x, length, causal):
    """Outputs (length, channels) of one sequence."""
    steps = torch.arange(len(x))
    seen = (steps < length).expand(len(x), -1)
    seen = seen & (steps <= steps.unsqueeze(1)) if causal else seen
    x = x + sinusoids(*x.shape)
    for layer in model.encoder.layers:

        def feedforward(x, layer=layer):
            hidden = gelu(x @ layer.linear1.weight.T + layer.linear1.bias)
            return hidden @ layer.linear2.weight.T + layer.linear2.bias

        if layer.norm_first:
            x = x + attend(norm(x, layer.norm1), layer.self_attn, seen)
            x = x + feedforward(norm(x, layer.norm2))
        else:
            x = norm(x + attend(x, layer.self_attn, seen), layer.norm1)
            x = norm(x + feedforward(x), layer.norm2)
    return norm(x, model.encoder.norm) if model.encoder.norm is not None else x


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_it_computes_its_equations_on_the_true_steps(norm_first, causal, training):
    model, inputs, lengths = backbone(norm_first, causal), torch.randn(3, 7, 8).double(), torch.tensor([7, 3, 1])
    model.train(training)  # PyTorch computes the layers in another way if they are not trained
    outputs = model(inputs, lengths=lengths, sequence=True)
    ends = model(inputs, lengths=lengths)
    for sample, length in enumerate(lengths.tolist()):
        expected = reference(model, inputs[sample], length, causal)[:length]
        torch.testing.assert_close(outputs[sample, :length], expected, atol=1e-12, rtol=1e-12)
        torch.testing.assert_close(ends[sample], expected[-1], atol=1e-12, rtol=1e-12)


def test_positions_matter_and_layers_begin_differently():
    model, inputs = backbone(), torch.randn(1, 7, 8).double()
    assert not torch.allclose(model(inputs.flip(1), sequence=True).flip(1), model(inputs, sequence=True))
    first, second = model.encoder.layers
    assert not torch.equal(first.linear1.weight, second.linear1.weight)


def test_sinusoids_are_those_of_the_paper():
    """PE(pos, 2i) = sin(pos / 10000^(2i / d)), PE(pos, 2i + 1) = cos of the same."""
    found = sinusoids(50, 6)
    for position in (0, 1, 49):
        for channel in range(6):
            angle = position / 10_000 ** ((channel // 2 * 2) / 6)
            expected = math.cos(angle) if channel % 2 else math.sin(angle)
            assert found[position, channel].item() == pytest.approx(expected, abs=1e-13)
    assert sinusoids(4, 5).shape == (4, 5)


def test_models_of_tokens_and_of_pixels():
    options = {"hidden_size": 8, "heads": 2, "layers": 2}
    text = build_model("transformer", output_size=3, vocabulary=11, **options)
    assert text(torch.randint(11, (4, 9)), lengths=torch.tensor([9, 1, 4, 6])).shape == (4, 3)
    pixels = build_model("transformer", 1, 3, **options)
    assert pixels(torch.randn(2, 9, 1)).shape == (2, 3)
    assert isinstance(pixels.backbone, TransformerBackbone)  # it builds its layers itself


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_size": 10, "heads": 4}, "hidden_size = 10 is not a multiple of heads = 4"),
        ({"norm": "batch"}, "norm = 'batch'"),
        ({"residual": False}, "residual = False"),
        ({"tie_dropout": True}, "tie_dropout = True"),
    ],
)
def test_options_that_it_does_not_have_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        build_model("transformer", 1, 3, **options)
