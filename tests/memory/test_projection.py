import doctest
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse
import torch

import hippo.memory
from hippo import OnlineMemory, project, reconstruct
from hippo.memory import online, projection
from hippo.operators import MEASURES
from tests.memory.systems import SYSTEMS, textbook, theta_of, valid_order

BASES = [(measure, dynamics) for measure, dynamics in SYSTEMS if MEASURES[measure].basis]


def noise(length, *lead, seed=0):
    return np.random.default_rng(seed).standard_normal((*lead, length))


@pytest.mark.parametrize(("measure", "dynamics"), SYSTEMS)
@pytest.mark.parametrize("order", [1, 2, 5, 16, 33])
def test_project_is_the_textbook_recurrence(measure, dynamics, order):
    signal, order = noise(1500), valid_order(measure, order)
    found = project(signal, order, measure, dynamics=dynamics)
    np.testing.assert_allclose(found, textbook(signal, order, measure, dynamics)[-1], rtol=0, atol=1e-11)


@pytest.mark.parametrize(("measure", "dynamics"), SYSTEMS)
@pytest.mark.parametrize("stride", [1, 7, 300])
def test_strides_are_intermediate_coefficients(measure, dynamics, stride):
    signal = noise(300)
    snapshots = project(signal, 6, measure, dynamics=dynamics, stride=stride)
    expected = textbook(signal, 6, measure, dynamics)[stride - 1 :: stride]
    np.testing.assert_allclose(snapshots, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("measure", "dynamics"), SYSTEMS)
