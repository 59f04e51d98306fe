"""Distances of basis kernels from the basis, with exact low-rank terms and others."""

import numpy as np
import pytest

from hippo import transition
from hippo.lab.analysis.kernel_distances import kernel_distances, sampled_distance, weighted_basis
from hippo.lab.analysis.linear_states import impulse_responses
from hippo.lab.analysis.low_rank_terms import with_low_rank_term
from hippo.operators import TimeInvariant, basis_kernels
from tests.operators.closed_forms import fout_transform, legs_residue

SYSTEMS = ("legs", "legt", "fout")
KERNELS, OLDEST = 8, 4.0


def pair(system, order, term, deviation=0.5, seed=0):
    return with_low_rank_term(system, order, term, deviation, np.random.default_rng(seed))


def distances(system, order, term, **options):
    return kernel_distances(*pair(system, order, term, **options), weighted_basis(system, KERNELS), OLDEST)


def window(system):
    return None if system == "legs" else 2


# -- the terms --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_terms(system):
    order = 16
    A, B = transition(system, order, window=window(system))
    rank = 2 if system == "legt" else 1
    for found, expected in zip(pair(system, order, "exact"), (A, B), strict=True):
        np.testing.assert_array_equal(found, expected)
    normal, _ = pair(system, order, "none")
    np.testing.assert_allclose(normal + normal.T, -np.eye(order) * (system == "legs"), rtol=0, atol=1e-13)
    assert np.linalg.matrix_rank(normal - A, tol=1e-9) == rank
    for term in ("noisy", "random"):
        other, inputs = pair(system, order, term)
        np.testing.assert_array_equal(inputs, B)
        assert np.linalg.matrix_rank(normal - other, tol=1e-9) == rank
        np.testing.assert_allclose(normal - other, (normal - other).T, rtol=0, atol=1e-12)
        assert not np.allclose(other, pair(system, order, term, seed=1)[0])
    # The trace of P P^T is the squared norm of P.
    assert np.trace(pair(system, order, "random")[0]) == pytest.approx(np.trace(A), rel=1e-12)
    np.testing.assert_allclose(pair(system, order, "noisy", deviation=1e-12)[0], A, rtol=0, atol=1e-9)


@pytest.mark.parametrize("term", ["noisy", "random"])
def test_the_sine_of_frequency_0_never_moves(term):
    A, B = pair("fout", 8, term)
    assert not A[1].any() and not A[:, 1].any() and B[1] == 0


# -- the basis --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_basis_times_the_weight_is_a_linear_system(system):
    basis, ages = weighted_basis(system, 10), np.linspace(0, 2, 21)[:-1]
    # The propagator of the polynomials of legt has entries of 10^6 over the window.
    np.testing.assert_allclose(basis_kernels(basis.D, basis.start, ages), basis.values(ages), rtol=0, atol=1e-8)
    np.testing.assert_array_equal(basis.values(np.array([2.1, 5.0])).any(axis=1), basis.end > 2)


# -- closed forms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [8, 64, 256])
def test_the_kernels_of_legs_are_exact_at_every_order(order):
    found = distances("legs", order, "exact")
    assert found["distance"] < 1e-12 * order
    assert found["slow_distance"] < 1e-13
    # The kernels begin with squared norm 64; about 20 doublings round matrices of entries below N.
    assert found["gram_distance"] < 1e-13 * order
    assert found["growth"] == pytest.approx(-1, abs=1e-12)
    # With s = e^{-t}, K_n^2 dt = (2n+1) P_n(2s - 1)^2 s ds, a polynomial.
    nodes, weights = np.polynomial.legendre.leggauss(KERNELS + 1)

    def energy(lower, upper):
        s = (upper + lower + (upper - lower) * nodes) / 2
        squares = np.polynomial.legendre.legvander(2 * s - 1, KERNELS - 1) ** 2 @ (2 * np.arange(KERNELS) + 1)
        return (upper - lower) / 2 * (weights * s) @ squares

    late, early = energy(np.exp(-OLDEST), np.exp(-2)), energy(np.exp(-2), 1)
    assert found["late_energy"] == pytest.approx(late / (late + early), rel=1e-9)


@pytest.mark.parametrize("order", [8, 32, 256])
def test_legs_without_its_low_rank_term_answers_slow_inputs(order):
    """The transfer function is (1 + g) / 2 = 1 / (1 + e) times that of legs. The kernels themselves are far away."""
    found, residue = distances("legs", order, "none"), legs_residue(order, 1j)
    assert found["slow_distance"] == pytest.approx(abs(residue / (1 + residue)), rel=1e-9)
    assert found["distance"] > 1.5 and found["growth"] == pytest.approx(-0.5, abs=1e-10)


