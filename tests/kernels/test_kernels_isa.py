"""Every instruction set that this processor runs, against the dense float64 recurrence."""

from functools import cache

import numpy as np
import pytest
from scipy.linalg import solve_triangular

from hippo import kernels, transition

compiled = kernels.backend().compiled
pytestmark = pytest.mark.skipif(compiled is None, reason="no compiled kernels here")
INSTRUCTION_SETS = [name for name in kernels.runnable() if "+" not in name and name != "torch"]

# Around the lane counts 2, 4, 8, 16, their multiples, and the orders where more sets are put in flight.
ORDERS = [1, 2, 3, 8, 15, 16, 17, 48, 63, 64, 65, 100, 130, 255, 256, 257]
# From below the wavefront's run-up, through signals shorter than it, to those with full groups and a remainder.
LENGTHS = [1, 2, 5, 9, 40, 123, 700]


@pytest.fixture(params=INSTRUCTION_SETS)
def instruction_set(request):
    with kernels.use(request.param):
        yield request.param


def case(order, length, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(order), rng.standard_normal(length)


def uniform(first, length):
    return tuple(1 / np.arange(first, first + length))


@cache  # the same for every instruction set
def recurrence(order, step_ratios, alpha):
    """All states (length, N) of the textbook recurrence in float64, for `case` and these step ratios."""
    A, B = transition("legs", order)
    (c, inputs), rows = case(order, len(step_ratios)), []
    for f, s in zip(inputs, step_ratios, strict=True):
        right = c + (1 - alpha) * s * (A @ c) + s * B * f
        c = solve_triangular(np.eye(order) - alpha * s * A, right, lower=True, check_finite=False)
        rows.append(c)
    return np.stack(rows)


@pytest.mark.parametrize("order", ORDERS)
def test_projection_of_any_order(instruction_set, order):
    state, inputs = case(order, 200)
    expected = recurrence(order, uniform(3, 200), 0.5)
    for stride in (0, 1, 64):
        row = state[None].copy()
        snapshots = kernels.legs_project(row, inputs[None], 3, stride=stride)
        # 200 inputs of about order roundings each, of values that grow to sqrt(2 order + 1).
        np.testing.assert_allclose(row[0], expected[-1], rtol=0, atol=1e-11)
        if stride:
            np.testing.assert_allclose(snapshots[0], expected[stride - 1 :: stride], rtol=0, atol=1e-11)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("alpha", "timed"), [(0.5, False), (0.5, True), (1.0, False), (0.75, True)])
def test_projection_of_any_length(instruction_set, length, alpha, timed):
    state, inputs = case(140, length)
    step_ratios = np.random.default_rng(1).uniform(0, 0.2, length)
    step_ratios[length // 2] = 0  # two inputs at one time
    first = 9
    expected = recurrence(140, tuple(step_ratios) if timed else uniform(first, length), alpha)
    for stride in (0, 1, 3, 50):
        row = state[None].copy()
        options = {"step_ratios": step_ratios} if timed else {}
        snapshots = kernels.legs_project(row, inputs[None], first, alpha=alpha, stride=stride, **options)
        np.testing.assert_allclose(row[0], expected[-1], rtol=0, atol=1e-10)
        if stride:
            np.testing.assert_allclose(snapshots[0], expected[stride - 1 :: stride], rtol=0, atol=1e-10)


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 16, 19])
@pytest.mark.parametrize("order", [1, 2, 8, 15, 17, 100, 257])
def test_step_and_adjoint_of_any_shape(instruction_set, order, batch):
    """The adjoint identity <step(c, f), g> = <c, step*(g)> holds to rounding, for one ratio and for many."""
    rng = np.random.default_rng(order * 100 + batch)
    for step in (0.07, rng.uniform(0, 1, batch)):
        state, grad = rng.standard_normal((2, batch, order))
        inputs = rng.standard_normal(batch)
        new, old_grad = state.copy(), grad.copy()
        kernels.legs_step(new, inputs, step)
        input_grad = kernels.legs_step_adjoint(old_grad, step)
        left, right = np.sum(new * grad), np.sum(state * old_grad) + inputs @ input_grad
        assert left == pytest.approx(right, rel=0, abs=1e-12 * order * batch)
        single = state[-1:].copy()
        kernels.legs_step(single, inputs[-1:], step if np.ndim(step) == 0 else step[-1:])
        np.testing.assert_allclose(new[-1:], single, rtol=0, atol=1e-12)