def test_strides_of_batches_in_blocks(measure, dynamics):
    """Long enough for several blocks of a time-invariant memory, a remainder, and inputs after the last stride."""
    signals = noise(5003, 2)
    theta, order = theta_of(measure, dynamics, 700), valid_order(measure, 5)
    snapshots = project(signals, order, measure, dynamics=dynamics, theta=theta, stride=7)
    expected = np.stack([textbook(signal, order, measure, dynamics, theta=theta)[6::7] for signal in signals])
    np.testing.assert_allclose(snapshots, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize(("measure", "dynamics"), SYSTEMS)
def test_any_chunking_gives_the_same_coefficients(measure, dynamics):
    signal, theta = noise(1200), theta_of(measure, dynamics, 400)
    whole = project(signal, 12, measure, dynamics=dynamics, theta=theta)
    for cuts in ([1, 2, 5], [599], [1199], range(1, 1200)):
        memory = OnlineMemory(measure, 12, dynamics=dynamics, theta=theta)
        for chunk in np.split(signal, cuts):
            memory.update(chunk if len(chunk) > 1 else chunk[0])
        assert memory.samples == 1200
        np.testing.assert_allclose(memory.coefficients, whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", [1, 4, 20])
@pytest.mark.parametrize("theta", [3.0, 50.0])
def test_time_invariant_legs_integrates_its_closed_form(order, theta):
    """The zero-order hold is exact for a held input: c_n = sum_k f_k sqrt(2n+1) (integral of P_n(2s - 1) ds) over
    the interval of s = e^{-age/theta} in which input k was held."""
    signal = noise(200)
    edges = np.exp(-np.arange(200, -1, -1) / theta)  # s at the start and end of each input
    expected = []
    for n in range(order):
        integral = np.polynomial.legendre.Legendre.basis(n, domain=[0, 1]).integ()
        expected.append(np.sqrt(2 * n + 1) * signal @ np.diff(integral(edges)))
    found = project(signal, order, "legs", dynamics="time-invariant", theta=theta)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("measure", ["legs", "legt"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_have_the_kind_and_dtype_of_the_signal(measure, dtype):
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


@pytest.mark.parametrize(("measure", "dynamics"), BASES)
def test_reconstruction_of_a_smooth_signal(measure, dynamics):
    length, name = 4000, "fading legs" if dynamics else measure
    # Windowed and fading memories start at 0, which must be forgotten before the part that is compared.
    past = {"legs": 1, "lagt": 40, "fout": 12, "fading legs": 20}.get(name, 3)
    age = (np.arange(past * length)[::-1] + 0.5) / length
    signal = {
        "lagt": np.exp(-age / 2) * (1 + age**2),
        "fout": 1 + np.sin(6 * np.pi * age),
        "fading legs": 1 - 3 * np.exp(-age) + 4 * np.exp(-3 * age),
    }.get(name, 1 + np.sin(9 * age))
    c = project(signal, 24, measure, dynamics=dynamics, theta=theta_of(measure, dynamics, length))
    error = reconstruct(c, measure, points=length, dynamics=dynamics) - signal[-length:]
    # Sampling alone costs about 1 / length times the slope, which is at most 9 standard deviations.
    assert np.sqrt(np.mean(error**2)) < 3e-3 * signal[-length:].std()


def test_span_of_time_invariant_legs_reaches_beyond_one_time_constant():
    theta = 500
    age = (np.arange(20 * theta)[::-1] + 0.5) / theta
    signal = 1 + np.exp(-age) - 2 * np.exp(-2 * age)
    c = project(signal, 4, "legs", dynamics="time-invariant", theta=theta)
    found = reconstruct(c, "legs", points=5 * theta, dynamics="time-invariant", span=5)
    # Each input is held over one sample: the slope, at most 3 per time constant, times 1 / theta.
    np.testing.assert_allclose(found, signal[-5 * theta :], rtol=0, atol=3 * 4 / theta)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 0.25])
def test_timestamps_set_the_step_ratio(alpha):
    # Euler is stable only if the step ratio times the order is small: late, close timestamps.
    times = 30 + np.cumsum(np.random.default_rng(2).uniform(0, 1, 60))
    signal = noise(60)
    expected = textbook(signal, 6, "legs", alpha=alpha, times=times)
    snapshots = project(signal, 6, discretization=alpha, timestamps=times, stride=1)
    np.testing.assert_allclose(snapshots, expected, rtol=0, atol=1e-12)
    memory = OnlineMemory("legs", 6, discretization=alpha)
    for part in np.split(np.arange(60), [1, 4, 30]):
        memory.update(signal[part], timestamps=times[part])
    np.testing.assert_allclose(memory.coefficients, expected[-1], rtol=0, atol=1e-12)


def test_uniform_timestamps_change_nothing():
    signal = noise(100)
    np.testing.assert_allclose(project(signal, 16, timestamps=np.arange(100)), project(signal, 16), rtol=0, atol=1e-13)


def test_equal_timestamps_do_not_change_the_memory():
    memory = OnlineMemory("legs", 4).update([3.0, 5.0, 7.0], timestamps=[0.0, 0.0, 0.0])
    np.testing.assert_array_equal(memory.coefficients, [3.0, 0, 0, 0])
    batch = OnlineMemory("legs", 4, batch=2).update(np.ones((2, 3)), timestamps=[[0, 0, 0], [0, 1, 2]])
    # Two steps of at most ten roundings of numbers up to 1.
    np.testing.assert_allclose(batch.coefficients, [[1, 0, 0, 0]] * 2, rtol=0, atol=20 * np.finfo(np.float64).eps)


BAD_CHUNKS = [
    (np.array([1.0, np.nan]), ValueError, "signal is nan at index 1 of the chunk, sample 11 of the memory"),
    (np.array([np.inf]), ValueError, "signal is inf at index 0 of the chunk, sample 10 of the memory"),
    (np.nan, ValueError, "signal is nan at sample 10 of the memory"),
    (np.ones((2, 2)), ValueError, r"shape \(\) or \(length,\), got \(2, 2\)"),
    (np.array([1j]), TypeError, "real numbers"),
    (np.array(["a"]), TypeError, "real numbers"),
    (torch.tensor([1j]), TypeError, "real numbers"),
    (None, TypeError, "real numbers"),
    (scipy.sparse.csr_array(np.eye(2)), TypeError, r"sparse matrix: pass signal.toarray\(\)"),
    (torch.eye(2).to_sparse(), TypeError, r"sparse tensor: pass signal.to_dense\(\)"),
    (np.ma.masked_array([1.0, 2.0], [True, False]), TypeError, "fill its masked values"),
]


@pytest.mark.parametrize(("chunk", "error", "message"), BAD_CHUNKS, ids=lambda v: str(v)[:20])
def test_bad_chunks_are_named_and_change_nothing(chunk, error, message):
    memory = OnlineMemory("legs", 4).update(noise(10))
    before = memory.coefficients
    with pytest.raises(error, match=message):
        memory.update(chunk)
    np.testing.assert_array_equal(memory.coefficients, before)
    assert memory.samples == 10


@pytest.mark.parametrize(
    ("shape", "index", "place"),
    [((5,), (3,), "3"), ((2, 5), (1, 3), r"\(1, 3\)"), ((2, 3, 5), (1, 0, 4), r"\(1, 0, 4\)")],
)
def test_bad_values_are_named_by_their_index_in_the_callers_array(shape, index, place):
    signal = np.ones(shape)
    signal[index] = np.nan
    with pytest.raises(ValueError, match=f"signal is nan at index {place};"):
        project(signal, 4)
    times = np.broadcast_to(np.arange(5.0), shape).copy()
    times[index] = -1
    with pytest.raises(ValueError, match=f"timestamps must be .*: got -1.0 at index {place}$"):
        project(np.ones(shape), 4, timestamps=times)


def test_bad_values_of_a_batch_are_named_by_signal_and_position():
    memory = OnlineMemory("legs", 4, batch=2).update(np.ones((2, 7)), np.arange(7))
    with pytest.raises(ValueError, match=r"signal is nan at index \(1, 2\) of the chunk, sample 9 of the memory"):
        memory.update([[1, 1, 1], [1, 1, np.nan]], [7, 8, 9])
    with pytest.raises(ValueError, match=r"got 6.5 at index \(0, 1\) of the chunk, sample 8 of the memory"):
        memory.update(np.ones((2, 2)), [[7, 6.5], [7, 8]])
    memory = OnlineMemory("legs", 4, batch=2).update(np.ones((2, 2)), [[0, 1], [0, 5]])
    with pytest.raises(ValueError, match="got 2.0 at index 0 of the chunk, sample 2 of the memory"):
        memory.update(np.ones((2, 2)), [2, 6])  # later than the first signal's times, earlier than the second's


def test_nonfinite_samples_pass_on_request():
    assert np.isnan(project([1.0, np.nan, 2.0], 3, nonfinite="pass")).all()


@pytest.mark.parametrize("times", [[0, 1, 0.5], [-1, 0, 1], [0, 1, np.nan], [0, 1], [0, np.inf, np.inf]])
def test_bad_timestamps(times):
    with pytest.raises(ValueError, match="timestamps"):
        project([1.0, 2.0, 3.0], 4, timestamps=times)


def test_any_memory_layout_is_accepted():
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


def test_shapes_in_messages_are_those_of_the_caller():
    with pytest.raises(ValueError, match="signal is no array, its parts may have unequal lengths"):
        project([[1.0, 2.0], [3.0]], 4)
    with pytest.raises(ValueError, match=r"timestamps must have shape .*, got \(9,\)"):
        project(np.ones(10), 4, timestamps=np.arange(9))
    with pytest.raises(TypeError, match="expected what state_dict returned, got int"):
        OnlineMemory("legs", 4).load_state_dict(3)


def test_errors_name_the_alternative():
    for empty in (np.empty(0), np.empty((3, 0)), 1.0):
        with pytest.raises(ValueError, match="at least one sample"):
            project(empty, 4)
    with pytest.raises(ValueError, match="order must be at least 1"):
        project(noise(5), 0)
    with pytest.raises(ValueError, match="stride must be at least 1"):
        project(noise(5), 4, stride=0)
    with pytest.raises(ValueError, match="needs theta"):
        OnlineMemory("legt", 4)
    with pytest.raises(ValueError, match="needs theta"):
        OnlineMemory("legs", 4, dynamics="time-invariant")
    with pytest.raises(ValueError, match="theta must be a positive number of samples"):
        OnlineMemory("legt", 4, theta=0)
    with pytest.raises(ValueError, match=r"no theta, got 3.0 \(dynamics='time-invariant' has one\)"):
        OnlineMemory("legs", 4, theta=3.0)
    with pytest.raises(ValueError, match="no 'zoh'"):
        OnlineMemory("legs", 4, discretization="zoh")
    with pytest.raises(ValueError, match="unknown discretization 'bilinea'; did you mean 'bilinear'"):
        OnlineMemory("legs", 4, discretization="bilinea")
    with pytest.raises(ValueError, match="'legt' is not scale-invariant"):
        project(noise(3), 4, "legt", dynamics="scale-invariant")
    with pytest.raises(ValueError, match="unknown dynamics 'invariant'"):
        project(noise(3), 4, dynamics="invariant")
    for options in ({"measure": "legt"}, {"dynamics": "time-invariant"}):
        with pytest.raises(ValueError, match="timestamps need measure 'legs' with scale-invariant dynamics"):
            project(noise(3), 4, **options, timestamps=[0, 1, 2])
    with pytest.raises(ValueError, match="no basis"):
        reconstruct(np.ones(4), "random")
    with pytest.raises(ValueError, match="measure 'diag_lin' has no basis"):
        reconstruct(np.ones(4), "diag_lin")
    with pytest.raises(ValueError, match="order must be even and at least 2, .* got 5: use 4 or 6"):
        OnlineMemory("diag_lin", 5, theta=9)
    with pytest.raises(ValueError, match="points must be at least 1"):
        reconstruct(np.ones(4), points=0)
    for points in (np.zeros((2, 2)), 0.5, [[0.5]]):
        with pytest.raises(ValueError, match=r"points must be a count or positions \(P,\)"):
            reconstruct(np.ones(4), points=points)
    with pytest.raises(ValueError, match="pass them with every chunk"):
        OnlineMemory().update([1.0, 2.0], timestamps=[0, 1]).update([1.0])
    with pytest.raises(ValueError, match="start a new memory"):
        OnlineMemory().update([1.0, 2.0]).update([1.0], timestamps=[2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: project(noise(5), 4, "legt", theta="a"), "theta must be a positive number of samples, got 'a'"),
        (lambda: project(noise(5), 4, "legt", theta=True), "theta must be a positive number"),
        (lambda: project(noise(5), True), "order must be an integer"),
        (lambda: project(noise(5), 4.0), "order must be an integer"),
        (lambda: project(noise(5), 4, stride=True), "stride must be an integer"),
        (lambda: OnlineMemory("legs", 4, batch=True), "batch must be an integer"),
        (lambda: reconstruct(np.ones(4), points=True), "points must be an integer"),
        (lambda: reconstruct(np.ones(4), span="a"), "span must be a positive number"),
        (lambda: project(scipy.sparse.csr_array(np.eye(3)), 4), r"pass signal.toarray\(\)"),
        (lambda: project(np.ma.masked_array([1.0, 2.0], [True, False]), 3), "fill its masked values"),
    ],
)
def test_wrong_types_are_named(call, message):
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize(
    ("options", "size"),
    [
        # The state, a copy and two arrays of the kernel, of 8 bytes per coefficient.
        ({"measure": "legs", "order": 10**14}, "3,200,000,000,000,000 bytes"),
        # Three matrices (order, order) of float64.
        ({"measure": "legt", "order": 10**8}, "240,000,000,000,000,000 bytes"),
    ],
)
def test_a_memory_beyond_that_of_the_machine_is_refused(options, size):
    with pytest.raises(MemoryError, match=size):
        project(noise(5), **options)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("measure", "rule"), [("legs", "bilinear"), ("legs", "backward"), ("lmu", "zoh"), ("lmu", "bilinear")]
)
def test_overflow_under_a_stable_rule_is_the_signals(measure, rule, dtype):
    # For signals near the largest number the running sums of legs, and the coefficients of lmu, are beyond it.
    signal = np.repeat([1, -1], 50)
    with pytest.raises(ValueError, match=f"overflows {dtype}: the signal is too large") as caught:
        project(signal.astype(dtype) * np.finfo(dtype).max, 64, measure, discretization=rule)
    message = str(caught.value)
    assert not any(name in message for name in ("bilinear", "backward", "zoh"))
    assert ("dtype='float64'" in message) == (dtype == "float32")


