"""Statements of the theory of LegS (Gu et al. 2020, section 3), measured on the memory itself."""

import subprocess
import sys

import numpy as np
import pytest

from hippo import project, reconstruct

LEGENDRE = np.polynomial.legendre


def smooth(x):
    return np.sin(20 * x) + 0.5 * np.cos(3 * x) + 0.3


def test_polynomials_are_remembered_exactly():
    """c_n is the exact Legendre coefficient: the discretization's error is first order in 1 / length."""
    order, errors = 6, []
    for length in (20_000, 40_000):
        x = (np.arange(length) - 0.5) / (length - 1)  # input k is held over (k - 1, k]
        c = project(1 - 2 * x + 3 * x**4, order)
        nodes, weights = LEGENDRE.leggauss(12)
        values = 1 - (nodes + 1) + 3 * ((nodes + 1) / 2) ** 4
        basis = LEGENDRE.legvander(nodes, order - 1) * np.sqrt(2 * np.arange(order) + 1)
        exact = basis.T @ (values * weights) / 2
        errors.append(np.abs(c - exact).max())
    assert errors[0] < 1e-3
    assert errors[1] < 0.6 * errors[0]


def test_a_dilated_signal_has_the_same_coefficients():
    times = np.cumsum(np.random.default_rng(0).uniform(0, 1, 500))
    values = smooth(times / times[-1])
    # A power of two scales floating-point numbers exactly; other factors change the rounding of the ratios.
    np.testing.assert_array_equal(project(values, 32, timestamps=times), project(values, 32, timestamps=8 * times))
    np.testing.assert_allclose(
        project(values, 32, timestamps=times), project(values, 32, timestamps=0.37 * times), rtol=0, atol=1e-12
    )
    # Sampled twice as densely it is the same signal up to the discretization, of first order in 1 / length.
    coefficients = [project(smooth((np.arange(n) + 0.5) / n), 32) for n in (20_000, 40_000, 80_000)]
    change = [np.linalg.norm(b - a) for a, b in zip(coefficients[:-1], coefficients[1:], strict=True)]
    assert change[0] < 1e-2 and change[1] < 0.6 * change[0]


def test_gradients_decay_as_one_over_length():
    """The gradient of c_T in input k is sqrt(2n+1) P_n(2k/T - 1) / T: it decays as 1/T, not exponentially."""
    order, k = 8, 2000
    for length in (50_000, 200_000, 800_000):
        impulse = np.zeros(length)
        impulse[k] = 1.0
        gradient = project(impulse, order)
        position = 2 * (k - 0.5) / (length - 1) - 1
        exact = LEGENDRE.legvander(position, order - 1)[0] * np.sqrt(2 * np.arange(order) + 1) / (length - 1)
        # The impulse is held over the interval before k, which shifts it by order / k at most.
        np.testing.assert_allclose(gradient, exact, rtol=0, atol=1e-3 * np.abs(exact).max())


@pytest.mark.parametrize("derivatives", [1, 2, 3])
def test_error_falls_with_the_order_as_smoothness_allows(derivatives):
    """With bounded derivatives up to the j-th the error falls at least as N^(1/2 - j)."""
    length, orders = 400_000, np.array([8, 16, 32, 64])  # so long that discretization errors are smaller
    x = (np.arange(length) + 0.5) / length
    signal = np.sign(x - 0.43) * (x - 0.43) ** derivatives if derivatives % 2 == 0 else np.abs(x - 0.43) ** derivatives
    coefficients = project(signal, int(orders[-1]))
    errors = [np.sqrt(np.mean((reconstruct(coefficients[:n], points=length) - signal) ** 2)) for n in orders]
    slope = np.polyfit(np.log(orders), np.log(errors), 1)[0]
    assert slope < 0.5 - derivatives


@pytest.mark.parametrize(("name", "bound"), [("smooth", 1e-3), ("noise", 1e-4)])
def test_float32_after_a_million_inputs(name, bound):
    """Relative error against the float64 recurrence of the same inputs: one rounding of z per input adds up.

    Random rounding errors of 6e-8 over 10^6 inputs sum up to 6e-5. The small changes of a smooth signal round alike
    over many inputs, which costs more; noise decorrelates them.
    """
    length = 1_000_000
    signal = smooth(np.arange(length) / length) if name == "smooth" else np.random.default_rng(0).normal(size=length)
    narrow = signal.astype(np.float32)
    exact = project(narrow.astype(np.float64), 256)
    assert np.linalg.norm(project(narrow, 256) - exact) < bound * np.linalg.norm(exact)


def test_low_coefficients_do_not_depend_on_the_order():
    """A is lower triangular: a memory of fewer coefficients is a part of a larger one."""
    signal = np.random.default_rng(3).normal(size=5000)
    np.testing.assert_allclose(project(signal, 300)[:70], project(signal, 70), rtol=0, atol=1e-12)


STREAM = """
import resource, sys
import numpy as np
from hippo import OnlineMemory
memory, chunk = OnlineMemory("legs", 64), np.sin(np.arange(100_000) / 1e4).astype(np.float32)
memory.update(chunk)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
chunks = int(sys.argv[1]) // len(chunk)
for i in range(1, chunks):
    if i == chunks // 2:
        chunk -= 1
    memory.update(chunk)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
mean = np.mean(chunk, dtype=np.float64) + (chunks // 2) / chunks
print(grown, memory.samples, memory.coefficients[0] - mean)
"""


@pytest.mark.parametrize("length", [10**7, pytest.param(10**9, marks=pytest.mark.slow)])
def test_a_stream_needs_constant_memory(length):
    shown = subprocess.run(
        [sys.executable, "-c", STREAM, str(length)], capture_output=True, text=True, check=True
    ).stdout
    kilobytes, samples, error = shown.split()
    assert int(kilobytes) < 4000 and int(samples) == length  # kB: a part of a chunk and its results in float64
    assert abs(float(error)) < 1e-5  # c_0 is the mean; the first 2^20 inputs round in float32
