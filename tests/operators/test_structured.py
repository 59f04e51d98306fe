"""Structured systems: reconstruction of the dense matrices, spectra, and the closed forms in complex coordinates."""

import doctest

import numpy as np
import pytest

from hippo import transition
from hippo.operators import STRUCTURED, basis_kernels, is_diagonal, structured_system
from hippo.operators import normal_low_rank as normal_low_rank_module
from hippo.operators import structured as structured_module
from hippo.operators.normal_low_rank import skew_modes
from tests.operators.closed_forms import fout_transform, legs_kernels, legs_residue, pade_of_exp

EPS = np.finfo(np.float64).eps
RANKS = {"legs": 1, "legt": 2, "fout": 1, "lagt": 1}
ORDERS = [2, 4, 16, 64, 256]


def dense(name, order):
    return transition(name, order, window=2 if name in ("legt", "fout") else None)


def unitary(system):
    """V over both halves of the state: c = V x."""
    return np.hstack([system.coordinates, system.coordinates.conj()])


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", RANKS)
def test_the_dense_matrices_are_reconstructed_to_rounding(name, order):
    """A = V (diag(λ) - P P^*) V^*. Householder reduction, singular values and each product of N terms have backward
    errors of at most about N eps times the norm of A; there are four of them."""
    system, (A, B) = structured_system(name, order), dense(name, order)
    structured, inputs = system.expand()
    V, rounding = unitary(system), 4 * order * EPS
    np.testing.assert_allclose(V.conj().T @ V, np.eye(order), rtol=0, atol=rounding)
    np.testing.assert_allclose(V @ structured @ V.conj().T, A, rtol=0, atol=rounding * np.linalg.norm(A, 2))
    np.testing.assert_allclose(V @ inputs, B, rtol=0, atol=rounding * np.linalg.norm(B))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("name", "rank"), RANKS.items())
