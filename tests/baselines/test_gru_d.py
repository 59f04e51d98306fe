from math import exp, nan, tanh

import pytest
import torch

from hippo.nn import build_model

double = torch.float64


@pytest.fixture
def cell():
    torch.manual_seed(0)
    cell = build_model("gru_d", 3, 2, hidden_size=5).double().backbone
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return cell


def irregular(samples=4, length=12):
    """Inputs with gaps (one channel never observed, one observed late), and times of which one is repeated."""
    inputs, times = torch.randn(samples, length, 3, dtype=double), torch.rand(samples, length, dtype=double).cumsum(1)
    inputs[torch.rand(inputs.shape) < 0.4] = nan
    inputs[0, :, 0] = nan
    inputs[0, : length // 2, 1] = nan
    times[1, 3] = times[1, 2]
    return inputs, times


@pytest.mark.parametrize("timestamps", [False, True])
def test_equals_the_reference_form_with_gaps(cell, timestamps):
    inputs, times = irregular()
    times = times if timestamps else None
    weights = torch.randn(4, 12, 5, dtype=double)
    hidden, expected = cell(inputs, times=times, sequence=True), cell.reference(inputs, times)
    torch.testing.assert_close(hidden, expected, atol=1e-13, rtol=1e-12)
    parameters = list(cell.parameters())
    got, wanted = (torch.autograd.grad((h * weights).sum(), parameters) for h in (hidden, expected))
    for g, w in zip(got, wanted, strict=True):
        torch.testing.assert_close(g, w, atol=1e-11, rtol=1e-11)


def test_three_steps_by_hand():
    """One unit, one channel: 0.5 observed at time 0, nothing at 2, and -1 at 5, five units of time after 0.5."""
    cell = build_model("gru_d", 1, 2, hidden_size=1).double().backbone
    values = {
        "weight_input": [[0.3], [-0.4], [0.7]],
        "weight_mask": [[0.1], [0.2], [-0.3]],
        "weight_hidden": [[0.5], [-0.6], [0.9]],
        "bias": [0.05, -0.1, 0.15],
        "hidden_decay": [[0.2]],
        "hidden_decay_bias": [0.1],
        "input_decay": [0.4],
        "input_decay_bias": [-0.3],
    }
    cell.load_state_dict({key: torch.tensor(value, dtype=double) for key, value in values.items()})

    def sigmoid(a):
        return 1 / (1 + exp(-a))

    def step(h, x, seen, elapsed):
        h = exp(-(0.2 * elapsed + 0.1)) * h
        r = sigmoid(0.3 * x + 0.5 * h + 0.1 * seen + 0.05)
        v = sigmoid(-0.4 * x - 0.6 * h + 0.2 * seen - 0.1)
        return (1 - v) * h + v * tanh(0.7 * x + 0.9 * r * h - 0.3 * seen + 0.15)

    first = step(0.0, 0.5, 1, 0)
    second = step(first, exp(-(0.4 * 2 - 0.3)) * 0.5, 0, 2)
    third = step(second, -1.0, 1, 5)
    inputs, times = torch.tensor([[[0.5], [nan], [-1.0]]], dtype=double), torch.tensor([[0.0, 2, 5]], dtype=double)
    hidden = cell(inputs, times=times, sequence=True)
    assert hidden.flatten().tolist() == pytest.approx([first, second, third], abs=1e-14)


def test_without_decay_and_reset_product_it_is_the_library_s_gru(cell):
    """The library applies the reset gate after the product: the two agree if the product of the new state is zero."""
    library = torch.nn.GRU(3, 5, batch_first=True, dtype=double)
    with torch.no_grad():
        cell.weight_hidden[10:] = 0
        for parameter in (cell.weight_mask, cell.hidden_decay, cell.hidden_decay_bias):
            parameter.zero_()
        # The update gate of the library is one minus that of GRU-D.
        sign = torch.tensor([1.0, -1.0, 1.0], dtype=double).repeat_interleave(5)
        library.weight_ih_l0.copy_(sign[:, None] * cell.weight_input)
        library.weight_hh_l0.copy_(sign[:, None] * cell.weight_hidden)
        library.bias_ih_l0.copy_(sign * cell.bias)
        library.bias_hh_l0.zero_()
    inputs = torch.randn(4, 12, 3, dtype=double)
    torch.testing.assert_close(cell(inputs, sequence=True), library(inputs)[0], atol=1e-13, rtol=1e-12)


def test_gradcheck_with_gaps(cell):
    inputs, times = irregular(2, 4)
    gaps = inputs.isnan()
    names, parameters = zip(*cell.named_parameters(), strict=True)

    def run(seen, *values):
        given = torch.where(gaps, nan, seen)
        return torch.func.functional_call(cell, dict(zip(names, values, strict=True)), (given,), {"times": times})

    assert torch.autograd.gradcheck(run, (inputs.nan_to_num().requires_grad_(), *parameters), fast_mode=True)