def test_overflow_under_an_unstable_rule_names_stable_ones():
    with pytest.raises(ValueError, match="'euler' is unstable at this step .take 'bilinear', 'backward' or 'zoh'"):
        project(noise(3000), 64, "legt", theta=10, discretization="euler")
    with pytest.raises(ValueError, match="0.25 is unstable at this step .take 'bilinear' or 'backward'"):
        project(1e300 * noise(400), 256, discretization=0.25)


@pytest.mark.parametrize("measure", ["legt", "lmu", "lagt", "fout"])
@pytest.mark.parametrize("theta", [1e4, 1e6])
def test_float32_fed_sample_by_sample_stays_near_float64(measure, theta):
    """A slow memory changes by 1 / theta per sample, which a matrix near I would lose in float32.

    Each of 20 000 sums of state and change rounds by 6e-8 at random: 1e-5 in total, and less where the state is small.
    """
    signal = (1 + np.sin(np.arange(20_000) / 3000)).astype(np.float32)
    memory = OnlineMemory(measure, 16, theta=theta, dtype="float32")
    for value in signal:
        memory.update(value)
    exact = project(signal.astype(np.float64), 16, measure, theta=theta)
    assert np.linalg.norm(memory.coefficients - exact) < 5e-5 * np.linalg.norm(exact)


@pytest.mark.parametrize("measure", ["legt", "lagt", "fout"])
def test_a_very_slow_memory_in_float32_is_that_in_float64_rounded_once(measure):
    """Above a theta of 2^20 float32 would lose much of what one sample changes."""
    signal = (1 + np.sin(np.arange(7000) / 3000)).astype(np.float32)
    memory = OnlineMemory(measure, 16, theta=2.0**21, dtype="float32")
    for chunk in signal.reshape(-1, 7):
        memory.update(chunk)
    exact = project(signal.astype(np.float64), 16, measure, theta=2.0**21)
    assert memory.coefficients.dtype == np.float32
    assert np.linalg.norm(memory.coefficients - exact) < 1.01 * 2.0**-24 * np.linalg.norm(exact)


@pytest.mark.parametrize("module", [hippo.memory, online, projection])
def test_examples(module):
    result = doctest.testmod(module)
    assert result.attempted > 0 and result.failed == 0


def test_scipy_is_imported_only_where_it_is_needed():
    """A process that uses legs alone imports neither SciPy nor torch."""
    code = "import sys, hippo; hippo.project([1.0, 2.0], 4); print({'scipy', 'torch'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "set()\n"
