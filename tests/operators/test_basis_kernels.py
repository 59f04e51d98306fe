"""Basis kernels, and what follows from their being orthonormal: windows, energy of the states, the low-rank term."""

import doctest
import importlib

import numpy as np
import pytest
from scipy.linalg import expm

from hippo import transition
from hippo.operators import TimeInvariant, basis_kernels, structured_system
from tests.operators.closed_forms import legs_kernels, legs_residue

basis_kernels_module = importlib.import_module("hippo.operators.basis_kernels")
WINDOW = 2


def system(measure, order):
    return TimeInvariant(measure, order, window=None if measure in ("legs", "lagt") else WINDOW)


@pytest.mark.parametrize("points", [0, 1, 2, 3, 17, 1000])
def test_equally_spaced_times(points):
    times = np.linspace(0.5, 6, points)
    found = basis_kernels(*transition("legs", 32), times)
    assert found.shape == (points, 32) and found.dtype == np.float64
    # e^{tA} is a contraction, so that each of 10 doublings adds the rounding of one product to a kernel of at most 8.
    np.testing.assert_allclose(found, legs_kernels(32, times), rtol=0, atol=1e-11)


def test_times_in_any_order_and_repeated():
    times = np.concatenate([np.random.default_rng(0).gamma(1.0, 2.0, 40), [0.0, 0.0, 3.0, 3.0]])
    found = basis_kernels(*transition("legs", 32), times)
    np.testing.assert_allclose(found, legs_kernels(32, times), rtol=0, atol=1e-11)
    np.testing.assert_array_equal(basis_kernels(*transition("legs", 32), times[::-1]), found[::-1])
    later = times > 0.5
    np.testing.assert_allclose(basis_kernels(*transition("legs", 32), times[later]), found[later], rtol=0, atol=1e-11)


