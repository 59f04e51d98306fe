import numpy as np
import pytest
import torch

from hippo import OnlineMemory, project, reconstruct, transition
from hippo.operators.discretization import discretize
from hippo.operators.measures import MEASURES

WITH_BASIS = [m for m in MEASURES if MEASURES[m].basis]


def textbook(signal, order, measure, *, theta=None, alpha=0.5, times=None):
    """The dense float64 recurrence, input by input: (length, order), the coefficients after each."""
    signal = np.asarray(signal, dtype=np.float64)
    A, B = transition(measure, order)
    rows = []
    if measure == "legs":
        times = np.arange(len(signal)) if times is None else times
        c = np.zeros(order)
        c[0] = signal[0]
        rows.append(c)
        for k in range(1, len(signal)):
            s = (times[k] - times[k - 1]) / times[k] if times[k] > times[k - 1] else 0.0
            c = np.linalg.solve(np.eye(order) - alpha * s * A, c + (1 - alpha) * s * A @ c + s * B * signal[k])
            rows.append(c)
        return np.stack(rows)
    theta = len(signal) if theta is None else theta
    Abar, Bbar = discretize(A, B, (MEASURES[measure].window or 1.0) / theta, "zoh")
    c = np.zeros(order)
    for f in signal:
        c = Abar @ c + Bbar * f
        rows.append(c)
    return np.stack(rows)


def noise(length, *lead, seed=0):
    return np.random.default_rng(seed).standard_normal((*lead, length))


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("order", [1, 2, 5, 16, 33])
def test_project_is_the_textbook_recurrence(measure, order):
    signal = noise(1500)
    np.testing.assert_allclose(
        project(signal, order, measure), textbook(signal, order, measure)[-1], rtol=0, atol=1e-11
    )


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("stride", [1, 7, 300])
def test_strides_are_the_coefficients_on_the_way(measure, stride):
    signal = noise(300)
    rows = project(signal, 6, measure, stride=stride)
    expected = textbook(signal, 6, measure)[stride - 1 :: stride]
    np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_strides_of_batches_in_blocks(measure):
    """Long enough for several blocks of a time-invariant memory, a remainder, and inputs after the last stride."""
    signals = noise(5003, 2)
    theta = None if measure == "legs" else 700
    rows = project(signals, 5, measure, theta=theta, stride=7)
    expected = np.stack([textbook(signal, 5, measure, theta=theta)[6::7] for signal in signals])
    np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("measure", MEASURES)
def test_any_chunking_gives_the_same_coefficients(measure):
    signal, theta = noise(1200), None if measure == "legs" else 400
    whole = project(signal, 12, measure, theta=theta)
    for cuts in ([1, 2, 5], [599], [1199], range(1, 1200)):
        memory = OnlineMemory(measure, 12, theta=theta)
        for chunk in np.split(signal, cuts):
            memory.update(chunk if len(chunk) > 1 else chunk[0])
        assert memory.samples == 1200
        np.testing.assert_allclose(memory.coefficients, whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("measure", ["legs", "legt"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kind_and_dtype_come_back(measure, dtype):
    signal = noise(50, 2, 3).astype(dtype)
    arrays = project(signal, 8, measure)
    tensors = project(torch.from_numpy(signal), 8, measure)
    assert isinstance(arrays, np.ndarray) and arrays.dtype == dtype and arrays.shape == (2, 3, 8)
    assert isinstance(tensors, torch.Tensor) and tensors.dtype == torch.from_numpy(signal).dtype
    np.testing.assert_array_equal(arrays, tensors.numpy())
    for i in np.ndindex(2, 3):
        np.testing.assert_allclose(arrays[i], project(signal[i], 8, measure), rtol=0, atol=1e-6)
    assert reconstruct(tensors, measure, 9).dtype == tensors.dtype
    assert reconstruct(arrays, measure, 9).shape == (2, 3, 9)


@pytest.mark.parametrize("measure", WITH_BASIS)
def test_reconstruction_of_a_smooth_signal(measure):
    length = 4000
    # Windowed and fading memories start at rest: let them forget that before the part that is compared.
    past = {"legs": 1, "lagt": 40, "fout": 12}.get(measure, 3)
    age = (np.arange(past * length)[::-1] + 0.5) / length
    signal = {"lagt": np.exp(-age / 2) * (1 + age**2), "fout": 1 + np.sin(6 * np.pi * age)}.get(
        measure, 1 + np.sin(9 * age)
    )
    c = project(signal, 24, measure, theta=None if measure == "legs" else length)
    error = reconstruct(c, measure, points=length) - signal[-length:]
    # Sampling alone costs about 1 / length times the slope, 9 in these units.
    assert np.sqrt(np.mean(error**2)) < 3e-3 * signal[-length:].std()


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 0.25])
def test_timestamps_set_the_step(alpha):
    # Euler is only stable where the step ratio times the order stays small: late, close timestamps.
    times = 30 + np.cumsum(np.random.default_rng(2).uniform(0, 1, 60))
    signal = noise(60)
    expected = textbook(signal, 6, "legs", alpha=alpha, times=times)
    rows = project(signal, 6, discretization=alpha, timestamps=times, stride=1)
    np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-12)
    memory = OnlineMemory("legs", 6, discretization=alpha)
    for part in np.split(np.arange(60), [1, 4, 30]):
        memory.update(signal[part], timestamps=times[part])
    np.testing.assert_allclose(memory.coefficients, expected[-1], rtol=0, atol=1e-12)