def test_fout_without_its_low_rank_term_has_no_window():
    """K = 2 q up to the age 2, and again afterwards: the squared distance is 1 + 4, and the Gram matrix 8 I."""
    found = distances("fout", 32, "none")
    assert found["distance"] == pytest.approx(np.sqrt(5), rel=1e-12)
    assert found["gram_distance"] == pytest.approx(7, rel=1e-12)
    assert found["late_energy"] == pytest.approx(0.5, rel=1e-12)
    assert found["growth"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("order", [16, 128])
def test_the_slow_response_of_fout(order):
    """The limit of an infinite order is the transform (1 - e^{-2s}) / 2s, times s^2 / (s^2 + (πm)^2) and so on."""
    s, m = 1j, np.arange(KERNELS // 2)
    box = (1 - np.exp(-2 * s)) / (2 * s)
    scale = np.where(m == 0, 1, np.sqrt(2)) * box / (s**2 + (np.pi * m) ** 2)
    limit = np.stack([scale * s**2, scale * s * np.pi * m], axis=1).ravel()
    expected = np.linalg.norm(fout_transform(order, s)[:KERNELS] - limit) / np.linalg.norm(limit)
    assert distances("fout", order, "exact")["slow_distance"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("system", ["legt", "fout"])
def test_the_kernels_of_windows_converge(system):
    found = [distances(system, order, "exact") for order in (16, 64, 256)]
    for metric in ("distance", "gram_distance", "late_energy"):
        coarse, middle, fine = (each[metric] for each in found)
        assert fine < 0.8 * middle < 0.8**2 * coarse
    assert found[2]["growth"] < 0


# -- other terms ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("term", ["exact", "noisy", "random", "none"])
def test_against_quadrature(system, term):
    """The same numbers from kernels at the nodes of a Gauss rule on each of 80 panels."""
    A, B = pair(system, 12, term)
    nodes, weights = np.polynomial.legendre.leggauss(16)
    middle, half = np.arange(0.025, OLDEST, 0.05), 0.025
    ages, weights = (middle[:, None] + half * nodes).ravel(), np.tile(half * weights, len(middle))
    memory = TimeInvariant(system, KERNELS, window=window(system))
    omega = memory.weight(ages)
    expected = memory.basis(ages) * omega[:, None]
    kernels = basis_kernels(A, B, ages)[:, :KERNELS]
    forever = np.exp(-ages) if system == "legs" else 0.5

    def gram(values):
        return (values * (weights / forever)[:, None]).T @ values

    energy = weights @ kernels**2
    found = kernel_distances(A, B, weighted_basis(system, KERNELS), OLDEST)
    assert found["distance"] ** 2 == pytest.approx(
        (weights @ (kernels - expected) ** 2).sum() / (weights @ expected**2).sum(), rel=1e-9, abs=1e-20
    )
    assert found["gram_distance"] == pytest.approx(
        np.linalg.norm(gram(kernels) - gram(expected)) / np.linalg.norm(gram(expected)), rel=1e-9, abs=1e-11
    )
    late = (weights[ages > 2] @ kernels[ages > 2] ** 2).sum()
    assert found["late_energy"] == pytest.approx(late / energy.sum(), rel=1e-9)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("seed", range(3))
def test_another_low_rank_term_destroys_the_basis_but_not_stability(system, seed):
    exact = distances(system, 64, "exact")["distance"]
    noisy = distances(system, 64, "noisy", deviation=0.3, seed=seed)
    random = distances(system, 64, "random", seed=seed)
    assert noisy["distance"] > exact + 0.1 and random["distance"] > 1
    bound = -0.5 if system == "legs" else 0
    assert noisy["growth"] < bound and random["growth"] < bound


@pytest.mark.parametrize("system", SYSTEMS)
def test_sampled_kernels_tend_to_exact_ones(system):
    """The bilinear rule is of order 2; the edge of a window is sharper than a step only at large orders."""
    A, B = pair(system, 16, "noisy")
    basis = weighted_basis(system, KERNELS)
    exact = kernel_distances(A, B, basis, OLDEST)["distance"]
    errors = []
    for step in (0.01, 0.005):
        states = impulse_responses(A, B, step, round(OLDEST / step))[:KERNELS] / step
        errors.append(abs(sampled_distance(states, basis, step) - exact))
    assert errors[0] < 0.01 and errors[1] < 0.4 * errors[0]