def test_complex_systems_have_complex_kernels():
    found = basis_kernels(np.diag([1j, -1 + 2j]), np.array([1.0, 2j]), np.array([0.0, 1.0, 3.0]))
    times = np.array([0.0, 1.0, 3.0])
    expected = np.stack([np.exp(1j * times), 2j * np.exp((-1 + 2j) * times)], axis=1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("measure", ["legt", "lmu", "random", "fout"])
def test_systems_without_a_closed_form(measure):
    A, B = transition(measure, 10)
    times = np.linspace(0, 2, 5)
    expected = np.stack([expm(t * A) @ B for t in times])
    np.testing.assert_allclose(basis_kernels(A, B, times), expected, rtol=0, atol=1e-12)


def test_errors_name_the_argument():
    A, B = transition("legs", 4)
    with pytest.raises(ValueError, match=r"expected A \(N, N\) and B \(N,\), got \(4, 4\) and \(5,\)"):
        basis_kernels(A, np.ones(5), [1.0])
    with pytest.raises(ValueError, match=r"times must have shape \(points,\), got \(\)"):
        basis_kernels(A, B, 1.0)
    for times in ([-1.0], [np.nan], [np.inf]):
        with pytest.raises(ValueError, match="times must be finite and not negative"):
            basis_kernels(A, B, times)


@pytest.mark.parametrize("measure", ["legs", "lagt"])
@pytest.mark.parametrize("theta", [1.0, 3.0])
def test_kernels_are_basis_functions_times_weight(measure, theta):
    memory, times = TimeInvariant(measure, 24, theta=theta), np.linspace(0, 20, 60)
    expected = memory.basis(times) * memory.weight(times)[:, None]
    np.testing.assert_allclose(basis_kernels(*memory.continuous(), times), expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("measure", ["legt", "fout"])
def test_kernels_of_windows_converge_in_the_mean(measure):
    """A series of finite order rounds the edge of the window off. The error in the mean falls with the order."""
    times = np.linspace(0, 4, 2001)
    errors = []
    for order in (16, 64, 256):
        memory = system(measure, order)
        difference = basis_kernels(*memory.continuous(), times) - memory.basis(times) * memory.weight(times)[:, None]
        errors.append(abs(difference[:, :6]).mean(axis=0) * 4)
    moving = errors[0] > 0  # the sine of frequency 0 is 0
    assert moving.sum() == (6 if measure == "legt" else 5)
    for coarse, fine in zip(errors[:-1], errors[1:], strict=True):
        assert (fine[moving] < 0.5 * coarse[moving]).all()


@pytest.mark.parametrize("measure", ["legs", "legt", "fout"])
def test_the_weights_are_normalized_and_their_timescale_is_1(measure):
    """The weight integrates to 1, and its mean age is 1: e^{-t}, and windows of length 2."""
    if measure == "legs":
        ages, weights = np.polynomial.laguerre.laggauss(20)
        weights = weights * np.exp(ages)
    else:
        ages, weights = np.polynomial.legendre.leggauss(20)
        ages, weights = WINDOW * (ages + 1) / 2, WINDOW * weights / 2
    density = system(measure, 4).weight(ages) * weights
    assert density.sum() == pytest.approx(1, abs=1e-13)
    assert density @ ages == pytest.approx(1, abs=1e-13)
    np.testing.assert_array_equal(system("legt", 4).weight(np.array([0.0, WINDOW, 2.01, 5.0])), [0.5, 0.5, 0, 0])


def test_a_measure_without_a_basis_has_no_weight():
    with pytest.raises(ValueError, match="measure 'random' has no basis"):
        TimeInvariant("random", 4).weight(np.zeros(1))


def test_fourier_without_its_low_rank_term_has_no_window():
    """The kernels of the skew part alone are cosines at all times; the low-rank term ends them at the age 2."""
    A, B = transition("fout", 64)
    times = np.linspace(0, 6, 601)
    m = np.arange(32)
    without = basis_kernels(A + np.outer(B, B), B, times)[:, 0::2]
    np.testing.assert_allclose(without, B[0::2] * np.cos(np.pi * np.outer(times, m)), rtol=0, atol=1e-11)
    late = times > 2.2
    kernels = basis_kernels(A, B, times)[:, 0:10:2]
    for n in range(5):
        assert (kernels[late, n] ** 2).sum() < 0.01 * (kernels[:, n] ** 2).sum()
        assert (without[late, n] ** 2).sum() > 0.5 * (without[:, n] ** 2).sum()


@pytest.mark.parametrize("deviation", [0.3, 0.5])
@pytest.mark.parametrize("seed", range(5))
def test_a_random_low_rank_term_destroys_the_basis_of_legs(deviation, seed):
    order, times = 64, np.linspace(0, 6, 301)
    A, B = transition("legs", order)
    P = np.sqrt(np.arange(order) + 0.5)
    normal, exact = A + np.outer(P, P), legs_kernels(order, times)[:, :5]

    def distance(low_rank):
        kernels = basis_kernels(normal - np.outer(low_rank, low_rank), B, times)[:, :5]
        return np.linalg.norm(kernels - exact) / np.linalg.norm(exact)

    noise = deviation * np.random.default_rng(seed).standard_normal(order)
    assert distance(P) < 1e-12
    assert np.linalg.norm(noise) < 0.12 * np.linalg.norm(P) and distance(P + noise) > 0.1
    assert distance(noise) > 1


# -- energy of the states ---------------------------------------------------------------------------------------------
# The coefficients are those of the past in an orthonormal basis, so that the sum of their squares is the integral of
# f(t - s)^2 under the weight. An output weighted by independent numbers of variance 1 has that variance.


def steady_states(measure, order, frequency):
    """The states for the input e^{iwt}, at t = 0."""
    A, B = system(measure, order).continuous()
    return np.linalg.solve(1j * frequency * np.eye(order) - A, B)


@pytest.mark.parametrize("order", [1, 2, 16, 64])
@pytest.mark.parametrize("frequency", [0.0, 0.5, 1.0, 3.0, 7.0])
def test_energy_of_the_states_of_legs(order, frequency):
    """sum |x_n|^2 = N^2 / (N^2 + w^2) = 1 - |e|^2 with the error e of the newest sample, exact at every order."""
    energy = (abs(steady_states("legs", order, frequency)) ** 2).sum()
    assert energy == pytest.approx(order**2 / (order**2 + frequency**2), abs=1e-13)
    assert energy == pytest.approx(1 - abs(legs_residue(order, 1j * frequency)) ** 2, abs=1e-13)


FREQUENCIES = np.array([0.7, 2.0, 3.3, -0.7, -2.0, -3.3])
AMPLITUDES = np.array([1.0, 0.6 * np.exp(1j), 0.8 * np.exp(2j)])
AMPLITUDES = np.concatenate([AMPLITUDES, AMPLITUDES.conj()]) / 2


def energy_error(measure, order):
    """Sum of the squared states for three cosines, minus the weighted integral of the squared input."""
    differences = FREQUENCIES[:, None] - FREQUENCIES[None, :]
    # Transforms of e^{-s} and of 1/2 on [0, 2].
    transform = 1 / (1 + 1j * differences)
    if measure != "legs":
        transform = np.exp(-1j * differences) * np.sinc(differences / np.pi)
    exact = (AMPLITUDES[:, None] * AMPLITUDES.conj()[None, :] * transform).sum().real
    states = sum(a * steady_states(measure, order, w) for a, w in zip(AMPLITUDES, FREQUENCIES, strict=True))
    np.testing.assert_allclose(states.imag, 0, atol=1e-13)
    return (states.real**2).sum() - exact


def test_energy_of_the_states_is_the_weighted_energy_of_the_input():
    """24 polynomials represent the cosines to rounding in a window. A Fourier series leaves the error 1 / N of its jump
    at the edge, and legs the error of the far past, where the cosines oscillate ever faster in e^{-t}."""
    assert energy_error("legt", 24) == pytest.approx(0, abs=1e-13)
    for measure in ("legs", "fout"):
        errors = [abs(energy_error(measure, order)) for order in (32, 128, 512)]
        assert errors[2] < 2 / 512
        assert errors[1] < 0.3 * errors[0] and errors[2] < 0.3 * errors[1]


@pytest.mark.parametrize("measure", ["legs", "legt", "fout"])
def test_real_and_complex_output_weights_give_the_same_variance(measure):
    """E[y^2] with c = 2 Re(C x), where C has N/2 independent complex entries of variance 1, is 2 sum |x_n|^2."""
    structured = structured_system(measure, 32)
    A, B = structured.expand()
    x = np.linalg.solve(2j * np.eye(32) - A, B)  # both halves; for a real input the second is the conjugate
    c = steady_states(measure, 32, 2.0)
    assert (abs(x) ** 2).sum() == pytest.approx((abs(c) ** 2).sum(), rel=1e-12)


def test_examples():
    assert doctest.testmod(basis_kernels_module).failed == 0
