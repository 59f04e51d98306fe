"""Impulse responses: every form against power iteration with dense matrices, and against closed forms."""

import numpy as np
import pytest
import torch

from hippo.nn.ssm import cauchy, generating_function
from hippo.nn.ssm.cauchy import cauchy_kernel
from hippo.nn.ssm.dense import dense_kernel
from hippo.nn.ssm.discretization import DiscreteSystem
from hippo.nn.ssm.fast_sizes import fast_fft_size
from hippo.nn.ssm.generating_function import woodbury_kernel
from hippo.nn.ssm.kernels import kernel
from hippo.nn.ssm.vandermonde import powers, vandermonde_kernel
from hippo.operators import structured_system
from tests.nn.ssm.systems import DIAGONAL, VARIANTS, discrete_system, variables

FORMS = [cauchy_kernel, woodbury_kernel]


@pytest.mark.parametrize("length", [1, 2, 7, 300])
@pytest.mark.parametrize("measure, rule", VARIANTS)
def test_every_form_equals_power_iteration(measure, rule, length):
    """The circle's radius rho = eps^(1/(5 L)) gives eps^(4/5) = 3e-13, times the size of the terms that cancel.

    Those are sums over 1 / (1 - z a), at most 1 / (1 - rho), which is L / 7.
    """
    system = discrete_system(measure, rule, channels=2)
    expected = dense_kernel(system, length)
    forms = [*FORMS, vandermonde_kernel] if system.rank == 0 else FORMS
    for form in forms:
        torch.testing.assert_close(form(system, length), expected, atol=2e-11 * expected.abs().max().item(), rtol=0)


@pytest.mark.parametrize("measure, rule", VARIANTS)
def test_float32_differs_by_its_rounding(measure, rule):
    """The same rounded system in float64 is the oracle. The circle's error is eps^(1/2) = 1.5e-8 times the terms."""
    single = DiscreteSystem(*(tensor.to(torch.complex64) for tensor in discrete_system(measure, rule, state_size=64)))
    expected = dense_kernel(DiscreteSystem(*(tensor.to(torch.complex128) for tensor in single)), 500)
    forms = [*FORMS, vandermonde_kernel] if single.rank == 0 else FORMS
    for form in forms:
        response = form(single, 500)
        assert response.dtype == torch.float32
        torch.testing.assert_close(response.double(), expected, atol=1e-6 * expected.abs().max().item(), rtol=0)


def test_vandermonde_equals_the_closed_formula():
    """K[l] = 2 Re sum_n C_n B_n (e^(dt lambda) - 1) / lambda e^(l dt lambda), S4D paper, section 3.2."""
    system, step = structured_system("diag_inv", 16), 0.05
    C = np.random.default_rng(0).standard_normal(8) + 0j
    weights = C * system.inputs * (np.exp(step * system.eigenvalues) - 1) / system.eigenvalues
    expected = 2 * (weights @ np.exp(step * system.eigenvalues[:, None] * np.arange(200))).real
    a = torch.from_numpy(np.exp(step * system.eigenvalues)).unsqueeze(0)
    b = torch.from_numpy((np.exp(step * system.eigenvalues) - 1) / system.eigenvalues * system.inputs).unsqueeze(0)
    empty = a.new_zeros(1, 0, 8)
    response = vandermonde_kernel(DiscreteSystem(a, empty, empty, b, torch.from_numpy(2 * C).view(1, 1, 8)), 200)
    np.testing.assert_allclose(response[0, 0].numpy(), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("measure, rule", VARIANTS)
def test_twice_the_length_begins_with_the_same_response(measure, rule):
    system = discrete_system(measure, rule)
    short, long = kernel(system, 150), kernel(system, 300)
    torch.testing.assert_close(long[..., :150], short, atol=2e-11 * short.abs().max().item(), rtol=0)


@pytest.mark.parametrize("form", [dense_kernel, *FORMS])
@pytest.mark.parametrize("measure, rule", [("legs", "bilinear"), ("legt", "bilinear"), ("diag_lin", "zoh")])
def test_gradients(form, measure, rule):
    leaves = variables(discrete_system(measure, rule, channels=2, features=2, state_size=4))
    assert torch.autograd.gradcheck(lambda *tensors: form(DiscreteSystem(*tensors), 6), leaves)


@pytest.mark.parametrize("measure, rule", DIAGONAL)
def test_gradients_of_vandermonde(measure, rule):
    leaves = variables(discrete_system(measure, rule, channels=2, features=2, state_size=4))
    assert torch.autograd.gradcheck(lambda *tensors: vandermonde_kernel(DiscreteSystem(*tensors), 7), leaves)


def test_a_zero_on_the_diagonal():
    """The bilinear rule maps step lambda = -2 to 0. Its powers are 1, 0, 0, ..., with the gradient 0, 1, 0, ...."""
    a = torch.zeros(1, dtype=torch.complex128, requires_grad=True)
    table = powers(a, 5)
    assert table.tolist() == [[1, 0, 0, 0, 0]]
    (gradient,) = torch.autograd.grad((table.real * torch.arange(5.0)).sum(), a)
    assert gradient.item() == 1


@pytest.mark.parametrize("form, module", [(woodbury_kernel, generating_function), (cauchy_kernel, cauchy)])
def test_chunks_change_neither_values_nor_gradients(form, module, monkeypatch):
    leaves = variables(discrete_system("legt", channels=2))

    def values_and_gradients():
        response = form(DiscreteSystem(*leaves), 100)
        return response, *torch.autograd.grad((response * torch.linspace(-1, 1, 100)).sum(), leaves)

    whole = values_and_gradients()
    monkeypatch.setattr(module, "CHUNK_BYTES", 1)
    for got, want in zip(values_and_gradients(), whole, strict=True):
        torch.testing.assert_close(got, want, atol=1e-12 * want.abs().max().item(), rtol=1e-12)


@pytest.mark.parametrize(
    "form, measure", [(woodbury_kernel, "legs"), (cauchy_kernel, "legs"), (vandermonde_kernel, "diag_lin")]
)
def test_what_is_kept_for_the_backward_pass_is_smaller_than_the_terms(form, measure):
    """Tensors kept for backward, of which those of all terms would have features x state_size x length numbers."""
    length, features, state_size, kept = 4096, 4, 64, {}

    def keep(tensor):
        kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    leaves = variables(discrete_system(measure, features=features, state_size=state_size))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        form(DiscreteSystem(*leaves), length)
    assert sum(kept.values()) < 8 * features * state_size * length / 4


def test_a_low_rank_part_is_no_vandermonde_product():
    with pytest.raises(ValueError, match="low-rank part of rank 1; expected a diagonal system"):
        vandermonde_kernel(discrete_system("legs"), 10)


def test_a_length_beyond_memory():
    with pytest.raises(MemoryError, match="an array of [36] impulse responses of 1,000,000,000,000,000 steps needs"):
        kernel(discrete_system("legs"), 10**15)


def test_fast_sizes():
    for least in range(1, 3000, 7):
        size = fast_fft_size(least)
        odd = size // (size & -size)
        assert least <= size <= max(2, 1.25 * least + 1) and size % 2 == 0 and odd in (1, 3, 5, 7, 9)
