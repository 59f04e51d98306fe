"""Memories of long streams: a float32 memory also follows its input when single steps are very small."""

import itertools

import numpy as np
import pytest

from hippo import OnlineMemory, kernels, project

needs_compiled = pytest.mark.skipif(kernels.backend().compiled is None, reason="needs compiled kernels")

CHANGE = 2**20  # input from which a float32 memory is stepped in float64


def first_coefficient(signal, total=None):
    """c_0 of the bilinear rule, (2k+1) c_0 = (2k-1) c_0 + 2 f_k: the mean with half the weight for input 0."""
    total = np.sum(signal, dtype=np.float64) if total is None else total
    return (2 * total - signal[0]) / (2 * len(signal) - 1)


@pytest.fixture(scope="module")
def ones_then_zeros():
    signal = np.ones(70_000_000, dtype=np.float32)
    signal[len(signal) // 2 :] = 0
    return signal


@needs_compiled
def test_a_long_float32_signal_in_one_call(ones_then_zeros):
    signal = ones_then_zeros
    snapshots = project(signal, 8, stride=35_000_000)
    assert snapshots.dtype == np.float32
    np.testing.assert_allclose(snapshots[:, 0], [1, first_coefficient(signal)], rtol=1e-6)
    state = np.zeros((1, 8), dtype=np.float32)
    kernels.legs_project(state, signal[None])
    np.testing.assert_array_equal(state[0], snapshots[1])
    # Against the same recurrence in float64: one rounding of values of order 1.
    np.testing.assert_allclose(snapshots[1], project(ones_then_zeros, 8, dtype="float64"), rtol=0, atol=1e-6)


@needs_compiled
def test_a_long_float32_signal_in_chunks(ones_then_zeros):
    memory = OnlineMemory("legs", 8)
    for start in range(0, len(ones_then_zeros), 300_000):
        memory.update(ones_then_zeros[start : start + 300_000])
    assert memory.coefficients[0] == pytest.approx(first_coefficient(ones_then_zeros), rel=1e-6)
    np.testing.assert_allclose(memory.coefficients, project(ones_then_zeros, 8), rtol=0, atol=1e-6)


def late(samples, batch=None, dtype="float32", **options):
    """A memory that has had `samples` inputs, all ones."""
    memory = OnlineMemory("legs", 5, batch=batch, dtype=dtype, **options)
    saved = memory.state_dict()
    state = np.zeros((batch or 1, 5), dtype=dtype)
    state[:, 0] = 1
    return memory.load_state_dict({**saved, "samples": samples, "state": state})


@pytest.mark.parametrize("samples", [CHANGE - 300, CHANGE + 1, 10**8, 5 * 10**9])
@pytest.mark.parametrize("batch", [None, 3])
def test_any_chunking_of_a_late_float32_memory(samples, batch):
    zeros = np.zeros((batch or 1, 700), dtype=np.float32)[slice(None) if batch else 0]
    exact = late(samples, batch, "float64").update(zeros).coefficients
    assert 1e-8 < 1 - exact[..., 0].max() < 1e-3  # far below what single steps change in a float32 state
    for cuts in ([], [1, 5, 300, 301], range(1, 700)):
        memory = late(samples, batch)
        for part in np.split(zeros, cuts, axis=-1):
            memory.update(part)
        assert memory.coefficients.dtype == np.float32
        error = np.abs(memory.state_dict()["state"].reshape(exact.shape) - exact).max()
        # Steps before the change of precision round by 6e-8 each; later ones do not.
        assert error < (2e-5 if samples < CHANGE else 1e-15)


@pytest.mark.parametrize("stride", [1, 50, 701, 3000])
def test_strides_across_the_change_of_precision_and_across_pieces(stride, monkeypatch):
    monkeypatch.setattr(kernels.legs, "CHUNK", 600)
    signals = np.random.default_rng(0).standard_normal((2, 3000)).astype(np.float32)
    for samples in (CHANGE - 333, CHANGE + 1):
        memory, wide = late(samples, 2), late(samples, 2, "float64")
        snapshots, exact = (m.record(signals, stride=stride) for m in (memory, wide))
        assert snapshots.shape == (2, 3000 // stride, 5) and snapshots.dtype == np.float32
        np.testing.assert_allclose(snapshots, exact, rtol=0, atol=2e-5)


def test_saved_and_restored_across_the_change_of_precision():
    signal = np.random.default_rng(1).standard_normal(4000).astype(np.float32)
    memory = late(CHANGE - 1000)
    whole = memory.update(signal[:2000]).state_dict()
    resumed = OnlineMemory("legs", 5).load_state_dict(whole)
    for m in (memory, resumed):
        m.update(signal[2000:])
    np.testing.assert_array_equal(resumed.state_dict()["state"], memory.state_dict()["state"])
    assert resumed.coefficients.dtype == np.float32


@pytest.mark.parametrize("batched", [False, True])
def test_small_ratios_of_timestamps(batched):
    """2 * 10^4 inputs with step ratio 10^-9 change a float32 memory by 2 * 10^-5 of itself."""
    times, signal = 1e9 + np.arange(20_000.0), np.zeros(20_000, dtype=np.float32)
    signal[0] = 1
    ratios = np.diff(times) / times[1:]
    expected = np.prod((1 - ratios / 2) / (1 + ratios / 2))
    stamps = np.stack([times, times + 1e8]) if batched else times
    found = project(np.stack([signal, signal]), 5, timestamps=stamps)
    assert found.dtype == np.float32
    assert found[0, 0] == pytest.approx(expected, abs=1e-7) and expected < 1 - 1.9e-5


def test_a_long_window_in_float32():
    """One sample of a window of 10^8 changes a float32 memory by less than its rounding."""
    memories = []
    for dtype, width in itertools.product(("float32", "float64"), (1, 3000)):
        memory = OnlineMemory("legt", 4, theta=1e8, dtype=dtype)
        saved = {**memory.state_dict(), "samples": 1, "state": np.ones((1, 4), dtype="float64")}
        memory.load_state_dict(saved)
        for part in np.split(np.zeros(3000), range(width, 3000, width)):
            memory.update(part)
        memories.append(memory.coefficients)
    assert np.abs(memories[-1] - 1).max() > 1e-5
    np.testing.assert_allclose(memories, [memories[-1]] * 4, rtol=0, atol=1e-7)
