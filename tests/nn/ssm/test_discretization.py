"""Discretization against dense complex matrices and quadrature."""

import numpy as np
import pytest
import torch

from hippo.nn.ssm.dense import dense_system
from hippo.nn.ssm.discretization import DiscreteSystem, bilinear, exponential_quotient, zero_order_hold
from hippo.operators import structured_system

double, complex_double = torch.float64, torch.complex128
STEPS = [1e-4, 0.03, 1.7]


def tensors(name, order=8):
    system = structured_system(name, order)
    arrays = (system.eigenvalues, system.low_rank, system.inputs)
    return tuple(torch.from_numpy(array).expand(len(STEPS), *array.shape) for array in arrays)


def random_pairs(half, generator):
    """A vector of conjugate pairs, and its first half."""
    x = generator.standard_normal(half) + 1j * generator.standard_normal(half)
    return np.concatenate([x, x.conj()]), x


@pytest.mark.parametrize("name", ["legs", "legt", "fout", "lagt", "diag_legs", "diag_inv", "diag_lin", "diag_real"])
def test_bilinear_is_the_dense_bilinear_rule(name):
    eigenvalues, low_rank, inputs = tensors(name)
    a, p, v, b = (
        tensor.numpy() for tensor in bilinear(torch.tensor(STEPS, dtype=double), eigenvalues, low_rank, inputs)
    )
    A, B = structured_system(name, 8).expand()
    generator, half = np.random.default_rng(0), 4
    for h, step in enumerate(STEPS):
        left = np.eye(8) - step / 2 * A
        x, first = random_pairs(half, generator)
        expected = np.linalg.solve(left, (np.eye(8) + step / 2 * A) @ x)
        got = a[h] * first + sum(p[h, r] * (v[h, r] @ first).real for r in range(p.shape[1]))
        # rounding of solutions with numbers up to |A|, about 8^2, times the step
        np.testing.assert_allclose(got, expected[:half], rtol=0, atol=1e-13 * np.abs(x).max() * 8)
        np.testing.assert_allclose(
            b[h], np.linalg.solve(left, step * B)[:half], rtol=0, atol=1e-13 * step * np.abs(B).max()
        )


def test_float32_keeps_the_accuracy_of_small_steps():
    """The error of a is that of a number near 1; those of the other vectors are relative to their size."""
    step = torch.full((1,), 1e-4)
    for name in ("legs", "legt"):
        eigenvalues, low_rank, inputs = (tensor[:1] for tensor in tensors(name, 64))
        exact = bilinear(step.double(), eigenvalues, low_rank, inputs)
        single = bilinear(step, *(tensor.to(torch.complex64) for tensor in (eigenvalues, low_rank, inputs)))
        eps = torch.finfo(torch.float32).eps
        assert (single[0] - exact[0]).abs().max() < 2 * eps
        for got, want in zip(single[1:], exact[1:], strict=True):  # sums of at most 32 terms of one sign
            assert (got - want).abs().max() < 32 * eps * want.abs().max()


def test_exponential_quotient_by_quadrature():
    """(e^z - 1) / z is the integral of e^(z s) over s from 0 to 1; 60 nodes are exact to rounding for |z| < 20."""
    generator = np.random.default_rng(0)
    radius = 10 ** generator.uniform(-9, 1.2, 400)
    z = radius * np.exp(1j * generator.uniform(0.5 * np.pi, 1.5 * np.pi, 400))
    z = np.concatenate([[0], z, [-0.25, -0.2499, 0.25j, 1e-300, -1e-20j]])
    nodes, weights = np.polynomial.legendre.leggauss(60)
    expected = np.exp(z[:, None] * (nodes + 1) / 2) @ weights / 2
    got = exponential_quotient(torch.from_numpy(z)).numpy()
    # The quadrature rounds its exponents, of at most |z|, and sums weights of sum 1; twice that for both.
    np.testing.assert_allclose(got, expected, rtol=0, atol=2 * np.abs(z).max() * np.finfo(np.float64).eps)
    single = exponential_quotient(torch.from_numpy(z).to(torch.complex64)).numpy()
    np.testing.assert_allclose(single, expected, rtol=0, atol=5e-7)  # a few roundings, and those of z times |z|


def test_zero_order_hold_is_exact_for_constant_inputs():
    eigenvalues, _, inputs = tensors("diag_lin")
    a, p, v, b = zero_order_hold(torch.tensor(STEPS, dtype=double), eigenvalues, inputs)
    assert p.shape[1] == v.shape[1] == 0
    z = eigenvalues * torch.tensor(STEPS, dtype=double).unsqueeze(1)
    torch.testing.assert_close(a, z.exp())
    torch.testing.assert_close(b, (z.exp() - 1) / eigenvalues * inputs, rtol=1e-12, atol=0)


def test_zero_order_hold_at_a_zero_eigenvalue():
    step = torch.tensor([0.3], dtype=double, requires_grad=True)
    zero = torch.zeros(1, 2, dtype=complex_double, requires_grad=True)
    ones = torch.ones(1, 2, dtype=complex_double)
    a, _, _, b = zero_order_hold(step, zero, ones)
    torch.testing.assert_close(a, ones)
    torch.testing.assert_close(b, 0.3 * ones)
    (b.real.sum()).backward()
    torch.testing.assert_close(zero.grad, 0.045 * ones)  # the derivative of step (e^z - 1) / z at 0 is step^2 / 2


def test_a_real_system_has_the_same_matrix_in_real_coordinates():
    """`dense_system` against the action of the complex form."""
    eigenvalues, low_rank, inputs = tensors("legt")
    system = DiscreteSystem(*bilinear(torch.tensor(STEPS, dtype=double), eigenvalues, low_rank, inputs), inputs[None])
    A, B, C = dense_system(system)
    x = torch.randn(3, 4, dtype=complex_double)
    gains = (system.v * x.unsqueeze(1)).sum(2, keepdim=True).real
    after = system.a * x + (system.p * gains).sum(1)
    real = torch.cat([x.real, x.imag], 1)
    torch.testing.assert_close((A @ real.unsqueeze(2)).squeeze(2), torch.cat([after.real, after.imag], 1))
    torch.testing.assert_close((C[0] * real).sum(1), (system.c[0] * x).sum(1).real)
    torch.testing.assert_close(B, torch.cat([system.b.real, system.b.imag], 1))


@pytest.mark.parametrize("name", ["legs", "legt", "diag_lin"])
def test_gradients(name):
    eigenvalues, low_rank, inputs = (tensor.clone().requires_grad_(tensor.numel() > 0) for tensor in tensors(name, 4))
    step = torch.tensor(STEPS, dtype=double, requires_grad=True)
    assert torch.autograd.gradcheck(bilinear, (step, eigenvalues, low_rank, inputs))
    assert torch.autograd.gradcheck(zero_order_hold, (step, eigenvalues, inputs))