def test_uniform_timestamps_change_nothing():
    signal = noise(100)
    np.testing.assert_allclose(project(signal, 16, timestamps=np.arange(100)), project(signal, 16), rtol=0, atol=1e-13)


def test_equal_timestamps_even_zero_leave_the_memory_alone():
    memory = OnlineMemory("legs", 4).update([3.0, 5.0, 7.0], timestamps=[0.0, 0.0, 0.0])
    np.testing.assert_array_equal(memory.coefficients, [3.0, 0, 0, 0])
    batch = OnlineMemory("legs", 4, batch=2).update(np.ones((2, 3)), timestamps=[[0, 0, 0], [0, 1, 2]])
    np.testing.assert_allclose(batch.coefficients, [[1, 0, 0, 0]] * 2, atol=1e-15)


BAD_CHUNKS = [
    (np.array([1.0, np.nan]), ValueError, "signal is nan at position 11"),
    (np.array([np.inf]), ValueError, "signal is inf at position 10"),
    (np.ones((2, 2)), ValueError, r"shape \(\) or \(length,\), got \(2, 2\)"),
    (np.array([1j]), TypeError, "real numbers"),
    (np.array(["a"]), TypeError, "real numbers"),
    (torch.tensor([1j]), TypeError, "real numbers"),
    (None, TypeError, "real numbers"),
]


@pytest.mark.parametrize(("chunk", "error", "message"), BAD_CHUNKS, ids=lambda v: str(v)[:20])
def test_bad_chunks_are_named_and_change_nothing(chunk, error, message):
    memory = OnlineMemory("legs", 4).update(noise(10))
    before = memory.coefficients
    with pytest.raises(error, match=message):
        memory.update(chunk)
    np.testing.assert_array_equal(memory.coefficients, before)
    assert memory.samples == 10


def test_nonfinite_passes_where_asked():
    assert np.isnan(project([1.0, np.nan, 2.0], 3, nonfinite="pass")).all()


@pytest.mark.parametrize("times", [[0, 1, 0.5], [-1, 0, 1], [0, 1, np.nan], [0, 1]])
def test_bad_timestamps(times):
    with pytest.raises(ValueError, match="timestamps"):
        project([1.0, 2.0, 3.0], 4, timestamps=times)


def test_odd_layouts_are_served():
    signal = noise(400)
    expected = project(signal[::2].copy(), 8)
    np.testing.assert_array_equal(project(signal[::2], 8), expected)
    reverse = signal[::2][::-1].copy()
    np.testing.assert_array_equal(project(reverse[::-1], 8), expected)
    frozen = signal[::2].copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(project(frozen, 8), expected)
    np.testing.assert_array_equal(project(np.asfortranarray(np.stack([signal[::2]] * 3)), 8)[1], expected)
    whole = project(np.arange(5), 3)
    assert whole.dtype == np.float64
    np.testing.assert_array_equal(project(list(range(5)), 3), whole)


def test_refusals_name_the_way_out():
    for empty in (np.empty(0), np.empty((3, 0)), 1.0):
        with pytest.raises(ValueError, match="at least one sample"):
            project(empty, 4)
    with pytest.raises(ValueError, match="order must be at least 1"):
        project(noise(5), 0)
    with pytest.raises(ValueError, match="needs theta"):
        OnlineMemory("legt", 4)
    with pytest.raises(ValueError, match="theta must be a positive number"):
        OnlineMemory("legt", 4, theta=0)
    with pytest.raises(ValueError, match="no theta"):
        OnlineMemory("legs", 4, theta=3.0)
    with pytest.raises(ValueError, match="timestamps need measure 'legs'"):
        project(noise(3), 4, "legt", timestamps=[0, 1, 2])
    with pytest.raises(ValueError, match="no basis"):
        reconstruct(np.ones(4), "random")
    with pytest.raises(ValueError, match="unstable"):
        project(noise(3000), 64, "legt", theta=10, discretization="euler")
    with pytest.raises(ValueError, match="pass them with every chunk"):
        OnlineMemory().update([1.0, 2.0], timestamps=[0, 1]).update([1.0])
    with pytest.raises(ValueError, match="start a new one"):
        OnlineMemory().update([1.0, 2.0]).update([1.0], timestamps=[2])


@pytest.mark.parametrize("measure", ["legt", "lmu", "lagt", "fout"])
@pytest.mark.parametrize("theta", [1e4, 1e6])
def test_float32_fed_sample_by_sample_stays_near_float64(measure, theta):
    """A slow memory changes by 1 / theta per sample: matrices near I, rounded to float32, would get that wrong.

    Each of 20 000 sums of state and change rounds by 6e-8 at random: 1e-5 in all, and less where the state is small.
    """
    signal = (1 + np.sin(np.arange(20_000) / 3000)).astype(np.float32)
    memory = OnlineMemory(measure, 16, theta=theta, dtype="float32")
    for value in signal:
        memory.update(value)
    exact = project(signal.astype(np.float64), 16, measure, theta=theta)
    assert np.linalg.norm(memory.coefficients - exact) < 5e-5 * np.linalg.norm(exact)


def test_masked_arrays_are_refused():
    with pytest.raises(TypeError, match="fill its masked values"):
        project(np.ma.masked_array([1.0, 2.0], [True, False]), 3)
