"""Gramians of basis kernels against closed forms and quadrature."""

import doctest
import importlib

import numpy as np
import pytest

from hippo import transition
from hippo.operators import basis_kernels, gramian, structured_system
from tests.operators.closed_forms import legs_kernels

gramian_module = importlib.import_module("hippo.operators.gramian")


def quadrature(kernels, oldest, panels=40, nodes=20):
    """The integral of K K^T by a Gauss rule on each of many panels; `kernels(ages)` has shape (points, N)."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    edges = np.linspace(0, oldest, panels + 1)
    middle, half = (edges[1:] + edges[:-1]) / 2, oldest / panels / 2
    values = kernels((middle[:, None] + half * x).ravel())
    return (values * np.tile(half * w, panels)[:, None]).T @ values


@pytest.mark.parametrize("order", [1, 8, 64, 256])
def test_the_basis_of_legs_is_orthonormal_under_its_weight(order):
    """K K^T e^t integrates to I. After the time 60, e^{-60} N^2 is left."""
    A, B = transition("legs", order)
    # Each of some 20 doublings rounds; the kernels begin with squared norm N^2.
    np.testing.assert_allclose(gramian(A + np.eye(order) / 2, B, 60), np.eye(order), rtol=0, atol=1e-15 * order**2 * 20)


def test_the_basis_of_lagt_is_orthonormal_under_a_constant_weight():
    np.testing.assert_allclose(gramian(*transition("lagt", 8), 200), np.eye(8), rtol=0, atol=1e-12)


def test_all_ages_of_fout():
    """A + A^T = -2 B B^T, so that A X + X A^T + B B^T = 0 has the solution I / 2; the sine of frequency 0 is 0."""
    expected = np.diag([0.5, 0, 0.5, 0.5, 0.5, 0.5])
    np.testing.assert_allclose(gramian(*transition("fout", 6), 200), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("time", [0.01, 0.7, 4.0])
def test_a_span_of_ages(time):
    expected = quadrature(lambda ages: legs_kernels(16, ages), time)
    np.testing.assert_allclose(gramian(*transition("legs", 16), time), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("measure", ["legt", "random"])
def test_systems_without_a_closed_form(measure):
    A, B = transition(measure, 7)
    expected = quadrature(lambda ages: basis_kernels(A, B, ages), 3.0, panels=60)
    np.testing.assert_allclose(gramian(A, B, 3.0), expected, rtol=1e-11, atol=1e-11)


def test_a_fast_oscillation_needs_no_grid():
    """cos^2 and sin^2 of wt integrate to T/2 ± sin(2wT) / 4w. 25 doublings are exact to 25 roundings of T w."""
    w, time = 1e6, 4.0
    cross = (1 - np.cos(2 * w * time)) / (4 * w)
    even, odd = time / 2 + np.sin(2 * w * time) / (4 * w), time / 2 - np.sin(2 * w * time) / (4 * w)
    found = gramian([[0, -w], [w, 0]], [1.0, 0.0], time)
    np.testing.assert_allclose(found, [[even, cross], [cross, odd]], rtol=0, atol=1e-9)


def test_several_inputs_are_added():
    A, B = transition("legs", 6)
    inputs = np.stack([B, np.ones(6), -2 * B], axis=1)
    expected = 5 * gramian(A, B, 0.8) + gramian(A, np.ones(6), 0.8)
    np.testing.assert_allclose(gramian(A, inputs, 0.8), expected, rtol=0, atol=1e-13)


def test_a_constant_and_a_system_without_input():
    np.testing.assert_array_equal(gramian([[0.0]], [2.0], 3.0), [[12.0]])
    np.testing.assert_array_equal(gramian(*(transition("legs", 4)[0], np.zeros(4)), 3.0), np.zeros((4, 4)))


def test_errors_name_the_argument():
    A, B = transition("legs", 4)
    with pytest.raises(ValueError, match=r"expected A \(N, N\) and B \(N,\), got \(4, 4\) and \(5,\)"):
        gramian(A, np.ones(5), 1.0)
    with pytest.raises(ValueError, match=r"expected A \(N, N\) and B \(N,\), got \(4, 4\) and \(4, 0\)"):
        gramian(A, np.empty((4, 0)), 1.0)
    for time in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="time must be"):
            gramian(A, B, time)


def test_examples():
    assert doctest.testmod(gramian_module).failed == 0


@pytest.mark.parametrize("name", ["legs", "legt", "fout", "lagt"])
def test_complex_coordinates(name):
    """The states of the conjugate pairs are x = V^* c with a unitary V: their Gramian is V^* G V."""
    system = structured_system(name, 8)
    V = np.hstack([system.coordinates, system.coordinates.conj()])
    window = None if name in ("legs", "lagt") else 2
    found = gramian(*system.expand(), 3.0)
    np.testing.assert_allclose(
        V @ found @ V.conj().T, gramian(*transition(name, 8, window=window), 3.0), rtol=0, atol=1e-11
    )
