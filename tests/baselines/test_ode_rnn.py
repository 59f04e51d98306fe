import math

import pytest
import torch
from torch import nn
from torchdiffeq import odeint

from hippo.nn import build_model
from hippo.nn.divergence import Diverged
from hippo_baselines.solver import Solver

double = torch.float64
ORDERS = {"euler": 1, "midpoint": 2, "rk4": 4}
STAGES = {"euler": 1, "midpoint": 2, "rk4": 4}


def linear(matrix, **options):
    """An ODE-RNN whose hidden state follows h' = `matrix` h, which the matrix exponential solves."""
    torch.manual_seed(0)
    cell = build_model("ode_rnn", 2, 2, hidden_size=len(matrix), **options).double().backbone
    cell.field = nn.Linear(*matrix.shape, bias=False, dtype=double)
    cell.field.weight.data = matrix
    return cell


@pytest.fixture
def matrix():
    """A stable matrix with rotation and decay, of norm about one."""
    torch.manual_seed(1)
    return 0.5 * torch.randn(4, 4, dtype=double) - 0.5 * torch.eye(4, dtype=double)


def flow_error(matrix, elapsed, **options):
    cell, h = linear(matrix, **options), torch.ones(len(elapsed), 4, dtype=double)
    got = cell.flow(h, elapsed[:, None])
    wanted = torch.stack([torch.linalg.matrix_exp(matrix * dt) @ row for dt, row in zip(elapsed, h, strict=True)])
    return (got - wanted).abs().max().item()


@pytest.mark.parametrize("solver", ORDERS)
def test_flow_converges_to_the_matrix_exponential_at_the_solver_s_order(solver, matrix):
    elapsed = torch.tensor([0.3, 1.0, 2.0], dtype=double)  # one per sample
    errors = [flow_error(matrix, elapsed, solver=solver, steps=steps) for steps in (16, 32, 64)]
    for coarse, fine in zip(errors, errors[1:], strict=False):
        assert math.log2(coarse / fine) == pytest.approx(ORDERS[solver], abs=0.15)


def test_the_adaptive_solver_keeps_its_tolerance(matrix):
    elapsed = torch.tensor([0.3, 1.0, 2.0], dtype=double)
    for tolerance in (1e-4, 1e-8):  # the tolerance is per step, and there are a few steps
        assert flow_error(matrix, elapsed, solver="dopri5", tolerance=tolerance) < 10 * tolerance


def test_zero_time_changes_nothing(matrix):
    h = torch.randn(2, 4, dtype=double)
    assert torch.equal(linear(matrix).flow(h, torch.zeros(2, 1, dtype=double)), h)


def test_integrates_between_inputs_and_updates_at_each(matrix):
    cell = linear(matrix, solver="rk4", steps=30)
    inputs, times = torch.randn(3, 6, 2, dtype=double), torch.rand(3, 6, dtype=double).cumsum(1)
    h, wanted = torch.zeros(3, 4, dtype=double), []
    for k in range(6):
        if k:
            elapsed = (times[:, k] - times[:, k - 1])[:, None, None]
            h = (torch.linalg.matrix_exp(elapsed * matrix) @ h.unsqueeze(2)).squeeze(2)
        h = cell.update(inputs[:, k], h)
        wanted.append(h)
    # rk4 over steps of 1/30: below (1/30)^4 / 120 per unit of time.
    torch.testing.assert_close(cell(inputs, times=times, sequence=True), torch.stack(wanted, 1), atol=1e-7, rtol=0)


@pytest.mark.parametrize("name", ["ode_rnn", "ncde"])
def test_the_unit_of_time_divides_the_timestamps(name):
    def answer(times, **options):
        torch.manual_seed(0)
        return build_model(name, 2, 2, hidden_size=3, **options).double().backbone(inputs, times=times)

    torch.manual_seed(1)
    inputs, times = torch.randn(3, 6, 2, dtype=double), torch.rand(3, 6, dtype=double).cumsum(1)
    assert torch.equal(answer(8 * times, time_unit=8), answer(times))
    number = torch.arange(6.0, dtype=double).expand(3, 6)
    assert torch.equal(answer(None, time_unit=8), answer(number / 8))


