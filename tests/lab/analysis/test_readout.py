"""Readouts of frozen states, against dense systems, least squares on samples, and values computed once elsewhere."""

import functools

import numpy as np
import pytest
import scipy.linalg

from hippo.data.band_limited_noise import harmonics, noise_coordinates
from hippo.data.delay import FrozenDelay
from hippo.data.reconstruct import FrozenReconstruct
from hippo.data.unit_signals import UnitSignals
from hippo.lab.analysis.linear_states import BilinearStates, mean_square
from hippo.lab.analysis.readout import fit_readout
from hippo.operators import STRUCTURED, discretize, is_diagonal, structured_system, transition


@pytest.mark.parametrize("name", STRUCTURED)
def test_amplitudes_are_the_spectrum_of_the_impulse_responses(name):
    """The responses have decayed to e^-20 after 8000 steps of 0.05 with the slowest real part, -1/20."""
    states = BilinearStates(name, 8, 0.05)
    kernel = states.impulse_responses(8000)
    angles = 2 * np.pi * np.array([1, 70, 2500]) / 8000
    expected = kernel @ np.exp(-1j * np.outer(np.arange(8000), angles))
    np.testing.assert_allclose(states.responses(angles), expected, rtol=0, atol=1e-8)
    np.testing.assert_allclose(states.constant_response(), kernel.sum(axis=1), rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", ["legs", "legt", "fout", "diag_inv"])
def test_impulse_responses_are_those_of_the_recurrence(name):
    if is_diagonal(name):
        A, B = structured_system(name, 6).expand()
        step = np.linalg.solve(np.eye(6) - 0.1 * A, np.column_stack([np.eye(6) + 0.1 * A, 0.2 * B]))
        Abar, state = step[:, :-1], step[:, -1]
    else:
        Abar, state = discretize(*transition(name, 6, window=None if name == "legs" else 2.0), 0.2)
    responses = BilinearStates(name, 6, 0.2).impulse_responses(50)
    for column in responses.T:
        real = np.sqrt(2) * np.concatenate([state[:3].real, state[:3].imag]) if is_diagonal(name) else state
        np.testing.assert_allclose(column, real, rtol=0, atol=1e-13)
        state = Abar @ state


# Errors of least squares on frozen states, computed once with NumPy in float64 outside this program.
# The steps are 0.001, 0.002 and 0.004: with the window 2 / step, the middle one sees the 1000 inputs.
FLOORS = {
    "legs": (0.0931, 0.0709, 0.0717),
    "legt": (0.0714, 0.0138, 0.1104),
    "fout": (0.1007, 0.00644, 0.1112),
}


@functools.cache
def error_of_reconstruct(name: str, step: float) -> float:
    states, targets = FrozenReconstruct().coordinates(BilinearStates(name, 256, step))
    return fit_readout([states], targets, [256], cutoff=1e-9).mse


@pytest.mark.parametrize("name", FLOORS)
def test_errors_of_the_published_reconstruct_task(name):
    errors = [error_of_reconstruct(name, step) for step in (0.001, 0.002, 0.004)]
    assert errors == pytest.approx(FLOORS[name], rel=0.005)


def test_the_order_of_the_errors_at_the_matching_step_is_that_of_the_theory():
    legs, legt, fout = (error_of_reconstruct(name, 0.002) for name in ("legs", "legt", "fout"))
    assert fout < legt < legs / 5


@pytest.mark.slow  # the values were computed as FLOORS were
@pytest.mark.parametrize(("name", "expected"), [("legs", 0.604), ("legt", 0.056), ("fout", 0.132)])
def test_errors_of_the_published_delay_task(name, expected):
    states, targets = FrozenDelay().coordinates(BilinearStates(name, 1024, 0.002))
    readout = fit_readout([states], targets, [4])
    assert np.sqrt(readout.mse / readout.power) == pytest.approx(expected, abs=0.001)


@pytest.mark.parametrize("task", ["reconstruct", "delay"])
def test_the_exact_error_is_that_of_signals(task):
    if task == "reconstruct":
        options = FrozenReconstruct(length=200, window=40, band_limit=60.0, samples=2000)
    else:
        options = FrozenDelay(length=200, lag=30, band_limit=300.0, samples=500)
    states = BilinearStates("fout", 8, 0.06)
    coordinates, targets = options.coordinates(states)
    readout = fit_readout([coordinates], targets, [8])
    part = options.build().parts["test"]
    predicted = options.predict(readout.weights[0], states, part.inputs[:, :, 0].astype(np.float64))
    errors = np.square(predicted - part.targets).reshape(len(part.inputs), -1).mean(axis=1)
    assert errors.mean() == pytest.approx(readout.mse, abs=5 * errors.std() / len(errors) ** 0.5)
    # Least squares on the signals, whose error is smaller by the fraction states / samples at most, to first order.
    if task == "reconstruct":
        last = part.inputs[:, :, 0] @ states.impulse_responses(200)[:, ::-1].T
        fitted = last @ np.linalg.lstsq(last, part.targets, rcond=None)[0]
        assert np.square(fitted - part.targets).mean() == pytest.approx(errors.mean(), rel=2 * 8 / 2000)


def random_problem(seed: int):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((5, 30)), rng.standard_normal((6, 30)), rng.standard_normal((12, 30))


def test_reduced_rank_regression_is_the_best_of_its_rank():
    """Of a random problem, it is the truncated singular value decomposition of the least-squares fit (Izenman)."""
    states, _, targets = random_problem(0)
    fit = targets @ np.linalg.pinv(states) @ states
    left, values, right = np.linalg.svd(fit, full_matrices=False)
    for rank in (1, 3, 5):
        truncated = (left[:, :rank] * values[:rank]) @ right[:rank]
        readout = fit_readout([states], targets, [rank])
        np.testing.assert_allclose(readout.weights[0] @ states, truncated, rtol=0, atol=1e-12)
        assert readout.mse == pytest.approx(np.square(targets - truncated).sum() / 12)


def test_groups_without_a_limit_reach_least_squares_on_all_states():
    first, second, targets = random_problem(1)
    both = np.concatenate([first, second])
    expected = np.square(targets - targets @ np.linalg.pinv(both) @ both).sum() / 12
    readout = fit_readout([first, second], targets, [5, 6], sweeps=500, tolerance=0)
    assert readout.mse == pytest.approx(expected, rel=1e-8)
    limited = fit_readout([first, second], targets, [2, 2])
    assert expected < limited.mse < fit_readout([first], targets, [2]).mse
    outputs = limited.weights[0] @ first + limited.weights[1] @ second
    assert np.square(targets - outputs).sum() / 12 == pytest.approx(limited.mse)
    assert all(np.linalg.matrix_rank(weights) == 2 for weights in limited.weights)


def test_the_passes_do_not_depend_on_the_unit_of_the_targets():
    """Powers of two scale without rounding."""
    first, second, targets = random_problem(2)
    plain, small = (fit_readout([first, second], factor * targets, [2, 2]) for factor in (1, 2.0**-10))
    assert small.sweeps == plain.sweeps > 2
    assert small.mse == pytest.approx(plain.mse * 2.0**-20, rel=1e-9)


def test_a_matrix_of_states_for_which_divide_and_conquer_fails(monkeypatch):
    states, _, targets = random_problem(3)
    expected, svd = fit_readout([states], targets, [5]).mse, scipy.linalg.svd

    def refuse(*arguments, lapack_driver="gesdd", **options):
        if lapack_driver == "gesdd":
            raise np.linalg.LinAlgError("SVD did not converge")
        return svd(*arguments, lapack_driver=lapack_driver, **options)

    monkeypatch.setattr(scipy.linalg, "svd", refuse)
    assert fit_readout([states], targets, [5]).mse == pytest.approx(expected, rel=1e-12)


def test_coordinates_of_linear_functions_of_noise():
    rows = np.random.default_rng(0).standard_normal((3, 30))
    np.testing.assert_allclose(noise_coordinates(rows, 12, 0.5), rows @ harmonics(30, 12, 0.5), rtol=0, atol=1e-13)


def test_states_of_an_orthonormal_basis_keep_the_variance_whatever_their_number():
    """At most 10 cycles per unit of time: the window of length 2 has 40 degrees of freedom, and 64 states hold them."""
    signals = UnitSignals()
    for name in ("legs", "legt", "fout"):
        for order in (2, 16, 64):
            assert mean_square(BilinearStates(name, order, signals.interval), None) == pytest.approx(1, abs=1e-9)
    for name in ("legt", "fout"):
        for order in (64, 128, 256):
            found = mean_square(BilinearStates(name, order, signals.interval), signals.angles)
            assert found == pytest.approx(1, abs=0.015)  # of which 1 / cos^2 of the bilinear rule is 0.0013
    # The part of the measure e^-t where 512 polynomials do not resolve 10 cycles is below 2 %.
    assert mean_square(BilinearStates("legs", 512, signals.interval), signals.angles) == pytest.approx(1, abs=0.02)
    diagonal = [mean_square(BilinearStates("diag_inv", order, signals.interval), None) for order in (16, 64)]
    np.testing.assert_allclose(diagonal, [_diagonal_constant(16), _diagonal_constant(64)])


def _diagonal_constant(order: int) -> float:
    """2 sum |1 / λ|^2 of S4D-Inv."""
    n = np.arange(order // 2)
    eigenvalues = -0.5 + 1j * order / np.pi * (order / (2 * n + 1) - 1)
    return 2 * np.square(np.abs(1 / eigenvalues)).sum()
