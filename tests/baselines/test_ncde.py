import math

import pytest
import torch

from hippo.nn import build_model
from hippo.nn.divergence import Diverged

double = torch.float64
ORDERS = {"euler": 1, "midpoint": 2, "rk4": 4}


class Growth(torch.nn.Module):
    """f(z) = z * rates: dz = z (rates . dX) has the solution z_0 exp(rates . (X_T - X_0)) for every path X."""

    def __init__(self, rates):
        super().__init__()
        self.rates = torch.tensor(rates, dtype=double)

    def forward(self, z):
        return z.unsqueeze(2) * self.rates


def growing(rates, **options):
    torch.manual_seed(0)
    cell = build_model("ncde", len(rates) - 1, 2, hidden_size=1, **options).double().backbone
    cell.field = Growth(rates)
    return cell


def exact(cell, inputs, times, last):
    ends = torch.cat([times.unsqueeze(2), inputs], 2)
    return cell.initial(ends[:, 0]) * torch.exp((ends[:, last] - ends[:, 0]) @ cell.field.rates).unsqueeze(1)


def irregular(samples, length, channels):
    torch.manual_seed(2)
    return torch.randn(samples, length, channels, dtype=double), torch.rand(samples, length, dtype=double).cumsum(1)


@pytest.mark.parametrize("solver", ORDERS)
def test_converges_to_the_closed_form_at_the_solver_s_order(solver):
    (inputs, times), rates = irregular(3, 6, 2), [-0.3, 0.4, 0.2]

    def error(steps):
        cell = growing(rates, solver=solver, steps=steps)
        return (cell(inputs, times=times) - exact(cell, inputs, times, -1)).abs().max().item()

    errors = [error(steps) for steps in (32, 64, 128)]
    for coarse, fine in zip(errors, errors[1:], strict=False):
        assert math.log2(coarse / fine) == pytest.approx(ORDERS[solver], abs=0.15)


def test_every_step_and_every_length_have_the_closed_form():
    (inputs, times), lengths = irregular(4, 7, 2), torch.tensor([7, 1, 4, 6])
    cell = growing([-0.3, 0.4, 0.2], steps=30)
    wanted = torch.stack([exact(cell, inputs, times, k) for k in range(7)], 1)
    tolerance = {"atol": 1e-6, "rtol": 0}  # rk4 over thirtieths of an interval
    torch.testing.assert_close(cell(inputs, times=times, sequence=True), wanted, **tolerance)
    padded, ends = inputs.clone(), lengths - 1
    padded[torch.arange(7) > ends[:, None]] = torch.inf
    torch.testing.assert_close(cell(padded, times=times, lengths=lengths), wanted[torch.arange(4), ends], **tolerance)


def test_the_adaptive_solver_keeps_its_tolerance():
    inputs, times = irregular(3, 6, 2)
    for tolerance in (1e-5, 1e-7, 1e-9):
        cell = growing([-0.3, 0.4, 0.2], solver="dopri5", tolerance=tolerance)
        # The tolerance is per step. There are dozens: the second derivative of the spline jumps at every observation.
        torch.testing.assert_close(
            cell(inputs, times=times), exact(cell, inputs, times, -1), atol=1000 * tolerance, rtol=0
        )


def test_points_on_a_line_change_nothing():
    """A straight path is the same path for any number of observations on it, evenly spaced or not."""
    torch.manual_seed(0)
    cell = build_model("ncde", 2, 2, hidden_size=4, steps=40).double().backbone
    slope = torch.tensor([0.7, -1.1], dtype=double)

    def answer(times):
        times = torch.tensor([times], dtype=double)
        return cell(times.unsqueeze(2) * slope, times=times)

    few, many = answer([0.0, 2.0]), answer([0.0, 0.1, 0.5, 0.6, 1.2, 2.0])
    torch.testing.assert_close(few, many, atol=1e-5, rtol=0)  # kinks of ReLU reduce the order of rk4
    assert (answer([0.0, 2.5]) - few).abs().max() > 1e-2


def test_timestamps_that_count_inputs_change_nothing():
    torch.manual_seed(0)
    cell = build_model("ncde", 2, 2, hidden_size=4).double().backbone
    inputs = torch.randn(3, 6, 2, dtype=double)
    assert torch.equal(cell(inputs), cell(inputs, times=torch.arange(6.0, dtype=double).expand(3, 6)))


def test_evaluations_are_counted_and_capped():
    inputs = torch.randn(2, 6, 2)
    cell = build_model("ncde", 2, 2, hidden_size=3).backbone
    cell(inputs)
    needed = 5 * 4 + 1  # torchcde evaluates the field once for its shape
    assert cell.counters() == {"evaluations": needed}
    capped = build_model("ncde", 2, 2, hidden_size=3, max_evaluations=needed - 1).backbone
    with pytest.raises(Diverged, match=f"more than {needed - 1} evaluations"):
        capped(inputs)


def test_gradcheck():
    torch.manual_seed(0)
    cell = build_model("ncde", 2, 2, hidden_size=3, solver="midpoint").double().backbone
    names, parameters = zip(*cell.named_parameters(), strict=True)
    times = torch.rand(2, 4, dtype=double).cumsum(1)

    def run(inputs, *values):
        return torch.func.functional_call(cell, dict(zip(names, values, strict=True)), (inputs,), {"times": times})

    inputs = torch.randn(2, 4, 2, dtype=double, requires_grad=True)
    assert torch.autograd.gradcheck(run, (inputs, *parameters), fast_mode=True)
