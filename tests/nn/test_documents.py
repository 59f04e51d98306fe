"""Models that compare two documents per sample."""

import pytest
import torch
from torch.nn.functional import gelu

from hippo.config import ConfigError
from hippo.nn import build_model
from hippo.nn.decoders import PairDecoder

OPTIONS = {
    "s4": {"hidden_size": 8, "state_size": 4, "layers": 2, "bidirectional": True},
    "transformer": {"hidden_size": 8, "heads": 2, "layers": 1},
    "legs": {"hidden_size": 8, "pooling": "mean"},
}


def pair_model(name):
    torch.manual_seed(0)
    return build_model(name, output_size=2, vocabulary=11, documents=2, **OPTIONS[name]).double()


def test_the_head_is_that_of_the_papers():
    """[a, b, a - b, a * b] -> Linear -> GELU -> Linear, written out."""
    head = PairDecoder(5, 3).double()
    a, b = torch.randn(2, 4, 5).double()
    pooled = torch.stack([a, b], dim=1).flatten(0, 1)
    first, last = head.hidden, head.output
    assert first.weight.shape == (5, 20) and last.weight.shape == (3, 5)
    features = torch.cat([a, b, a - b, a * b], dim=1)
    expected = gelu(features @ first.weight.T + first.bias) @ last.weight.T + last.bias
    torch.testing.assert_close(head(pooled), expected, atol=1e-13, rtol=1e-13)


@pytest.mark.parametrize("name", OPTIONS)
def test_documents_are_read_one_by_one(name):
    """The answer to a pair is that of the head to the pooled outputs of each document alone, without its padding."""
    model = pair_model(name)
    inputs, lengths = torch.randint(11, (3, 2, 9)), torch.tensor([[9, 4], [1, 9], [5, 5]])
    alone = build_model(name, output_size=2, vocabulary=11, **OPTIONS[name]).double()
    alone.encoder, alone.backbone, alone.decoder = model.encoder, model.backbone, torch.nn.Identity()
    pooled = [alone(inputs[i, d, : lengths[i, d]].unsqueeze(0)) for i in range(3) for d in range(2)]
    expected = model.decoder(torch.cat(pooled))
    torch.testing.assert_close(model(inputs, lengths=lengths), expected, atol=1e-12, rtol=1e-12)
    assert model(inputs).shape == (3, 2)


def test_the_order_of_the_documents_matters_and_gradients_reach_everything():
    model, inputs = pair_model("s4"), torch.randint(11, (3, 2, 9))
    assert not torch.allclose(model(inputs), model(inputs.flip(1)))
    model(inputs).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for name, parameter in model.named_parameters() if "encoder" not in name)


def test_wrong_use():
    model = pair_model("s4")
    with pytest.raises(ValueError, match="expected two documents per sample"):
        model(torch.randint(11, (3, 9)))
    with pytest.raises(ValueError, match="expected two documents per sample"):
        model(torch.randint(11, (3, 2, 9)), lengths=torch.tensor([9, 4, 2]))
    with pytest.raises(ConfigError, match="documents = 3: expected 1 or 2"):
        build_model("legs", output_size=2, vocabulary=11, documents=3)
    with pytest.raises(ConfigError, match="one answer for two sequences"):
        build_model("legs", output_size=2, vocabulary=11, documents=2, return_sequence=True)
