"""HiPPOLayer against PyTorch's own layers with the same weights, and its state across chunks of a stream."""

import copy
import doctest
import io

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from hippo.config import ConfigError
from hippo.nn import S4, HiPPOLayer, build_model, hippo_layer

double = torch.float64
STOCK = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}
FORMS = [{}, {"batch_first": True, "num_layers": 3}, {"bidirectional": True, "num_layers": 2}]
CELLS = {"legs": {"order": 4, "memory_size": 2}, "legt": {"theta": 9.0}, "lmu": {"theta": 9.0}, "gru_d": {}, "mgu": {}}


def both(cell, form):
    """A HiPPOLayer and PyTorch's layer with the same weights, in float64."""
    layer, stock = (
        kind(3, 5, **form).double() for kind in (lambda *a, **k: HiPPOLayer(*a, cell=cell, **k), STOCK[cell])
    )
    with torch.no_grad():
        for k, own in enumerate(layer.cells):
            suffix = f"_l{k // layer.directions}" + ("_reverse" if k % layer.directions else "")
            for name, parameter in own.named_parameters():
                parameter.copy_(getattr(stock, name + suffix))
    return layer, stock


def entries(state):
    return [state] if isinstance(state, torch.Tensor) else list(state)


def assert_same(got, want):
    """Outputs and states of the same kind and values; a dozen steps of numbers of order one in float64."""
    assert type(got[0]) is type(want[0]) and type(got[1]) is type(want[1])
    if isinstance(got[0], PackedSequence):
        for name in ("batch_sizes", "sorted_indices", "unsorted_indices"):
            assert torch.equal(getattr(got[0], name), getattr(want[0], name))
        got, want = (got[0].data, got[1]), (want[0].data, want[1])
    for a, b in zip((got[0], *entries(got[1])), (want[0], *entries(want[1])), strict=True):
        torch.testing.assert_close(a, b, atol=1e-13, rtol=1e-13)


@pytest.mark.parametrize("form", FORMS, ids=["plain", "layers", "directions"])
@pytest.mark.parametrize("cell", STOCK)
def test_in_the_place_of_a_layer_of_pytorch(cell, form):
    layer, stock = both(cell, form)
    inputs = torch.randn(4, 9, 3, dtype=double)
    inputs = inputs if form.get("batch_first") else inputs.transpose(0, 1)
    first = stock(inputs)
    assert_same(layer(inputs), first)
    assert_same(layer(inputs, first[1]), stock(inputs, first[1]))
    packed = pack_padded_sequence(inputs, [4, 9, 1, 4], form.get("batch_first", False), enforce_sorted=False)
    assert_same(layer(packed), stock(packed))
    assert_same(layer(packed, first[1]), stock(packed, first[1]))
    alone = torch.randn(9, 3, dtype=double)  # without a batch
    assert_same(layer(alone), stock(alone))
    assert_same(layer(alone, stock(alone)[1]), stock(alone, stock(alone)[1]))


@pytest.mark.parametrize("cell", STOCK)
def test_gradients_are_those_of_a_layer_of_pytorch(cell):
    layer, stock = both(cell, {"num_layers": 2, "bidirectional": True})
    inputs = torch.randn(7, 4, 3, dtype=double, requires_grad=True)
    states = [torch.randn_like(entry).requires_grad_() for entry in entries(stock(inputs)[1])]
    state = states[0] if len(states) == 1 else tuple(states)
    found = []
    for one in (layer, stock):
        output, final = one(inputs, state)
        loss = output.sin().sum() + sum(entry.cos().sum() for entry in entries(final))
        found.append(torch.autograd.grad(loss, [inputs, *states]))
    for got, want in zip(*found, strict=True):
        torch.testing.assert_close(got, want, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_a_stream_in_chunks_equals_one_call(cell):
    layer = HiPPOLayer(3, 8, cell=cell, batch_first=True, num_layers=1 if cell == "gru_d" else 2, **CELLS[cell])
    inputs = torch.randn(4, 30, 3)
    output, final = layer(inputs)
    state, outputs = layer.initial_state(4), []
    for part in inputs.split([1, 9, 20], 1):
        one, state = layer(part, state)
        outputs.append(one)
    for got, want in zip((torch.cat(outputs, 1), *entries(state)), (output, *entries(final)), strict=True):
        torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)  # forty roundings of products of float32


def test_timestamps_in_chunks_in_every_layout():
    layer = HiPPOLayer(3, 8, num_layers=2).double()
    inputs, times = torch.randn(20, 4, 3, dtype=double), torch.rand(20, 4, dtype=double).sort(0).values
    output, _ = layer(inputs, times=times)
    assert not torch.allclose(output, layer(inputs)[0], atol=1e-3)
    first, state = layer(inputs[:7], times=times[:7])
    torch.testing.assert_close(torch.cat([first, layer(inputs[7:], state, times=times[7:])[0]]), output)
    torch.testing.assert_close(layer(inputs[:, 1], times=times[:, 1])[0], output[:, 1])
    packed, whole = layer(pack_padded_sequence(inputs, [20] * 4), times=times), layer(inputs, times=times)
    torch.testing.assert_close(pad_packed_sequence(packed[0])[0], whole[0])


def test_lengths_equal_a_packed_sequence():
    layer = HiPPOLayer(3, 8, num_layers=2, bidirectional=True, batch_first=True).double()
    inputs, lengths = torch.randn(4, 9, 3, dtype=double), [4, 9, 1, 4]
    output, state = layer(inputs, lengths=lengths)
    packed, other = layer(pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False))
    torch.testing.assert_close(output, pad_packed_sequence(packed, batch_first=True)[0])
    for got, want in zip(state, other, strict=True):
        assert torch.equal(got, want)


