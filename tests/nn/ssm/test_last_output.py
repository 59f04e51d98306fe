"""The output at the last step alone against the last of all outputs, and its gradients."""

import pytest
import torch
from torch import nn

from hippo import kernels
from hippo.nn import S4
from hippo.nn.ssm.backbone import S4Backbone

double = torch.float64
FORMS = ["torch", *(name for name in kernels.runnable() if name != "torch" and "+" not in name)]
LAYERS = [
    {"measure": "legs", "bidirectional": True},
    {"measure": "legt+fout", "n_ssm": 2, "output": "linear", "dropout": 0.1},
    {"measure": "diag_inv", "discretization": "zoh", "output": None},
]


def layer(options, features=6):
    return S4(features, 8, dt_min=0.01, dt_max=0.3, dtype=double, **options).eval()


def last(outputs, lengths):
    return outputs[:, -1] if lengths is None else outputs[range(len(outputs)), lengths - 1]


@pytest.mark.parametrize("options", LAYERS)
@pytest.mark.parametrize("lengths", [None, [1, 70, 33]])
@pytest.mark.parametrize("form", FORMS)
def test_last_of_all_outputs(form, lengths, options):
    lengths = lengths and torch.tensor(lengths)
    model, inputs = layer(options), torch.randn(3, 70, 6, dtype=double)
    with kernels.use(form):
        expected = last(model(inputs, lengths, rate=1.5), lengths)
        torch.testing.assert_close(model.last(inputs, lengths, rate=1.5), expected, atol=1e-11, rtol=1e-11)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("lengths", [None, [1, 70, 33]])
@pytest.mark.parametrize("form", FORMS)
def test_the_entry_is_part_of_the_product(form, lengths, bias):
    lengths = lengths and torch.tensor(lengths)
    model, entry = layer({"measure": "legs"}), nn.Linear(2, 6, bias=bias, dtype=double)
    inputs, weights = torch.randn(3, 70, 2, dtype=double), torch.randn(3, 6, dtype=double)
    parameters = [*model.parameters(), *entry.parameters()]
    with kernels.use(form):
        expected = last(model(entry(inputs), lengths), lengths)
        outputs = model.last(inputs, lengths, entry=entry)
        torch.testing.assert_close(outputs, expected, atol=1e-11, rtol=1e-11)
        gradients = [torch.autograd.grad((weights * y).sum(), parameters) for y in (outputs, expected)]
    for found, wanted in zip(*gradients, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-9, rtol=1e-9)


def test_padding_is_not_read():
    model, lengths = S4Backbone(2, layer({"measure": "legs"}).float()), torch.tensor([5, 9])
    inputs = torch.randn(2, 9, 2)
    outputs = model(inputs, lengths=lengths)
    inputs[0, 5:] = float("nan")
    torch.testing.assert_close(model(inputs, lengths=lengths), outputs, atol=0, rtol=0)


def test_wrong_lengths_and_shapes():
    model, inputs = layer({"measure": "legs"}), torch.randn(2, 9, 6, dtype=double)
    with pytest.raises(ValueError, match="lengths span 0 to 9; expected 1 to 9"):
        model.last(inputs, torch.tensor([0, 9]))
    with pytest.raises(ValueError, match=r"inputs have shape \(2, 9, 6\); expected \(batch, length, 2\)"):
        model.last(inputs, entry=nn.Linear(2, 6))
