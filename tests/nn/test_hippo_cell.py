import math

import pytest
import torch
from torch.nn import functional

from hippo.nn import build_model
from hippo.nn.cell import elapsed_shares
from tests.nn import naive

double = torch.float64


def legs_cell(input_size=2, **options):
    return build_model("legs", input_size, 3, **{"hidden_size": 7, **options}).double().cell


@pytest.mark.parametrize(
    "options",
    [{}, {"order": 5}, {"memory_size": 3}, {"gated": False}, {"discretization": "backward"}],
    ids=lambda options: ",".join(options) or "default",
)
def test_equals_the_textbook_recurrence_with_gradients(options):
    cell = legs_cell(**options)
    inputs = torch.randn(4, 12, 2, dtype=double, requires_grad=True)
    weights = torch.randn(4, 12, 7, dtype=double)
    expected, _ = naive.hippo(cell, inputs)
    wanted = torch.autograd.grad((expected * weights).sum(), [inputs, *cell.parameters()])
    hidden = cell(inputs, sequence=True)
    got = torch.autograd.grad((hidden * weights).sum(), [inputs, *cell.parameters()])
    # Rounding only: 12 steps of numbers of order one in float64.
    torch.testing.assert_close(hidden, expected, atol=1e-12, rtol=1e-12)
    for g, w in zip(got, wanted, strict=True):
        torch.testing.assert_close(g, w, atol=1e-10, rtol=1e-10)


def test_timestamps_equal_the_textbook_recurrence():
    cell = legs_cell()
    times = torch.rand(4, 9, dtype=double).sort(1).values
    times[1, 0] = 0.0
    times[2, :3] = 0.0
    inputs = torch.randn(4, 9, 2, dtype=double)
    shares = torch.ones_like(times)
    for sample in range(4):
        for k in range(1, 9):
            now, before = times[sample, k].item(), times[sample, k - 1].item()
            shares[sample, k] = (now - before) / now if now > 0 else 0.0
    expected, _ = naive.hippo(cell, inputs, shares)
    torch.testing.assert_close(cell(inputs, times, sequence=True), expected, atol=1e-12, rtol=1e-12)


def test_even_timestamps_equal_none():
    cell = legs_cell()
    inputs = torch.randn(3, 10, 2, dtype=double)
    times = torch.arange(10, dtype=double).expand(3, 10) * 0.005
    # Differences of multiples of 0.005 carry rounding of about 1e-15 relative to the step.
    torch.testing.assert_close(cell(inputs, times), cell(inputs), atol=1e-11, rtol=1e-11)


def test_memory_does_not_depend_on_the_unit_of_time():
    cell = legs_cell()
    inputs = torch.randn(3, 10, 2, dtype=double)
    times = torch.rand(3, 10, dtype=double).sort(1).values
    # Powers of two scale timestamps without rounding, so the results are the same bits.
    assert torch.equal(cell(inputs, times), cell(inputs, times * 1024))


def test_a_zero_timestamp_touches_its_own_sample_only():
    cell = legs_cell()
    inputs = torch.randn(2, 8, 2, dtype=double)
    times = torch.arange(1, 9, dtype=double).repeat(2, 1)
    alone = cell(inputs[1:], times[1:])
    times[0, :4] = 0.0
    torch.testing.assert_close(cell(inputs, times)[1:], alone, atol=1e-14, rtol=1e-14)


def test_shares_of_elapsed_time():
    times = torch.tensor([[0.0, 0.0, 2.0, 2.0, 8.0, 1.0], [3.0, 4.0, 5.0, 6.0, 12.0, 16.0]], dtype=double)
    shares = elapsed_shares(times, torch.tensor([5, 6]))
    expected = [[1, 0, 1, 0, 0.75, 0], [1, 0.25, 0.2, 1 / 6, 0.5, 0.25]]
    torch.testing.assert_close(shares, torch.tensor(expected, dtype=double), atol=0, rtol=1e-15)


@pytest.mark.parametrize("bad", [[0.0, 2.0, 1.0], [-1.0, 0.0, 1.0], [0.0, math.nan, 1.0]])
def test_times_that_run_backwards_are_refused(bad):
    with pytest.raises(ValueError, match="sort each sample's timestamps"):
        elapsed_shares(torch.tensor([bad]))


@pytest.mark.parametrize("options", [{}, {"gated": False}, {"memory_size": 2}], ids=str)
def test_gradcheck(options):
    cell = legs_cell(hidden_size=3, order=4, **options)
    inputs = torch.randn(2, 5, 2, dtype=double, requires_grad=True)
    names, parameters = zip(*cell.named_parameters(), strict=True)

    def run(inputs, *values):
        return torch.func.functional_call(cell, dict(zip(names, values, strict=True)), (inputs,))

    assert torch.autograd.gradcheck(run, (inputs, *parameters))


def test_initial_values():
    torch.manual_seed(3)
    hidden, inputs = 200, 4
    cell = build_model("legs", inputs, 2, hidden_size=hidden).cell
    features = inputs + hidden
    # W_u: Kaiming uniform with linear gain 1 has bound sqrt(3 / fan_in); 204 draws come within 5 % of it.
    bound = math.sqrt(3 / features)
    assert 0.95 * bound < cell.write.weight.abs().max() <= bound
    # 40 800 normal draws: the standard error of their deviation is 1 / sqrt(2 * 40800) = 0.35 %; allow five.
    for linear, deviation in (
        (cell.candidate, math.sqrt(2 / (features + hidden))),
        (cell.gate, features**-0.5),
    ):
        assert linear.weight.std().item() == pytest.approx(deviation, rel=0.018)
        assert linear.weight.abs().max() > 3 * deviation  # normal, not uniform
        # PyTorch's default bias: uniform within 1 / sqrt(fan_in).
        assert 0.9 * features**-0.5 < linear.bias.abs().max() <= features**-0.5


def test_parameter_count():
    cell = build_model("legs", 3, 2, hidden_size=16, order=8, memory_size=2).cell
    write = (3 + 16) * 2 + 2
    candidate_and_gate = 2 * ((3 + 2 * 8) * 16 + 16)
    assert sum(p.numel() for p in cell.parameters()) == write + candidate_and_gate


def test_order_defaults_to_the_hidden_size():
    assert build_model("legs", 1, 2, hidden_size=24).cell.memory.order == 24


def test_memory_of_a_constant_is_that_constant():
    # A constant signal is the first Legendre polynomial: coefficients [u, 0, ..., 0] for ever.
    cell = legs_cell(gated=False)
    state = torch.zeros(1, 7, dtype=double)
    u = torch.full((1,), 2.5, dtype=double)
    for k in range(50):
        state = cell.memory.advance(state, u, 1 / max(k, 1), first=k == 0)
    expected = functional.pad(u.unsqueeze(-1), (0, 6))
    torch.testing.assert_close(state, expected, atol=1e-12, rtol=0)