def test_dropout_acts_between_layers_in_training():
    torch.manual_seed(0)
    layer, inputs = HiPPOLayer(3, 8, num_layers=2, dropout=0.5), torch.randn(9, 4, 3)
    assert not torch.equal(layer(inputs)[0], layer(inputs)[0])
    layer.eval()
    assert torch.equal(layer(inputs)[0], layer(inputs)[0])
    with pytest.warns(UserWarning, match="there is one layer"):
        alone = HiPPOLayer(3, 8, dropout=0.5)
    assert torch.equal(alone(inputs)[0], alone(inputs)[0])


def test_copies_weights_and_types():
    layer, inputs = HiPPOLayer(3, 8, num_layers=2, bidirectional=True), torch.randn(9, 4, 3)
    output, state = layer(inputs)
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other = HiPPOLayer(3, 8, num_layers=2, bidirectional=True, dtype=torch.float64)
    other.load_state_dict(torch.load(file, weights_only=True))
    torch.testing.assert_close(other(inputs.double())[0].float(), output, atol=1e-5, rtol=1e-5)
    assert torch.equal(copy.deepcopy(layer)(inputs)[0], output)
    assert torch.equal(layer.to("cpu")(inputs, layer.initial_state(4))[0], output)
    layer.reset_parameters()
    layer.flatten_parameters()
    assert not torch.equal(layer(inputs)[0], output)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(nn.Linear(3, 3)(inputs), state)[0].dtype == torch.float32


def test_truncated_backpropagation_detaches_the_state():
    layer = HiPPOLayer(3, 8)
    state = layer.initial_state(4)
    for _ in range(3):
        output, state = layer(torch.randn(5, 4, 3), tuple(entry.detach() for entry in state))
        output.square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "leggs"}, "unknown model 'leggs'; did you mean 'legs'"),
        ({"cell": "s4"}, "s4 is not a recurrent cell"),
        ({"cell": "ncde"}, "NCDECell has no state that a stream could carry"),
        ({"cell": "gru_d", "num_layers": 2}, "states of different shapes; expected num_layers = 1"),
        ({"layers": 2}, "layers belong to build_model; expected num_layers"),
        ({"ordr": 4}, "unknown key 'ordr'; did you mean 'order'"),
        ({"cell": "gru", "bias": False}, "unknown key 'bias'; valid: batch_first, bidirectional, device, dropout"),
        ({"num_layers": 0}, "num_layers is 0; expected a positive integer"),
        ({"dropout": 2.0}, "dropout is 2.0; expected a number from 0 to 1"),
        ({"dropout": "a"}, "dropout is 'a'; expected a number from 0 to 1"),
        ({"bidirectional": "no"}, "bidirectional is 'no'; expected True or False"),
        ({"batch_first": None}, "batch_first is None; expected True or False"),
        ({"dtype": torch.float16}, "expected torch.float32 or torch.float64; engine.precision"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        HiPPOLayer(3, 8, **options)


def test_wrong_arguments_are_refused():
    layer, inputs = HiPPOLayer(3, 8, bidirectional=True), torch.randn(9, 4, 3)
    _, state = layer(inputs)
    for call, message in (
        (lambda: layer(torch.randn(9, 4, 2)), "expected \\(length, batch, 3\\) or \\(length, 3\\)"),
        (lambda: layer(inputs, state[0]), "HiPPOLayer: the state is float32 \\(2, 4, 8\\) on cpu; expected"),
        (lambda: layer(inputs, state, times=torch.ones(9, 4)), "times of a bidirectional layer with a state"),
        (lambda: layer(inputs, lengths=[9, 9, 9]), "lengths have shape \\(3,\\); expected \\(4,\\)"),
        (lambda: layer(pack_padded_sequence(inputs, [9] * 4), lengths=[9] * 4), "beside a PackedSequence"),
        (lambda: layer(inputs.double()), "inputs are torch.float64, the weights torch.float32"),
        (lambda: layer.half()(inputs.half()), "engine.precision to bfloat16"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_its_representation_shows_the_arguments():
    assert "3, 8, cell='legs', num_layers=2, bidirectional=True" in repr(HiPPOLayer(3, 8, 2, bidirectional=True))


def test_examples_run():
    result = doctest.testmod(hippo_layer)
    assert result.attempted and not result.failed


@pytest.mark.parametrize("module", [HiPPOLayer(3, 4), build_model("legs", 3, 2, hidden_size=4), S4(3)], ids=type)
def test_what_is_no_tensor_is_refused(module):
    inputs = torch.randn(5, 2, 3)
    for wrong, message in ((inputs.numpy(), "inputs are of type ndarray"), (inputs.to_sparse(), "a sparse tensor")):
        with pytest.raises(TypeError, match=message):
            module(wrong)
    if isinstance(module, HiPPOLayer):
        with pytest.raises(TypeError, match="inputs are of type list; expected a tensor"):
            module.cells[0].run(inputs.tolist())
        with pytest.raises(TypeError, match="times are of type list"):
            module(inputs, times=[[0.0, 0.0]] * 5)


@pytest.mark.parametrize("state", [3, (None,), ("h",)])
def test_a_state_that_is_none_is_refused(state):
    with pytest.raises(TypeError, match="expected a state as the layer returns it"):
        HiPPOLayer(2, 4, cell="gru")(torch.randn(5, 2), state)


def test_packed_sequences_of_other_channels_are_refused():
    packed = nn.utils.rnn.pack_sequence([torch.randn(5, 3), torch.randn(4, 3)])
    with pytest.raises(ValueError, match="the packed data has shape"):
        HiPPOLayer(2, 4, cell="gru")(packed)
