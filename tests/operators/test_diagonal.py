"""Diagonal systems of the S4D family: spectra, real matrices and kernels."""

import doctest
from cmath import exp
from math import cosh, pi, sinh, sqrt

import numpy as np
import pytest

from hippo import transition
from hippo.operators import MEASURES, basis_kernels, structured_system
from hippo.operators import diagonal as diagonal_module
from hippo.operators.diagonal import DIAGONAL

# S4D paper, section 4: eigenvalue n of N states.
PUBLISHED = {
    "diag_inv": lambda n, N: complex(-1 / 2, N / pi * (N / (2 * n + 1) - 1)),
    "diag_lin": lambda n, N: complex(-1 / 2, pi * n),
    "diag_real": lambda n, N: complex(-(n + 1), 0),
}


@pytest.mark.parametrize("order", [2, 16, 64])
@pytest.mark.parametrize("name", PUBLISHED)
def test_eigenvalues_are_the_published_ones(name, order):
    expected = [PUBLISHED[name](n, order) for n in range(order // 2)]
    np.testing.assert_allclose(structured_system(name, order).eigenvalues, expected, rtol=1e-15)


@pytest.mark.parametrize("order", [2, 16, 64])
def test_diag_legs_has_the_eigenvalues_of_the_normal_part_of_legs(order):
    A, _ = transition("legs", order)
    P = np.sqrt(np.arange(order) + 0.5)
    values = np.linalg.eigvals(A + np.outer(P, P))
    expected = np.sort(values.imag[values.imag > 0])
    found = structured_system("diag_legs", order).eigenvalues
    # A backward error of N eps |A| moves the eigenvalues of a normal matrix by as much.
    bound = 4 * order * np.finfo(float).eps * np.linalg.norm(A, 2)
    np.testing.assert_allclose(found, -0.5 + 1j * expected, rtol=0, atol=bound)


@pytest.mark.parametrize("name", DIAGONAL)
def test_the_dense_pair_has_the_same_states(name):
    """c = sqrt(2) (Re x, Im x) with x_n = e^{λ_n t}, state by state."""
    times = np.array([0.0, 0.1, 0.7, 2.0])
    found = basis_kernels(*transition(name, 12), times)
    for n, value in enumerate(structured_system(name, 12).eigenvalues):
        state = np.array([sqrt(2) * exp(complex(value) * t) for t in times])
        # Rounding of the exponential of a matrix of norm 42 t.
        np.testing.assert_allclose(found[:, 2 * n], state.real, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found[:, 2 * n + 1], state.imag, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", DIAGONAL)
def test_the_change_of_coordinates_keeps_the_energy(name):
    """The sum of c_n^2 is 2 sum |x_n|^2, so that unit-variance output weights give both the same variance."""
    times = np.linspace(0, 3, 7)
    real = basis_kernels(*transition(name, 8), times)
    states = basis_kernels(*structured_system(name, 8).expand(), times)  # both halves
    np.testing.assert_allclose((real**2).sum(axis=1), (abs(states) ** 2).sum(axis=1), rtol=1e-13)


def test_diag_lin_is_fout_with_a_decay_in_place_of_its_low_rank_term():
    A, B = transition("diag_lin", 10)
    fout, inputs = transition("fout", 10)
    np.testing.assert_allclose(A + np.eye(10) / 2, fout + np.outer(inputs, inputs), rtol=0, atol=1e-15)
    np.testing.assert_allclose(B[2:], inputs[2:], rtol=1e-15)
    assert B[0] == sqrt(2) and inputs[0] == 1


@pytest.mark.parametrize("frequency", [0.5, 1.0, 3.0, 7.0])
def test_the_states_of_diag_lin_do_not_have_the_energy_of_the_input(frequency):
    """For the input e^{iwt}, sum |x_n|^2 -> 2 sinh(1) / (cosh(1) - cos(2w)) + 1 / (1/4 + w^2), which is not 1.

    It is the sum of 1 / (1/4 + (w - pi m)^2) over all integers m, with the constant counted twice.
    """
    limit = 2 * sinh(1) / (cosh(1) - np.cos(2 * frequency)) + 1 / (0.25 + frequency**2)
    order = 512
    A, B = transition("diag_lin", order)
    states = np.linalg.solve(1j * frequency * np.eye(order) - A, B)
    # The terms that are left out are below 1 / (pi m - w)^2 each, m >= N / 2, on both sides.
    assert (abs(states) ** 2).sum() == pytest.approx(limit, abs=2 / pi / (pi * (order / 2 - 1) - frequency))
    assert limit > 1.5


@pytest.mark.parametrize("name", DIAGONAL)
def test_errors_name_the_alternative(name):
    assert name in MEASURES
    with pytest.raises(ValueError, match="order must be even and at least 2, .* got 7: use 6 or 8"):
        transition(name, 7)
    with pytest.raises(ValueError, match=f"measure {name!r} has no window"):
        transition(name, 8, window=2)


def test_examples():
    assert doctest.testmod(diagonal_module).failed == 0
