"""Convolutions against sums written out, and the PyTorch form of a whole block against its benchmark reference."""

import pytest
import torch

from bench.ssm_reference import ReferenceBlock
from hippo.nn import S4, S4D
from hippo.nn.ssm import direct_convolution, fft_convolution
from hippo.nn.ssm.convolution import SHORT, convolve
from tests.nn.ssm.systems import discrete_system, variables

double = torch.float64


def written_out(inputs, response):
    """y[l] = sum_{j <= l} K[0, j] u[l - j] + sum_{j >= 1} K[1, j - 1] u[l + j]."""
    length, outputs = inputs.shape[1], torch.zeros_like(inputs)
    for step in range(length):
        for lag in range(step + 1):
            outputs[:, step] += response[0, :, lag] * inputs[:, step - lag]
        for lag in range(1, length - step if len(response) == 2 else 1):
            outputs[:, step] += response[1, :, lag - 1] * inputs[:, step + lag]
    return outputs


@pytest.mark.parametrize("form", [direct_convolution, fft_convolution])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("length", [1, 2, 13])
def test_forms_equal_the_sum(form, channels, length):
    inputs, response = torch.randn(2, length, 3, dtype=double), torch.randn(channels, 3, length, dtype=double)
    torch.testing.assert_close(form.convolve(inputs, response), written_out(inputs, response), atol=1e-13, rtol=1e-13)
    leaves = inputs.requires_grad_(), response.requires_grad_()
    assert torch.autograd.gradcheck(form.convolve, leaves)


@pytest.mark.parametrize("length", [SHORT, SHORT + 1])
@pytest.mark.parametrize("channels", [1, 2])
def test_both_sides_of_the_threshold_agree(length, channels):
    system, skip = discrete_system("legs", channels=channels), torch.randn(3, dtype=double)
    inputs = torch.randn(2, length + 10, 3, dtype=double)
    inputs[:, length:] = 0
    if channels == 1:
        longer = convolve(inputs, system, skip)[:, :length]  # zeros after the end change no earlier output
        torch.testing.assert_close(convolve(inputs[:, :length], system, skip), longer, atol=1e-11, rtol=0)
    again = convolve(inputs[:, :length], system, skip) - skip * inputs[:, :length]
    padded = convolve(inputs, system, skip)[:, :length] - skip * inputs[:, :length]
    torch.testing.assert_close(again, padded, atol=1e-11, rtol=0)


@pytest.mark.parametrize("measure, rule, channels", [("legt", "bilinear", 2), ("diag_lin", "zoh", 1)])
def test_gradients(measure, rule, channels):
    leaves = variables(discrete_system(measure, rule, channels=channels, features=2, state_size=4))
    inputs = torch.randn(2, 7, 2, dtype=double, requires_grad=True)
    skip = torch.randn(2, dtype=double, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda inputs, skip, *tensors: convolve(inputs, type(discrete_system())(*tensors), skip),
        (inputs, skip, *leaves),
    )


def test_short_sequences_are_exactly_causal():
    system = discrete_system("legs")
    inputs = torch.randn(2, SHORT, 3, dtype=double)
    changed = inputs.clone()
    changed[:, 20:] += 1
    skip = torch.ones(3, dtype=double)
    before, after = convolve(inputs, system, skip), convolve(changed, system, skip)
    assert torch.equal(before[:, :20], after[:, :20]) and not torch.equal(before[:, 20:], after[:, 20:])


def test_a_length_beyond_memory():
    inputs = torch.zeros(1, 1, 1, dtype=double).expand(1, 10**14, 3)
    with pytest.raises(MemoryError, match="the convolution of 1 sequences of 100,000,000,000,000 steps and 3 features"):
        convolve(inputs, discrete_system("legs"), torch.ones(3, dtype=double))


@pytest.mark.parametrize("length", [90, 101])
@pytest.mark.parametrize(
    "layer, options",
    [(S4, {}), (S4, {"measure": "legt", "n_ssm": 4}), (S4D, {}), (S4D, {"discretization": "bilinear", "n_ssm": 2})],
)
def test_a_block_equals_the_published_algorithm(layer, options, length):
    """Two computations of one function in float64: with C (I - Abar^L) on the unit circle, and on a smaller circle."""
    block = layer(4, 8, bidirectional=True, dt_min=0.01, dtype=double, **options)
    reference = ReferenceBlock(block, length)
    inputs = torch.randn(2, length, 4, dtype=double)
    torch.testing.assert_close(block(inputs), reference(inputs), atol=1e-9, rtol=0)