# Orders of 4, 7, 10, 13, 16, 32 and 33 rows of 16 lanes: with every number of slots, and every kind of table.
@pytest.mark.parametrize("order", [64, 100, 150, 200, 256, 512, 520])
def test_float32_agrees_within_rounding(instruction_set, order):
    state, inputs = case(order, 3000)
    wide, narrow = state[None].copy(), state[None].astype(np.float32)
    kernels.legs_project(wide, inputs[None], 10)
    kernels.legs_project(narrow, inputs[None].astype(np.float32), 10)
    assert np.linalg.norm(narrow - wide) < 1e-5 * np.linalg.norm(wide)
    wide, narrow = state[None].copy(), state[None].astype(np.float32)
    step_ratios = np.full(3000, 1e-3)
    kernels.legs_project(wide, inputs[None], 10, step_ratios=step_ratios)
    kernels.legs_project(narrow, inputs[None].astype(np.float32), 10, step_ratios=step_ratios.astype(np.float32))
    assert np.linalg.norm(narrow - wide) < 1e-5 * np.linalg.norm(wide)


def test_textbook_loop_is_the_recurrence():
    state, inputs = case(33, 50)
    expected = recurrence(33, uniform(1, 50), 0.5)
    compiled.textbook_legs_project(state, inputs, 1)
    np.testing.assert_allclose(state, expected[-1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 200])
def test_first_nonfinite(instruction_set, dtype, size):
    values = np.ones((1, size), dtype=dtype)
    assert kernels.first_nonfinite(values) == -1
    for position in range(size):
        for wrong in (np.nan, np.inf, -np.inf):
            values[0, position] = wrong
            assert kernels.first_nonfinite(values) == position
        values[0, position] = np.finfo(dtype).max
    assert kernels.first_nonfinite(values) == -1


def test_batches_of_signals_keep_apart(instruction_set):
    rng = np.random.default_rng(5)
    state, inputs = rng.standard_normal((3, 70)), rng.standard_normal((3, 90))
    step_ratios = rng.uniform(0, 0.1, (3, 90))
    together = state.copy()
    snapshots = kernels.legs_project(together, inputs, 1, step_ratios=step_ratios, stride=30)
    for b in range(3):
        alone = state[b : b + 1].copy()
        rows = kernels.legs_project(alone, inputs[b : b + 1], 1, step_ratios=step_ratios[b], stride=30)
        np.testing.assert_array_equal(together[b], alone[0])
        np.testing.assert_array_equal(snapshots[b], rows[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_change_no_bit(instruction_set, threads, dtype):
    rng = np.random.default_rng(6)
    state, inputs = rng.standard_normal((5, 70)).astype(dtype), rng.standard_normal((5, 900)).astype(dtype)
    results = []
    for count in (1, threads):
        new, snapshots = state.copy(), np.empty((5, 3, 70), dtype=dtype)
        compiled.legs_project(new, inputs, np.empty(0, dtype=dtype), 1, 0.5, 300, 0, snapshots, count)
        results.append((new, snapshots))
    for alone, divided in zip(*results, strict=True):
        np.testing.assert_array_equal(divided, alone)


def test_threads_must_be_positive():
    state, none = np.zeros((1, 3)), np.empty(0)
    with pytest.raises(ValueError, match="'threads' must be positive"):
        compiled.legs_project(state, np.ones((1, 2)), none, 1, 0.5, 0, 0, none, 0)
