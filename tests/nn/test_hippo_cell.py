import doctest
import math

import pytest
import torch
from torch.nn import functional

from hippo.nn import build_model
from hippo.nn.cells import memories
from hippo.nn.cells.times import step_ratios_of

double = torch.float64


def legs_cell(input_size=2, **options):
    return build_model("legs", input_size, 3, **{"hidden_size": 7, **options}).double().backbone


def test_timestamps_equal_steps_with_ratios_by_hand():
    cell = legs_cell()
    times = torch.rand(4, 9, dtype=double).sort(1).values
    times[1, 0] = 0.0
    times[2, :3] = 0.0
    inputs = torch.randn(4, 9, 2, dtype=double)
    ratios = torch.ones_like(times)
    for sample in range(4):
        for k in range(1, 9):
            now, before = times[sample, k].item(), times[sample, k - 1].item()
            ratios[sample, k] = (now - before) / now if now > 0 else 0.0
    state, expected = cell.start(inputs), []
    for k in range(9):
        state = cell.step(inputs[:, k], state, ratios[:, k])
        expected.append(state[0])
    torch.testing.assert_close(
        cell(inputs, times=times, sequence=True), torch.stack(expected, 1), atol=1e-12, rtol=1e-12
    )


def test_even_timestamps_equal_none():
    cell = legs_cell()
    inputs = torch.randn(3, 10, 2, dtype=double)
    times = torch.arange(10, dtype=double).expand(3, 10) * 0.005
    # Differences of multiples of 0.005 carry rounding of about 1e-15 relative to the step.
    torch.testing.assert_close(cell(inputs, times=times), cell(inputs), atol=1e-11, rtol=1e-11)


def test_memory_does_not_depend_on_the_unit_of_time():
    cell = legs_cell()
    inputs = torch.randn(3, 10, 2, dtype=double)
    times = torch.rand(3, 10, dtype=double).sort(1).values
    # Powers of two scale timestamps without rounding, so the results are the same bits.
    assert torch.equal(cell(inputs, times=times), cell(inputs, times=times * 1024))


def test_a_zero_timestamp_changes_only_its_own_sample():
    cell = legs_cell()
    inputs = torch.randn(2, 8, 2, dtype=double)
    times = torch.arange(1, 9, dtype=double).repeat(2, 1)
    alone = cell(inputs[1:], times=times[1:])
    times[0, :4] = 0.0
    torch.testing.assert_close(cell(inputs, times=times)[1:], alone, atol=1e-14, rtol=1e-14)


def test_step_ratios():
    times = torch.tensor([[0.0, 0.0, 2.0, 2.0, 8.0, 1.0], [3.0, 4.0, 5.0, 6.0, 12.0, 16.0]], dtype=double)
    ratios = step_ratios_of(times, torch.tensor([5, 6]))
    expected = [[1, 0, 1, 0, 0.75, 0], [1, 0.25, 0.2, 1 / 6, 0.5, 0.25]]
    torch.testing.assert_close(ratios, torch.tensor(expected, dtype=double), atol=0, rtol=1e-15)


@pytest.mark.parametrize(
    "bad",
    [[0.0, 2.0, 1.0], [-1.0, 0.0, 1.0], [0.0, math.nan, 1.0], [0.0, 1.0, math.inf], [math.inf, math.inf, math.inf]],
)
def test_times_that_decrease_are_refused(bad):
    with pytest.raises(ValueError, match="sort each sample's timestamps"):
        step_ratios_of(torch.tensor([bad]))


def test_gradcheck_with_timestamps():
    cell = legs_cell(hidden_size=3, order=4)
    inputs = torch.randn(2, 4, 2, dtype=double, requires_grad=True)
    times = torch.rand(2, 4, dtype=double).sort(1).values
    assert torch.autograd.gradcheck(lambda x: cell(x, times=times), (inputs,))


def test_initial_values():
    torch.manual_seed(3)
    hidden, inputs = 200, 4
    cell = build_model("legs", inputs, 2, hidden_size=hidden).backbone
    features = inputs + hidden
    # W_u: Kaiming uniform with linear gain 1 has bound sqrt(3 / fan_in); of 204 values one is within 5 % of it.
    bound = math.sqrt(3 / features)
    assert 0.95 * bound < cell.write.weight.abs().max() <= bound
    # 40 800 normal values: the standard error of their deviation is 1 / sqrt(2 * 40800) = 0.35 %; allow five.
    for linear, deviation in (
        (cell.candidate, math.sqrt(2 / (features + hidden))),
        (cell.gate, features**-0.5),
    ):
        assert linear.weight.std().item() == pytest.approx(deviation, rel=0.018)
        assert linear.weight.abs().max() > 3 * deviation  # normal, not uniform
        # PyTorch's default bias: uniform within 1 / sqrt(fan_in).
        assert 0.9 * features**-0.5 < linear.bias.abs().max() <= features**-0.5


def test_parameter_count():
    cell = build_model("legs", 3, 2, hidden_size=16, order=8, memory_size=2).backbone
    write = (3 + 16) * 2 + 2
    candidate_and_gate = 2 * ((3 + 2 * 8) * 16 + 16)
    assert sum(p.numel() for p in cell.parameters()) == write + candidate_and_gate


def test_order_defaults_to_the_hidden_size():
    assert build_model("legs", 1, 2, hidden_size=24).backbone.memory.order == 24


def test_memory_of_a_constant_is_that_constant():
    # A constant signal is the first Legendre polynomial: coefficients [u, 0, ..., 0] at all times.
    cell = legs_cell(gated=False)
    state = torch.zeros(1, 7, dtype=double)
    u = torch.full((1,), 2.5, dtype=double)
    for k in range(50):
        state = cell.memory.update(state, u, 1 / max(k, 1), first=k == 0)
    expected = functional.pad(u.unsqueeze(-1), (0, 6))
    torch.testing.assert_close(state, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", ["legt", "fout"])
def test_a_window_of_theta_steps_forgets_what_is_older(name):
    """The norm of the memory of an impulse, relative to its maximum, decays soon after theta steps, not before."""
    theta = 200
    A, B = build_model(name, 1, 2, hidden_size=64, theta=float(theta)).backbone.memory.matrices(torch.zeros(1).double())
    memory, norms = B.clone(), []
    for _ in range(2 * theta):
        norms.append(memory.norm().item())
        memory = A @ memory
    norms = torch.tensor(norms) / max(norms)
    assert norms[: theta - 20].min() > 0.25 and norms[theta + 20 :].max() < 0.2


@pytest.mark.parametrize("rule", ["zoh", "bilinaer"])
def test_legs_memory_refuses_rules_without_a_fast_update(rule):
    with pytest.raises(ValueError, match=rule):
        memories.LegSMemory(4, rule)


def test_state_of_step_counts_inputs():
    """The first input of a stream fills the memory; at the second the step ratio is 1 as well, but it does not."""
    cell = legs_cell(gated=False)
    inputs = torch.randn(2, 2, 2, dtype=double)
    first = cell.step(inputs[:, 0], cell.start(inputs), 1.0)
    second = cell.step(inputs[:, 1], first, 1.0)
    assert first[2].tolist() == [0, 0] and second[2].tolist() == [1, 1]  # times of the last input
    assert not first[1][..., 1:].any() and second[1][..., 1:].any()
    torch.testing.assert_close(second[0], cell(inputs), atol=1e-13, rtol=1e-13)


def test_examples_of_memories_run():
    result = doctest.testmod(memories)
    assert result.attempted and not result.failed
