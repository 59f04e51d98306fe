"""Theorems on the memory (Gu et al. 2020, section 3), tested through the recurrent cell that contains it."""

import math

import torch

from hippo.nn import build_model

double = torch.float64


def open_cell(name="legs", **options):
    """A cell whose memory depends on the input only, and whose hidden state has no gate."""
    torch.manual_seed(0)
    cell = build_model(name, 1, 2, **{"hidden_size": 6, "order": 8, "gated": False, **options}).double().backbone
    with torch.no_grad():
        cell.write.weight.copy_(torch.eye(1, 1 + cell.hidden_size))
        for bias in (cell.write.bias, cell.candidate.bias):
            bias.zero_()
        cell.candidate.weight[:, :1].zero_()
    return cell


def test_a_dilated_sequence_ends_in_the_same_state():
    """LegS has no timescale: sampling twice as often changes the state by the discretization error, of order 1."""
    cell = open_cell()
    ends = []
    for length in (2000, 4000, 8000):
        x = (torch.arange(length, dtype=double) + 0.5) / length
        ends.append(cell(torch.sin(9 * x).view(1, -1, 1)))
    first, second = (torch.linalg.norm(b - a).item() for a, b in zip(ends, ends[1:], strict=False))
    assert first < 2e-3 * torch.linalg.norm(ends[0]).item()
    assert second < 0.6 * first


def test_the_gradient_of_an_early_input_decays_as_one_over_length():
    """The gradient through T steps is proportional to 1/T; that of an RNN decays exponentially in T."""
    cell = open_cell()
    products = []
    for length in (500, 1000, 2000, 4000):
        inputs = torch.zeros(1, length, 1, dtype=double, requires_grad=True)  # around zero inputs tanh is linear
        cell(inputs).sum().backward()
        products.append(inputs.grad[0, length // 4].abs().item() * length)
    # At a fixed fraction of the past, T times the gradient is constant up to terms of order 1 / T.
    assert max(products) < 1.02 * min(products) and min(products) > 0


def test_a_memory_of_one_coefficient_is_a_gate():
    """LegT of order 1 with zero-order hold is m' = (1 - g) m + g u with g = 1 - exp(-1 / theta), a gate as in a GRU."""
    cell, theta = open_cell("legt", order=1, theta=5.0), 5.0
    inputs = torch.randn(3, 20, 1, dtype=double)
    g, m, expected = 1 - math.exp(-1 / theta), torch.zeros(3, 1, dtype=double), []
    for u in inputs.unbind(1):
        m = (1 - g) * m + g * u
        expected.append(torch.tanh(m @ cell.candidate.weight[:, 1:].T))
    torch.testing.assert_close(cell(inputs, sequence=True), torch.stack(expected, 1), atol=1e-13, rtol=0)
    torch.testing.assert_close(cell(inputs, sequence=True), cell.reference(inputs), atol=1e-13, rtol=0)