@pytest.mark.parametrize("solver", ORDERS)
def test_evaluations_are_counted_and_capped(solver):
    length, steps = 7, 3
    needed = (length - 1) * steps * STAGES[solver]
    for cap in (needed, needed - 1):
        cell = build_model("ode_rnn", 2, 2, hidden_size=3, solver=solver, steps=steps, max_evaluations=cap).backbone
        inputs = torch.randn(2, length, 2)
        if cap == needed:
            cell(inputs)
            cell(inputs)  # the limit applies to each pass
            assert cell.counters() == {"evaluations": 2 * needed} and cell.counters() == {"evaluations": 0}
        else:
            with pytest.raises(Diverged, match=f"more than {cap} evaluations"):
                cell(inputs)


@pytest.mark.parametrize("solver", ["rk4", "dopri5"])
def test_a_resumed_pass_counts_the_interval_before_its_first_input(solver):
    """The limit holds for all intervals of the chunk, however many evaluations the solver needs in each."""
    options = {"steps": 3} if solver == "rk4" else {"tolerance": 1e-4}
    inputs = torch.randn(2, 7, 2)
    torch.manual_seed(0)
    cell = build_model("ode_rnn", 2, 2, hidden_size=3, solver=solver, **options).backbone
    state = cell.run(inputs)[1]
    cell.counters()
    cell.run(inputs, state)
    needed = cell.counters()["evaluations"]
    if solver == "rk4":
        assert needed == len(inputs[0]) * 3 * STAGES[solver]
    cell.solver.max_evaluations = needed
    cell.run(inputs, state)  # the limit applies to each pass
    cell.solver.max_evaluations = needed - 1
    with pytest.raises(Diverged, match=f"more than {needed - 1} evaluations"):
        cell.run(inputs, state)


def test_an_explosion_underflows_the_step():
    """The solution of y' = y^2 from 1 is infinite at time 1."""
    solver = Solver("dopri5", 1, 1e-6, 10**6)
    with pytest.raises(Diverged, match="dopri5: underflow in dt"):
        solver(odeint, lambda t, y: y**2, torch.ones(1, 1, dtype=double), (0, 2))
    assert 10 < solver.take_count() < 10**5


def test_other_assertion_errors_are_not_divergence():
    with pytest.raises(AssertionError):
        Solver("dopri5", 1, 1e-6, 10)(odeint, lambda t, y: y, torch.ones(1, 1), (1, 1))


def test_gradcheck():
    torch.manual_seed(0)
    cell = build_model("ode_rnn", 2, 2, hidden_size=3, solver="midpoint").double().backbone
    names, parameters = zip(*cell.named_parameters(), strict=True)
    times = torch.rand(2, 4, dtype=double).cumsum(1)

    def run(inputs, *values):
        return torch.func.functional_call(cell, dict(zip(names, values, strict=True)), (inputs,), {"times": times})

    inputs = torch.randn(2, 4, 2, dtype=double, requires_grad=True)
    assert torch.autograd.gradcheck(run, (inputs, *parameters), fast_mode=True)


def test_gradcheck_of_the_state():
    torch.manual_seed(0)
    cell = build_model("ode_rnn", 2, 2, hidden_size=3, solver="midpoint").double().backbone
    inputs = torch.randn(2, 3, 2, dtype=double, requires_grad=True)
    h, time = torch.randn(2, 3, dtype=double, requires_grad=True), torch.tensor([2.0, 5.0], dtype=double)

    def run(inputs, h):
        hidden, state = cell.run(inputs, (h, time))
        return hidden, state[0]

    assert torch.autograd.gradcheck(run, (inputs, h))
