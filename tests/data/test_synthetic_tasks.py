"""Synthetic datasets, each against its definition."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from hippo.data.adding import Adding
from hippo.data.copying import Copying
from hippo.data.dataset import NOT_ASKED
from hippo.data.mackey_glass import MackeyGlass, trajectories

SMALL = {"train_samples": 50, "eval_samples": 20}


@pytest.mark.parametrize("variable", [False, True])
def test_copying_asks_for_the_symbols_in_order(variable):
    options = Copying(length=30, symbols=4, alphabet=5, variable=variable, **SMALL)
    places = set()
    for part in options.build().parts.values():
        assert part.inputs.shape[1:] == (34, 7) and (part.inputs.sum(axis=2) == 1).all()
        for shown, asked in zip(part.inputs.argmax(axis=2), part.targets, strict=True):
            seen = np.flatnonzero(shown < 5)
            assert len(seen) == 4 and seen.max() < 30
            assert (shown[seen] == asked[30:]).all() and (asked[:30] == NOT_ASKED).all()
            assert (shown[30:] == 6).all() and (shown[:30] != 6).all()
            places.add(tuple(seen))
    assert (len(places) > 10) == variable and ((0, 1, 2, 3) in places) != variable


def test_copying_refuses_more_symbols_than_steps():
    with pytest.raises(ValueError, match="symbols = 9 do not fit into length = 8"):
        Copying(length=8, symbols=9)


def test_adding_marks_one_number_in_each_half():
    dataset = Adding(length=11, train_samples=4000).build()
    numbers, marks = np.moveaxis(dataset.parts["train"].inputs, 2, 0)
    assert (marks[:, :5].sum(axis=1) == 1).all() and (marks[:, 5:].sum(axis=1) == 1).all()
    assert (marks.sum(axis=0) > 0).all()  # every number of a half may be marked
    targets = dataset.parts["train"].targets
    np.testing.assert_allclose(targets[:, 0], numbers[marks == 1].reshape(-1, 2).sum(axis=1), rtol=1e-6)
    # The sum of two uniform numbers: mean 1, variance 1/6; 4000 of them come within 5 standard errors of 2 %.
    assert targets.mean() == pytest.approx(1, abs=5 * (1 / 6 / 4000) ** 0.5)
    assert targets.var() == pytest.approx(1 / 6, rel=0.1)


def test_mackey_glass_follows_its_equation():
    """Up to tau the delayed term is the constant history: a linear equation, and its exact solution."""
    start = np.array([[0.5], [1.2]])
    t = np.arange(1, 18)
    rest = 2 * start / (1 + start**10)  # where 0.2 x / (1 + x^10) = 0.1 rest
    np.testing.assert_allclose(
        trajectories(start, 17, 17, substeps=3), rest + (start - rest) * np.exp(-0.1 * t), rtol=1e-13
    )

    # Up to 2 tau: an independent solver, given that solution as its delayed term.
    def slope(time, x):
        delayed = rest[0, 0] + (0.5 - rest[0, 0]) * np.exp(-0.1 * (time - 17))
        return 0.2 * delayed / (1 + delayed**10) - 0.1 * x

    middle = trajectories(start[:1], 17, 34, substeps=100)[0]
    solved = solve_ivp(slope, (17, 34), [middle[16]], rtol=1e-11, atol=1e-12, t_eval=[34.0]).y[0, -1]
    assert middle[33] == pytest.approx(solved, abs=1e-5)  # (1/100)^2, times constants below 1


def test_mackey_glass_converges_at_second_order():
    start = np.array([[0.7]])
    coarse, middle, fine = (trajectories(start, 17, 100, substeps=s) for s in (5, 10, 20))
    order = np.log2(np.abs(coarse - middle).max() / np.abs(middle - fine).max())
    assert order == pytest.approx(2, abs=0.15)


def test_mackey_glass_targets_are_later_inputs():
    dataset = MackeyGlass(length=60, horizon=15, train_samples=3, eval_samples=2).build()
    part = dataset.parts["train"]
    assert part.inputs.shape == part.targets.shape == (3, 60, 1)
    np.testing.assert_array_equal(part.inputs[:, 15:], part.targets[:, :-15])
    assert 0.15 < part.inputs.std() < 0.35  # on the attractor, whose deviation is about 0.23


@pytest.mark.parametrize(
    "options", [Copying(**SMALL), Adding(**SMALL), MackeyGlass(length=20, train_samples=4, eval_samples=2)]
)
def test_one_seed_one_dataset_and_parts_that_differ(options):
    one, again = options.build(), options.build()
    other = options.model_copy(update={"seed": 1}).build()
    assert one.digest == again.digest != other.digest
    n = len(one.parts["test"].inputs)
    assert not np.array_equal(one.parts["test"].inputs, one.parts["validation"].inputs)
    assert not np.array_equal(one.parts["test"].inputs, one.parts["train"].inputs[:n])
