"""What cells keep between calls serves every mode of PyTorch: tensors of one mode are useless in another."""

import copy
import pickle

import pytest
import torch

from hippo.nn import build_model

OPTIONS = {"legs": {}, "legt": {"theta": 10.0}, "lmu": {"theta": 10.0}}


def cell(name):
    return build_model(name, input_size=2, output_size=2, hidden_size=4, **OPTIONS[name]).backbone


def step_through(cell, inputs):
    state = cell.start(inputs)
    for k in range(inputs.shape[1]):
        state = cell.step(inputs[:, k], state)
    return state[0]


@pytest.mark.parametrize("name", OPTIONS)
def test_training_after_steps_in_inference_mode(name):
    """Also of another cell of the same order."""
    inputs, one, other = torch.randn(3, 5, 2), cell(name), cell(name)
    with torch.inference_mode():
        step_through(one, inputs)
        one(inputs)
    for trained in (one, other):
        step_through(trained, inputs).sum().backward()
        trained.reference(inputs).sum().backward()


@pytest.mark.parametrize("name", OPTIONS)
def test_copies_after_a_transform(name):
    inputs, transformed = torch.randn(3, 5, 2), cell(name)
    torch.func.grad(lambda values: step_through(transformed, values).sum())(inputs)
    for copied in (copy.deepcopy(transformed), pickle.loads(pickle.dumps(transformed))):
        assert torch.equal(copied(inputs), transformed(inputs))


class Reference(torch.nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def forward(self, inputs):
        return self.cell.reference(inputs)[:, -1]


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONS)
def test_an_exported_cell_is_unchanged(name):
    inputs, own = torch.randn(3, 4, 2), cell(name)
    expected = step_through(own, inputs)
    program = torch.export.export(Reference(own), (inputs,), strict=False)
    torch.testing.assert_close(program.module()(inputs), expected)
    for each in (own, copy.deepcopy(own)):
        torch.testing.assert_close(step_through(each, inputs), expected)
        torch.testing.assert_close(each(inputs), expected)


def test_a_copy_has_no_matrices_of_a_device():
    memory = cell("legt").memory
    memory.matrices(torch.zeros(()))
    assert memory._converted and not copy.deepcopy(memory)._converted
