from math import cos, exp, sin, tanh

import pytest
import torch

from hippo.nn import build_model

double = torch.float64
LIBRARY = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}


@pytest.mark.parametrize("name", LIBRARY)
def test_equals_the_library_with_gradients(name):
    torch.manual_seed(0)
    cell = build_model(name, 3, 2, hidden_size=6).double().backbone
    library = LIBRARY[name](3, 6, batch_first=True, dtype=double)
    library.load_state_dict({f"{key}_l0": value for key, value in cell.state_dict().items()})
    inputs = torch.randn(4, 15, 3, dtype=double, requires_grad=True)
    expected, _ = library(inputs)
    wanted = torch.autograd.grad(expected.square().sum(), [inputs, *library.parameters()])
    hidden = cell(inputs, sequence=True)
    got = torch.autograd.grad(hidden.square().sum(), [inputs, *cell.parameters()])
    torch.testing.assert_close(hidden, expected, atol=1e-13, rtol=1e-12)
    for g, w in zip(got, wanted, strict=True):
        torch.testing.assert_close(g, w, atol=1e-11, rtol=1e-11)


def sigmoid(a: float) -> float:
    return 1 / (1 + exp(-a))


def stepped_by_hand(name: str, values: dict, inputs: list[float], step) -> None:
    """Compare the cell with these weights with `step(state, x)` on numbers, from a state of zeros."""
    cell = (
        build_model(name, 1, 2, hidden_size=len(next(iter(values.values()))) // getattr(step, "gates", 1))
        .double()
        .backbone
    )
    cell.load_state_dict({key: torch.tensor(value, dtype=double) for key, value in values.items()})
    expected, state = [], [0.0] * cell.hidden_size
    for x in inputs:
        state = step(state, x)
        expected.append(state)
    hidden = cell(torch.tensor(inputs, dtype=double).view(1, -1, 1), sequence=True)
    torch.testing.assert_close(hidden[0], torch.tensor(expected, dtype=double), atol=1e-14, rtol=1e-14)


def test_mgu_by_hand():
    """Zhou et al. 2016, equations 7 to 9: one gate both forgets and resets."""

    def step(state, x):
        (h,) = state
        f = sigmoid(0.3 * x + 0.5 * h + 0.1 + 0.02)
        new = tanh(-0.4 * x - 0.6 * (f * h) + 0.2 + 0.03)
        return [(1 - f) * h + f * new]

    step.gates = 2
    values = {
        "weight_ih": [[0.3], [-0.4]],
        "weight_hh": [[0.5], [-0.6]],
        "bias_ih": [0.1, 0.2],
        "bias_hh": [0.02, 0.03],
    }
    stepped_by_hand("mgu", values, [0.5, -1.0, 2.0, 0.1], step)


def test_exprnn_by_hand():
    """Two units: the exponential of a skew matrix is a rotation by its entry."""
    angle, (w, v), (b, d) = 0.7, (0.9, -0.8), (-0.2, 0.1)

    def mod_relu(z, bias):
        return (1 if z > 0 else -1) * max(abs(z) + bias, 0.0)

    def step(state, x):
        h, g = state
        turned = cos(angle) * h + sin(angle) * g, -sin(angle) * h + cos(angle) * g
        return [mod_relu(w * x + turned[0], b), mod_relu(v * x + turned[1], d)]

    values = {"bias": [b, d], "weight_ih": [[w], [v]], "skew": [[0.0, angle], [0.0, 0.0]]}
    stepped_by_hand("exprnn", values, [0.5, -1.0, 0.05, 2.0], step)


@pytest.mark.parametrize("name", LIBRARY)
def test_initial_values_and_count_are_the_library_s(name):
    torch.manual_seed(0)
    cell = build_model(name, 3, 2, hidden_size=64).backbone
    shapes = {key: value.shape for key, value in LIBRARY[name](3, 64).state_dict().items()}
    assert {f"{key}_l0": value.shape for key, value in cell.state_dict().items()} == shapes
    for parameter in cell.parameters():  # of at least 192 uniform values one is within 5 % of 1 / 8
        assert 0.95 / 8 < parameter.abs().max() <= 1 / 8


@pytest.mark.parametrize("name", LIBRARY)
def test_gradcheck(name):
    torch.manual_seed(0)
    cell = build_model(name, 2, 2, hidden_size=3).double().backbone
    names, parameters = zip(*cell.named_parameters(), strict=True)

    def run(inputs, *values):
        return torch.func.functional_call(cell, dict(zip(names, values, strict=True)), (inputs,))

    inputs = torch.randn(2, 5, 2, dtype=double, requires_grad=True)
    assert torch.autograd.gradcheck(run, (inputs, *parameters))