def test_the_low_rank_term_has_the_stated_rank(name, rank, order):
    """The symmetric part of A is a multiple of I minus the low-rank term."""
    system, (A, _) = structured_system(name, order), dense(name, order)
    assert system.rank == rank and system.low_rank.shape == (rank, order // 2)
    symmetric = (A + A.T) / 2 - system.eigenvalues.real[0] * np.eye(order)
    values = np.linalg.svd(symmetric, compute_uv=False)
    assert (values > order * EPS * np.linalg.norm(A, 2)).sum() == rank


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", STRUCTURED)
def test_the_shapes_and_the_half_plane_of_every_system(name, order):
    system, half = structured_system(name, order), order // 2
    assert system.order == order and system.eigenvalues.shape == system.inputs.shape == (half,)
    assert {array.dtype for array in (system.eigenvalues, system.low_rank, system.inputs)} == {np.dtype(complex)}
    assert system.low_rank.shape == (system.rank, half)
    assert (system.eigenvalues.real <= 0).all() and (system.eigenvalues.imag >= 0).all()
    assert is_diagonal(name) == (system.rank == 0) == (system.coordinates is None) == name.startswith("diag")


@pytest.mark.parametrize("order", ORDERS)
def test_the_real_parts_are_exact(order):
    for name, real in {"legs": -0.5, "legt": 0, "fout": 0, "lagt": 0, "diag_legs": -0.5}.items():
        assert set(structured_system(name, order).eigenvalues.real) == {real}


@pytest.mark.parametrize("order", ORDERS)
def test_the_frequencies_of_lagt_and_fout_are_those_of_the_closed_forms(order):
    """The skew part of lagt is a matrix of signs: its frequencies are cot(pi (2k - 1) / 2N) / 2."""
    k = np.arange(order // 2, 0, -1)
    expected = 1 / np.tan(np.pi * (2 * k - 1) / (2 * order)) / 2
    found = structured_system("lagt", order).eigenvalues.imag
    np.testing.assert_allclose(found, expected, rtol=0, atol=order * EPS * expected[-1])
    np.testing.assert_array_equal(structured_system("fout", order).eigenvalues.imag, np.pi * np.arange(order // 2))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", RANKS)
def test_the_phases_make_the_inputs_positive(name, order):
    inputs = structured_system(name, order).inputs
    assert (inputs.real > 0).all() and not inputs.imag.any()


@pytest.mark.parametrize("order", [2, 8, 64])
def test_modes_of_any_skew_matrix(order):
    random = np.random.default_rng(order).standard_normal((order, order))
    skew = random - random.T
    frequencies, vectors = skew_modes(skew)
    bound = 4 * order * EPS * np.linalg.norm(skew, 2)
    np.testing.assert_allclose(skew @ vectors, 1j * frequencies * vectors, rtol=0, atol=bound)
    np.testing.assert_allclose(frequencies, np.sort(np.linalg.eigvals(skew).imag)[order // 2 :], rtol=0, atol=bound)
    np.testing.assert_allclose(vectors.T @ vectors, 0, atol=4 * order * EPS)  # orthogonal to the conjugates


@pytest.mark.parametrize("order", [2, 16, 64])
def test_kernels_of_legs_from_the_structured_form(order):
    system, times = structured_system("legs", order), np.linspace(0, 6, 40)
    found = basis_kernels(*system.expand(), times) @ unitary(system).T
    # Kernels are at most sqrt(2n+1) = 11; the exponential of a matrix of norm 2 N^2 t rounds by that times 1e-16.
    np.testing.assert_allclose(found, legs_kernels(order, times), rtol=0, atol=1e-11)


def responses(name, order, s):
    """The transforms of the real coefficients' kernels at s, by Cauchy sums and the Woodbury identity."""
    system = structured_system(name, order)
    eigenvalues, P, B = (
        np.concatenate([a, a.conj()], axis=-1) for a in (system.eigenvalues, system.low_rank, system.inputs)
    )
    cauchy = 1 / (s - eigenvalues)
    inner = (P.conj() * cauchy) @ P.T
    correction = np.linalg.solve(np.eye(system.rank) + inner, (P.conj() * cauchy) @ B)
    return unitary(system) @ (cauchy * (B - P.T @ correction))


@pytest.mark.parametrize("order", [2, 4, 8, 16])
def test_structured_legt_is_a_delay_to_the_accuracy_of_pade(order):
    n = np.arange(order)
    far_end = (-1.0) ** n * np.sqrt(2 * n + 1)
    for s in (0.1, 1.0, 4.0, 1 + 5j, 3j):
        assert far_end @ responses("legt", order, s) == pytest.approx(pade_of_exp(-2 * s, order - 1, order), abs=1e-12)


@pytest.mark.parametrize("order", [2, 4, 16, 64, 256])
def test_structured_fout_in_the_laplace_domain(order):
    for s in (0.1, 1.0, 4.0, 1 + 5j):
        # Every term of the sums is at most 1 / 0.1.
        np.testing.assert_allclose(responses("fout", order, s), fout_transform(order, s), rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", [2, 16, 64])
def test_structured_lagt_is_a_cascade_of_all_pass_filters(order):
    """The transform of e^{-t/2} L_n(t) is (s - 1/2)^n / (s + 1/2)^(n+1)."""
    n = np.arange(order)
    for s in (0.1, 1.0, 4.0, 1 + 5j):
        expected = ((s - 0.5) / (s + 0.5)) ** n / (s + 0.5)
        np.testing.assert_allclose(responses("lagt", order, s), expected, rtol=0, atol=1e-12 * order)


@pytest.mark.parametrize("order", [2, 8, 64, 256])
def test_diag_legs_is_legs_in_a_weak_limit(order):
    """g(s) = P^T (s I - M)^-1 P of the normal part M is (1 - e) / (1 + e), where e -> 0 for Re s > -1/2.

    legs has the output B^T (s I - A)^-1 B = 2 g / (1 + g) = 1 - e, and S4D-LegS, with half of the input, has g.
    """
    system = structured_system("legs", order)
    normal = structured_system("diag_legs", order)
    np.testing.assert_array_equal(normal.eigenvalues, system.eigenvalues)
    for s in (0.0, 1.0, 10.0, 0.5, 1 + 5j, 3j):
        weight = abs(system.low_rank[0]) ** 2
        g = (weight / (s - normal.eigenvalues) + weight / (s - normal.eigenvalues.conj())).sum()
        e = legs_residue(order, s)
        # Terms are at most |P|^2 / (1/2 Re s + 1/2) = N^2; the relative error of a frequency is at most N eps |S|.
        assert g == pytest.approx((1 - e) / (1 + e), abs=order**2 * EPS * 10)
        if order >= 64 and complex(s).real >= 1:
            assert abs(g - 1) < 2e-3


def test_errors_name_the_alternative():
    with pytest.raises(ValueError, match="no structured system is called 'leggs'; did you mean 'legs'.*diag_real"):
        structured_system("leggs", 4)
    with pytest.raises(ValueError, match="no structured system is called 'lmu'"):
        is_diagonal("lmu")
    for name in STRUCTURED:
        with pytest.raises(ValueError, match="order must be even and at least 2, .* got 7: use 6 or 8"):
            structured_system(name, 7)
        with pytest.raises(ValueError, match="order must be even and at least 2, .* got 1: use 2"):
            structured_system(name, 1)
        with pytest.raises(ValueError, match="order must be even and at least 2, .* got 0: use 2"):
            structured_system(name, 0)
        with pytest.raises(TypeError, match="order must be an integer, got 4.0"):
            structured_system(name, 4.0)


@pytest.mark.parametrize("module", [structured_module, normal_low_rank_module])
def test_examples(module):
    assert doctest.testmod(module).failed == 0
