import math

import pytest
import torch

from hippo.nn import build_model

double = torch.float64


def test_one_step_by_hand():
    # Order 1, window theta, zero-order hold: an average m' = q m + (1 - q) u with q = e^{-1/theta}.
    theta = 4.0
    cell = build_model("lmu", 1, 1, hidden_size=1, order=1, theta=theta).double().backbone
    with torch.no_grad():
        for name, value in {
            "encode_input": 2.0,
            "encode_hidden": 0.5,
            "encode_memory": -0.25,
            "weight_input": 0.1,
            "weight_hidden": 0.2,
            "weight_memory": 0.3,
        }.items():
            getattr(cell, name).fill_(value)
    keep = math.exp(-1 / theta)
    m1 = (1 - keep) * 2.0 * 1.0
    h1 = math.tanh(0.1 * 1.0 + 0.3 * m1)
    u2 = 2.0 * -3.0 + 0.5 * h1 - 0.25 * m1
    m2 = keep * m1 + (1 - keep) * u2
    h2 = math.tanh(0.1 * -3.0 + 0.2 * h1 + 0.3 * m2)
    hidden = cell(torch.tensor([[[1.0], [-3.0]]], dtype=double), sequence=True)
    torch.testing.assert_close(hidden.flatten(), torch.tensor([h1, h2], dtype=double), atol=0, rtol=1e-13)


def test_the_window_forgets_after_theta():
    # An impulse is in memory while it is younger than theta; after that only the error of order 12 remains.
    cell = build_model("lmu", 1, 1, hidden_size=12, theta=40).double().backbone
    A, B = cell.memory.matrices(torch.zeros(1, dtype=double))
    state, norms = B.clone(), []
    for _ in range(80):
        norms.append(state.norm().item())
        state = A @ state
    assert norms[30] > 0.3 * max(norms)
    assert norms[79] < 0.05 * max(norms)


def test_initial_values():
    torch.manual_seed(1)
    cell = build_model("lmu", 3, 2, hidden_size=100, order=150, theta=50).backbone
    assert torch.equal(cell.encode_input, torch.ones(1, 3))
    for zero in (cell.encode_hidden, cell.encode_memory, cell.weight_input, cell.weight_hidden):
        assert not zero.any()
    # 15 000 values: five standard errors of the deviation are 2.9 %.
    assert cell.weight_memory.std().item() == pytest.approx(math.sqrt(2 / 250), rel=0.029)


def test_parameter_count():
    cell = build_model("lmu", 3, 2, hidden_size=5, order=4, memory_size=2, theta=10).backbone
    encoders, weights = 2 * (3 + 5 + 8), 5 * (3 + 5 + 8)
    assert sum(p.numel() for p in cell.parameters()) == encoders + weights
