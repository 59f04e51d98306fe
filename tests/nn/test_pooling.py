"""Pooling against loops over unpadded samples."""

import pytest
import torch

from hippo.nn.pooling import pool, true_steps

LENGTHS = [5, 1, 3]


@pytest.fixture
def outputs():
    return torch.randn(3, 5, 2, dtype=torch.float64)


def test_true_steps_are_those_before_the_length():
    expected = [[step < length for step in range(5)] for length in LENGTHS]
    assert true_steps(torch.tensor(LENGTHS), 5).tolist() == expected


def test_last_is_the_output_at_the_last_true_step(outputs):
    assert torch.equal(pool(outputs, None, "last"), outputs[:, 4])
    expected = torch.stack([sample[length - 1] for sample, length in zip(outputs, LENGTHS, strict=True)])
    assert torch.equal(pool(outputs, torch.tensor(LENGTHS), "last"), expected)


def test_mean_is_over_the_true_steps(outputs):
    torch.testing.assert_close(pool(outputs, None, "mean"), sum(outputs.unbind(1)) / 5)
    expected = torch.stack([sample[:length].mean(0) for sample, length in zip(outputs, LENGTHS, strict=True)])
    outputs[1, 1:], outputs[2, 3:] = torch.nan, 1e9
    torch.testing.assert_close(pool(outputs, torch.tensor(LENGTHS), "mean"), expected)


def test_padding_that_is_not_finite_has_no_effect_on_gradients(outputs):
    outputs[1, 1:] = torch.inf
    outputs.requires_grad_()
    pool(outputs, torch.tensor(LENGTHS), "mean").sum().backward()
    expected = true_steps(torch.tensor(LENGTHS), 5) / torch.tensor(LENGTHS).unsqueeze(1)
    torch.testing.assert_close(outputs.grad, expected.double().unsqueeze(2).expand(3, 5, 2))
