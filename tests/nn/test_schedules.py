"""Learning-rate schedules against the schedulers of torch.optim."""

import doctest

import pytest
import torch
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LinearLR, SequentialLR

from hippo.nn import schedules
from hippo.nn.schedules import learning_rate_multiplier


def rates_of(make_scheduler, steps):
    """Learning rates of a torch optimizer with rate 1 under a scheduler, before each of its steps."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler, rates = make_scheduler(optimizer), []
    for _ in range(steps):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return rates


def test_constant_is_one():
    assert {learning_rate_multiplier(step) for step in range(100)} == {1.0}


@pytest.mark.parametrize("total", [1, 2, 37])
def test_cosine_without_warmup_is_that_of_torch(total):
    expected = rates_of(lambda optimizer: CosineAnnealingLR(optimizer, total), total + 1)
    got = [learning_rate_multiplier(step, "cosine", total) for step in range(total + 1)]
    assert got == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("warmup", "total"), [(1, 2), (4, 11), (10, 40)])
def test_warmup_then_cosine_is_that_of_torch(warmup, total):
    def scheduler(optimizer):
        # LinearLR starts at a positive factor: the factor 1e-12 takes the place of 0.
        rise = LinearLR(optimizer, start_factor=1e-12, total_iters=warmup)
        fall = CosineAnnealingLR(optimizer, total - warmup)
        return SequentialLR(optimizer, [rise, fall], milestones=[warmup])

    got = [learning_rate_multiplier(step, "cosine", total, warmup) for step in range(total + 1)]
    assert got == pytest.approx(rates_of(scheduler, total + 1), abs=1e-9)
    assert got[0] == 0 and got[warmup] == 1 and got[total] == 0


def test_warmup_then_constant_is_that_of_torch():
    def scheduler(optimizer):
        rise = LinearLR(optimizer, start_factor=1e-12, total_iters=5)
        return SequentialLR(optimizer, [rise, ConstantLR(optimizer, factor=1.0)], milestones=[5])

    got = [learning_rate_multiplier(step, "constant", warmup_steps=5) for step in range(9)]
    assert got == pytest.approx(rates_of(scheduler, 9), abs=1e-9)


def test_the_rate_stays_zero_after_the_last_step():
    assert {learning_rate_multiplier(step, "cosine", 10, 2) for step in range(10, 30)} == {0.0}


def test_every_factor_is_in_the_unit_interval():
    for total in range(1, 12):
        for warmup in range(total):
            assert all(0 <= learning_rate_multiplier(step, "cosine", total, warmup) <= 1 for step in range(2 * total))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, "linear"), "schedule is 'linear'; expected 'constant' or 'cosine'"),
        ((0, "cosine"), "the schedule has 0 steps; expected more than its 0 warm-up steps"),
        ((0, "cosine", 5, 5), "the schedule has 5 steps; expected more than its 5 warm-up steps"),
    ],
)
def test_invalid_schedules_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        learning_rate_multiplier(*arguments)


def test_the_examples_of_the_docstring_run():
    result = doctest.testmod(schedules)
    assert result.attempted and not result.failed
