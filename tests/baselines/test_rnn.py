import pytest
import torch

from hippo.nn import build_model

double = torch.float64
LIBRARY = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}


@pytest.mark.parametrize("name", LIBRARY)
def test_equals_the_library_with_gradients(name):
    torch.manual_seed(0)
    cell = build_model(name, 3, 2, hidden_size=6).double().cell
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


@pytest.mark.parametrize("name", LIBRARY)
def test_initial_values_and_count_are_the_library_s(name):
    torch.manual_seed(0)
    cell = build_model(name, 3, 2, hidden_size=64).cell
    shapes = {key: value.shape for key, value in LIBRARY[name](3, 64).state_dict().items()}
    assert {f"{key}_l0": value.shape for key, value in cell.state_dict().items()} == shapes
    for parameter in cell.parameters():  # 192 uniform draws or more come within 5 % of 1 / 8
        assert 0.95 / 8 < parameter.abs().max() <= 1 / 8


@pytest.mark.parametrize("name", LIBRARY)
def test_gradcheck(name):
    torch.manual_seed(0)
    cell = build_model(name, 2, 2, hidden_size=3).double().cell
    names, parameters = zip(*cell.named_parameters(), strict=True)

    def run(inputs, *values):
        return torch.func.functional_call(cell, dict(zip(names, values, strict=True)), (inputs,))

    inputs = torch.randn(2, 5, 2, dtype=double, requires_grad=True)
    assert torch.autograd.gradcheck(run, (inputs, *parameters))
