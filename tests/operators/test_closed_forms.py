"""Pairs (A, B) against published matrices and closed forms, computed by code that does not use the package."""

from math import pi, sqrt

import numpy as np
import pytest
from scipy.linalg import expm

from hippo import transition
from hippo.operators import TimeInvariant, find_measure
from tests.operators.closed_forms import fout_transform, legs_kernels, pade_of_exp


def s4_legs(order):
    A, B = np.zeros((order, order)), np.zeros(order)
    for n in range(order):
        B[n] = sqrt(2 * n + 1)
        for k in range(n):
            A[n, k] = -sqrt((2 * n + 1) * (2 * k + 1))
        A[n, n] = -(n + 1)
    return A, B


def s4_legt(order):
    """Window 2, as published for S4: half of the matrices of window 1."""
    A, B = np.zeros((order, order)), np.zeros(order)
    for n in range(order):
        B[n] = sqrt(2 * n + 1) / 2
        for k in range(order):
            A[n, k] = -sqrt((2 * n + 1) * (2 * k + 1)) / 2 * (1 if n >= k else (-1) ** (n - k))
    return A, B


def s4_fout(order):
    """Window 2 (`fout` in the published code): skew part minus B B^T."""
    A, B = np.zeros((order, order)), np.zeros(order)
    B[0] = 1
    B[2::2] = sqrt(2)
    for m in range(order // 2):
        A[2 * m + 1, 2 * m], A[2 * m, 2 * m + 1] = pi * m, -pi * m
    return A - np.outer(B, B), B


@pytest.mark.parametrize("order", [2, 8, 32])
@pytest.mark.parametrize(
    ("measure", "window", "published", "factor"),
    [
        ("legt", 2, s4_legt, 1),
        ("legt", 1, s4_legt, 2),
        ("fout", 2, s4_fout, 1),
        ("fout", 1, s4_fout, 2),
    ],
)
def test_both_window_conventions(measure, window, published, factor, order):
    for found, expected in zip(transition(measure, order, window=window), published(order), strict=True):
        np.testing.assert_allclose(found, factor * expected, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("measure", ["legt", "lmu", "fout"])
def test_window_is_absolute_and_theta_is_relative(measure):
    own = {"legt": 1, "lmu": 1, "fout": 2}[measure]
    for by_window, by_theta in zip(
        transition(measure, 6, window=5 * own), transition(measure, 6, theta=5), strict=True
    ):
        np.testing.assert_array_equal(by_window, by_theta)
    assert TimeInvariant(measure, 6).time_unit == own
    assert TimeInvariant(measure, 6, window=7).time_unit == 7
    assert TimeInvariant(measure, 6, theta=7).time_unit == 7 * own


@pytest.mark.parametrize("theta", [None, 1, 2.5, 1000])
def test_time_invariant_legs_is_the_published_pair_over_theta(theta):
    for found, expected in zip(transition("legs", 16, theta=theta), s4_legs(16), strict=True):
        np.testing.assert_allclose(found, expected / (theta or 1), rtol=1e-15)


@pytest.mark.parametrize("order", [1, 2, 8, 32])
@pytest.mark.parametrize("theta", [1.0, 3.0])
def test_kernels_of_time_invariant_legs(order, theta):
    """(e^{tA} B)_n = e^{-t} sqrt(2n+1) P_n(2 e^{-t} - 1), exact at every order; time divided by theta."""
    A, B = transition("legs", order, theta=theta)
    times = theta * np.array([0.01, 0.3, 1.0, 4.0])
    found = np.stack([expm(t * A) @ B for t in times])
    # Kernels are at most sqrt(2n+1) = 8; the exponential of a matrix of norm 2 N^2 t rounds by that times 1e-16.
    np.testing.assert_allclose(found, legs_kernels(order, times, theta), rtol=0, atol=1e-11)


@pytest.mark.parametrize("theta", [1.0, 3.0])
def test_kernels_of_time_invariant_legs_are_basis_times_measure(theta):
    system = TimeInvariant("legs", 12, theta=theta)
    A, B = system.continuous()
    ages = np.array([0.0, 0.2, 1.0, 5.0]) * theta
    kernels = np.stack([expm(t * A) @ B for t in ages])
    measure = np.exp(-ages / theta) / theta
    np.testing.assert_allclose(kernels, system.basis(ages) * measure[:, None], rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3, 8, 16])
@pytest.mark.parametrize("window", [2, 1, 5])
def test_legt_is_a_delay_to_the_accuracy_of_pade(order, window):
    """The transfer function to the signal at the far end of the window is the [N-1/N] Padé approximant of e^{-Ws}."""
    A, B = transition("legt", order, window=window)
    n = np.arange(order)
    far_end = (-1.0) ** n * np.sqrt(2 * n + 1)
    for s in np.array([0.1, 1.0, 4.0, 1 + 5j, 3j]) / window:
        found = far_end @ np.linalg.solve(s * np.eye(order) - A, B)
        assert found == pytest.approx(pade_of_exp(-window * s, order - 1, order), abs=1e-12)


@pytest.mark.parametrize("order", [2, 4, 16, 64])
@pytest.mark.parametrize("window", [2, 1, 5])
def test_fout_in_the_laplace_domain(order, window):
    """K(s) = v / (1 + b^T v), where v is the transform of the cosines and sines without the rank-one term."""
    A, B = transition("fout", order, window=window)
    for s in np.array([0.1, 1.0, 4.0, 1 + 5j]):
        # (cA, cB) has the kernels c K(ct), whose transform is K(s / c); c = 2 / window here.
        scaled = 2 * s / window
        found = np.linalg.solve(scaled * np.eye(order) - A, B)
        np.testing.assert_allclose(found, fout_transform(order, s), rtol=0, atol=1e-13)


@pytest.mark.parametrize("theta", [1.0, 3.0])
def test_basis_of_time_invariant_legs_is_orthonormal(theta):
    """Gram matrix under e^{-t/theta} / theta, by Gauss quadrature in s = e^{-t/theta}: exact for polynomials in s."""
    nodes, weights = np.polynomial.legendre.leggauss(24)
    ages = -theta * np.log((nodes + 1) / 2)
    basis = TimeInvariant("legs", 20, theta=theta).basis(ages)
    np.testing.assert_allclose(basis.T @ (basis * weights[:, None] / 2), np.eye(20), rtol=0, atol=1e-12)


@pytest.mark.parametrize("window", [1, 2])
@pytest.mark.parametrize("measure", ["legt", "fout"])
def test_bases_of_windows_are_orthonormal(measure, window):
    """Under the uniform measure 1/W on [0, W]; 200 nodes resolve the 10 periods of the fastest sinusoid exactly."""
    nodes, weights = np.polynomial.legendre.leggauss(200)
    basis = TimeInvariant(measure, 20, window=window).basis(window * (nodes + 1) / 2)
    gram = basis.T @ (basis * weights[:, None] / 2)
    expected = np.eye(20)
    if measure == "fout":
        expected[1, 1] = 0  # the sine of frequency 0
    np.testing.assert_allclose(gram, expected, rtol=0, atol=1e-12)


def test_basis_of_lagt_is_orthonormal():
    nodes, weights = np.polynomial.laguerre.laggauss(40)
    basis = TimeInvariant("lagt", 12).basis(nodes) * np.exp(nodes / 2)[:, None]
    np.testing.assert_allclose(basis.T @ (basis * weights[:, None]), np.eye(12), rtol=0, atol=1e-10)


def test_a_measure_has_no_dynamics():
    assert set(vars(find_measure("legs"))) == {"matrices", "basis", "window"}
