"""Encoders: embedding of tokens, linear map of real channels."""

import pytest
import torch

from hippo.nn import available_models, build_model

TOKENS = torch.tensor([[0, 10, 5], [1, 1, 1]])


def test_without_options_real_channels_are_not_encoded():
    model = build_model("gru", 3, 2, hidden_size=4)
    assert model.encoder is None and model.backbone.input_size == 3


@pytest.mark.parametrize(("embedding_size", "channels"), [(3, 3), (None, 4)])
def test_tokens_are_embedded(embedding_size, channels):
    model = build_model("gru", output_size=2, vocabulary=11, hidden_size=4, embedding_size=embedding_size)
    assert model.encoder.weight.shape == (11, channels) and model.backbone.input_size == channels
    expected = model.decoder(model.backbone(model.encoder.weight[TOKENS]))
    assert torch.equal(model(TOKENS), expected)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.uint64, torch.int8, torch.int32, torch.int64])
def test_tokens_may_be_of_any_integer_type(dtype):
    model = build_model("gru", output_size=2, vocabulary=11, hidden_size=4)
    assert torch.equal(model(TOKENS.to(dtype)), model(TOKENS))


def test_real_channels_are_mapped_linearly():
    model = build_model("gru", 3, 2, hidden_size=4, embedding_size=6)
    assert model.encoder.weight.shape == (6, 3) and model.backbone.input_size == 6
    inputs = torch.randn(2, 5, 3)
    encoded = torch.einsum("ec,blc->ble", model.encoder.weight, inputs) + model.encoder.bias
    torch.testing.assert_close(model(inputs), model.decoder(model.backbone(encoded)))


def test_times_as_a_channel_are_encoded_with_real_channels_and_appended_to_embedded_tokens():
    times = torch.tensor([[0.0, 0.5, 2.0], [1.0, 1.0, 3.0]])
    real = build_model("gru", 3, 2, hidden_size=4, embedding_size=6, timestamps=True)
    assert real.encoder.weight.shape == (6, 4) and real.backbone.input_size == 6
    tokens = build_model("gru", output_size=2, vocabulary=11, hidden_size=4, embedding_size=6, timestamps=True)
    assert tokens.backbone.input_size == 7
    read = torch.cat([tokens.encoder.weight[TOKENS], times.unsqueeze(2)], dim=2)
    assert torch.equal(tokens(TOKENS, times), tokens.decoder(tokens.backbone(read)))


def test_a_model_that_uses_times_gets_them_beside_the_encoding():
    times = torch.tensor([[0.0, 0.5, 2.0], [1.0, 1.0, 3.0]])
    model = build_model("legs", output_size=2, vocabulary=11, hidden_size=4, timestamps=True)
    expected = model.decoder(model.backbone(model.encoder.weight[TOKENS], times=times))
    assert torch.equal(model(TOKENS, times), expected)


def test_padding_may_be_any_token_and_true_steps_may_not():
    model = build_model("gru", output_size=2, vocabulary=5, hidden_size=4, embedding_size=3)
    padded = torch.tensor([[1, 2, 3], [4, -100, 77]])
    answers = model(padded, lengths=torch.tensor([3, 1]))
    torch.testing.assert_close(answers[1], model(padded[1:, :1])[0])
    with pytest.raises(ValueError, match="inputs span -100 to 77; expected 0 to 4"):
        model(padded)


@pytest.mark.slow
def test_a_model_of_tokens_is_exported():
    model = build_model("s4", output_size=2, vocabulary=11, hidden_size=4, state_size=4).eval()
    program = torch.export.export(model, (TOKENS,)).module()
    torch.testing.assert_close(program(TOKENS), model(TOKENS))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (torch.zeros(2, 3, 5, dtype=torch.long), r"inputs have shape \(2, 3, 5\); expected \(batch, length\)"),
        (torch.zeros(2, 3), "inputs are torch.float32; expected integers below 5"),
        (torch.zeros(2, 3, dtype=torch.bool), "inputs are torch.bool; expected integers below 5"),
    ],
)
def test_inputs_that_are_no_tokens_are_refused(inputs, message):
    with pytest.raises(ValueError, match=message):
        build_model("gru", output_size=2, vocabulary=5, hidden_size=4)(inputs)


def test_inputs_that_cannot_be_mapped_are_refused():
    model = build_model("gru_d", 1, 2, hidden_size=4, embedding_size=3)
    with pytest.raises(ValueError, match="inputs contain NaN, which a linear encoder cannot map"):
        model(torch.tensor([[[0.0], [torch.nan]]]))
    model(torch.tensor([[[0.0], [torch.nan]]]), lengths=torch.tensor([1]))  # in the padding
    with pytest.raises(ValueError, match="inputs are torch.float64, the weights torch.float32"):
        model(torch.zeros(1, 2, 1, dtype=torch.float64))


@pytest.mark.parametrize("name", available_models())
def test_every_model_learns_its_encoding(name):
    from hippo import registry

    options = registry.find("models", name, "test").test_options
    for model, inputs in (
        (build_model(name, output_size=2, vocabulary=7, **options, embedding_size=3), torch.arange(10).view(2, 5) % 7),
        (build_model(name, 4, 2, **options, embedding_size=3), torch.randn(2, 5, 4)),
    ):
        model(inputs, lengths=torch.tensor([5, 3])).square().sum().backward()
        gradient = model.encoder.weight.grad
        assert gradient.isfinite().all() and gradient.abs().sum() > 0
