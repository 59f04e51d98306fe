"""State of an online memory: saved states, refused chunks, timestamps, dtypes, gradients."""

import gc
import itertools
import warnings
import weakref

import numpy as np
import pytest
import torch

from hippo import OnlineMemory, project, reconstruct
from tests.memory.systems import SYSTEMS, theta_of


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def memory_of(measure="legs", order=4, dynamics=None, **options):
    return OnlineMemory(measure, order, dynamics=dynamics, theta=theta_of(measure, dynamics, 50), **options)


def same(one, other):
    """Whether two saved memories are equal, arrays included."""
    np.testing.assert_equal(one, other)
    return True


# -- save and restore -------------------------------------------------------------------------------------------------


CASES = [(*system, batch, None) for system in SYSTEMS for batch in (None, 1, 3)]
CASES += [("legs", None, batch, "one for all") for batch in (None, 1, 3)]
CASES += [("legs", None, batch, "one each") for batch in (1, 3)]


@pytest.mark.parametrize(("measure", "dynamics", "batch", "stamps"), CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_restored_memory_continues_with_the_same_bits(measure, dynamics, batch, stamps, dtype):
    signal = noise(batch or 1, 200).astype(dtype)[slice(None) if batch else 0]
    times = np.cumsum(np.abs(noise(batch or 1, 200, seed=1)), axis=-1) if stamps else None
    times = times if times is None or stamps == "one each" else times[0]

    def new(**options):
        return memory_of(measure, dynamics=dynamics, batch=batch, **options)

    def feed(memory, begin, end):
        return memory.update(signal[..., begin:end], None if times is None else times[..., begin:end])

    whole = feed(feed(new(), 0, 90), 90, 200)
    saved = feed(new(), 0, 90).state_dict()
    for own_dtype, before in itertools.product((None, dtype), (0, 50)):
        resumed = feed(new(dtype=own_dtype), 0, before).load_state_dict(saved)
        assert same(feed(resumed, 90, 200).state_dict(), whole.state_dict())
        assert resumed.coefficients.dtype == dtype
    assert saved["samples"] == 90  # the saved state is a copy


@pytest.mark.parametrize("measure", ["legs", "legt"])
def test_states_saved_by_earlier_versions_are_loaded(measure):
    """They have the key `method` for the discretization rule, and no `dynamics`."""
    memory = memory_of(measure).update(noise(30))
    saved = memory.state_dict()
    settings = {k: v for k, v in saved["settings"].items() if k not in ("discretization", "dynamics")}
    earlier = {**saved, "settings": {**settings, "method": memory.discretization}}
    resumed = memory_of(measure).load_state_dict(earlier)
    assert same(resumed.update(noise(9)).state_dict(), memory.update(noise(9)).state_dict())
    with pytest.raises(ValueError, match="this memory has discretization"):
        memory_of(measure, discretization="euler").load_state_dict(earlier)
    if measure == "legs":
        with pytest.raises(ValueError, match="dynamics = 'time-invariant', the saved one 'scale-invariant'"):
            memory_of("legs", dynamics="time-invariant").load_state_dict(earlier)


@pytest.mark.parametrize("measure", ["legs", "legt"])
def test_a_memory_without_input_is_restored_as_such(measure):
    blank = memory_of(measure).state_dict()
    used = memory_of(measure).update(np.ones(9, dtype=np.float32)).load_state_dict(blank)
    assert used.samples == 0 and used.dtype is None and not used.coefficients.any()
    assert same(used.update(noise(30)).state_dict(), memory_of(measure).update(noise(30)).state_dict())
    narrow = memory_of(measure, dtype="float32").load_state_dict(blank)
    assert narrow.update(noise(30)).coefficients.dtype == np.float32
    blank_of_dtype = memory_of(measure, dtype="float32").state_dict()
    assert memory_of(measure).load_state_dict(blank_of_dtype).update(noise(30)).coefficients.dtype == np.float32


def test_a_saved_state_that_does_not_fit_is_refused():
    memory = memory_of(batch=2).update(noise(2, 9))
    before, good = memory.state_dict(), memory_of(batch=2).update(noise(2, 5), np.arange(5)).state_dict()
    settings = good["settings"]
    wrong = {
        "state has shape": {**good, "state": np.ones((2, 5))},
        r"\(1, 4\), this memory needs \(2, 4\)": {**good, "state": np.ones((1, 4))},
        "time has shape": {**good, "time": np.ones(3)},
        "lacks samples": {k: v for k, v in good.items() if k != "samples"},
        "lacks theta": {**good, "settings": {k: v for k, v in settings.items() if k != "theta"}},
        "order = 4, the saved one 5": {**good, "settings": {**settings, "order": 5}},
        "batch = 2, the saved one 3": {**good, "settings": {**settings, "batch": 3}},
        "discretization = 'bilinear', the saved one 'euler'": {
            **good,
            "settings": {**settings, "discretization": "euler"},
        },
    }
    for message, saved in wrong.items():
        with pytest.raises(ValueError, match=message):
            memory.load_state_dict(saved)
        assert same(memory.state_dict(), before)
    with pytest.raises(ValueError, match="dtype = 'float32', the saved one 'float64'"):
        memory_of(batch=2, dtype="float32").load_state_dict(good)


def test_a_state_of_tensors_is_saved_by_torch_and_loaded_with_weights_only(tmp_path):
    options = {"theta": np.float64(50), "seed": np.int64(3), "order": np.int64(4), "batch": np.int64(2)}
    memory = OnlineMemory("random", **options).update(torch.ones(2, 9))
    torch.save(memory.state_dict(), tmp_path / "memory.pt")
    saved = torch.load(tmp_path / "memory.pt", weights_only=True)
    resumed = OnlineMemory("random", **options).load_state_dict(saved)
    chunk = torch.rand(2, 7)
    assert torch.equal(memory.update(chunk).coefficients, resumed.update(chunk).coefficients)


# -- refused and empty chunks ----------------------------------------------------------------------------------------


def test_a_chunk_without_accepted_input_sets_no_dtype():
    memory = memory_of()
    assert memory.coefficients.dtype == np.float64 and not memory.coefficients.any()
    memory.update([]).update(np.empty(0))
    with pytest.raises(ValueError, match="nan"):
        memory.update([np.nan])
    with pytest.raises(ValueError, match="shape"):
        memory.update(np.ones((2, 2)))
    assert memory.dtype is None and memory.samples == 0
    assert memory.update(np.ones(3, dtype=np.float32)).coefficients.dtype == np.float32


def test_the_last_chunk_is_not_kept_alive():
    chunk = torch.ones(10)
    memory, alive = memory_of().update(chunk), weakref.ref(chunk)
    del chunk
    gc.collect()
    assert alive() is None and isinstance(memory.coefficients, torch.Tensor)


@pytest.mark.parametrize("stride", [0, -1, 1.5, "2", True])
def test_a_wrong_stride_changes_nothing(stride):
    memory = memory_of().update([1.0], [1.0])
    before = memory.state_dict()
    with pytest.raises((ValueError, TypeError), match="stride"):
        memory.record([1.0, 2.0], [2.0, 3.0], stride=stride)
    assert same(memory.state_dict(), before)


def test_tensors_whose_gradient_would_be_lost_are_refused():
    weight = torch.ones(5, requires_grad=True)
    for call in (project, lambda signal, order: memory_of(order=order).update(signal), reconstruct_from):
        with pytest.raises(ValueError, match=r"requires a gradient.*detach\(\)"):
            call(weight * 2, 4)
        with torch.no_grad():
            call(weight, 4)


def reconstruct_from(tensor, order):
    return reconstruct(tensor[:order])


@pytest.mark.parametrize("seed", [None, -1, 1.5, "a"])
def test_a_seed_must_be_reproducible(seed):
    with pytest.raises(ValueError, match="seed must be an integer"):
        memory_of("random", seed=seed)


@pytest.mark.parametrize("span", [0, -1.0, np.nan, np.inf])
def test_a_span_must_be_positive(span):
    with pytest.raises(ValueError, match="span must be a positive number"):
        reconstruct(np.ones(4), span=span)


# -- timestamps -------------------------------------------------------------------------------------------------------


def test_shared_and_separate_timestamps_may_alternate():
    signal, times = noise(2, 60), np.arange(60.0)
    expected = memory_of(batch=2).update(signal, times).coefficients
    for kinds in itertools.product((False, True), repeat=3):
        memory = memory_of(batch=2)
        for part, wide in zip(np.split(np.arange(60), [7, 31]), kinds, strict=True):
            memory.update(signal[:, part], np.stack([times[part]] * 2) if wide else times[part])
        np.testing.assert_allclose(memory.coefficients, expected, rtol=0, atol=1e-13)
    alone = memory_of().update(signal[0, :5], times[None, :5]).update(signal[0, 5:], times[5:])
    np.testing.assert_allclose(alone.coefficients, expected[0], rtol=0, atol=1e-13)


def test_a_refused_chunk_leaves_the_time_as_it_was():
    memory, control = (memory_of(discretization="euler", dtype="float32").update([1.0], [1.0]) for _ in range(2))
    with pytest.raises(ValueError, match="overflows float32"):
        memory.update([3e38, -3e38, 3e38, -3e38], [10.0, 20.0, 30.0, 40.0])
    for m in (memory, control):
        m.update([2.0], [1.5])
    assert same(memory.state_dict(), control.state_dict())


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.DoubleTensor])
def test_nested_timestamps_of_any_kind(kind):
    signal, times = noise(2, 3, 5), np.cumsum(np.abs(noise(2, 3, 5, seed=1)), axis=-1)
    nested = kind(times.tolist())
    np.testing.assert_array_equal(project(signal, 4, timestamps=nested), project(signal, 4, timestamps=times))
    np.testing.assert_array_equal(
        project(signal, 4, timestamps=list(range(5))), project(signal, 4, timestamps=np.arange(5.0))
    )
    with pytest.raises(ValueError, match=r"timestamps must have shape \(5,\) or \(2, 3, 5\), got \(3, 5\)"):
        project(signal, 4, timestamps=times[0])


# -- unstable rules ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measure", "dtype", "length"),
    [("legs", "float32", 300), ("legt", "float32", 30), ("legt", "float64", 3000), ("fout", "float32", 100)],
)
@pytest.mark.parametrize("stride", [0, 5])
def test_an_unstable_rule_is_named_and_leaves_the_memory_unchanged(measure, dtype, length, stride):
    memory = OnlineMemory(measure, 256, theta=None if measure == "legs" else 10, discretization="euler", dtype=dtype)
    memory.update([1.0])
    before = memory.state_dict()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(
            ValueError, match=f"overflows {dtype}: .* measure '{measure}' with discretization 'euler' is unstable"
        ):
            memory.record(noise(length), stride=stride) if stride else memory.update(noise(length))
    assert same(memory.state_dict(), before)


def test_matrices_that_overflow_the_dtype_are_refused_even_if_samples_pass():
    memory = OnlineMemory("legt", 64, theta=10, discretization="euler", dtype="float32", nonfinite="pass")
    with pytest.raises(ValueError, match="unstable at this step"):
        memory.update(np.ones(64))


@pytest.mark.parametrize("samples", [-5, "x", 1.0, True, 10**30, 2**53 + 1])
def test_a_saved_number_of_samples_that_is_impossible_is_refused(samples):
    memory = OnlineMemory("legs", 3).update([1.0, 2.0])
    with pytest.raises(ValueError, match="the saved memory has samples"):
        OnlineMemory("legs", 3).load_state_dict({**memory.state_dict(), "samples": samples})


def test_a_saved_memory_of_samples_without_a_state_is_refused():
    saved = OnlineMemory("legs", 3).update([1.0, 2.0]).state_dict()
    with pytest.raises(ValueError, match="the saved memory has samples = 2, and no state"):
        OnlineMemory("legs", 3).load_state_dict({**saved, "state": None})


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_saved_state_that_is_not_finite_is_loaded_only_on_request(value):
    saved = OnlineMemory("legs", 3, batch=2).update(np.ones((2, 2))).state_dict()
    saved["state"][1, 2] = value
    memory = OnlineMemory("legs", 3, batch=2).update(np.ones((2, 9)))
    before = memory.state_dict()
    with pytest.raises(ValueError, match=rf"the saved state is {value} at index \(1, 2\).* nonfinite='pass'"):
        memory.load_state_dict(saved)
    assert same(memory.state_dict(), before)
    passing = OnlineMemory("legs", 3, batch=2, nonfinite="pass").load_state_dict(saved)
    np.testing.assert_equal(passing.coefficients[1, 2], value)


@pytest.mark.parametrize("value", [np.nan, -1.0, np.inf])
def test_a_saved_time_that_is_impossible_is_refused(value):
    saved = OnlineMemory("legs", 3).update([1.0, 2.0], [0, 1]).state_dict()
    with pytest.raises(ValueError, match="the saved time must be finite and not negative"):
        OnlineMemory("legs", 3).load_state_dict({**saved, "time": np.array([value])})


# -- settings ---------------------------------------------------------------------------------------------------------


def test_the_representation_names_what_differs_from_a_bare_memory():
    memory = OnlineMemory("random", 4, theta=50, batch=2, seed=7, dtype="float32").update(np.ones((2, 9)))
    assert repr(memory) == (
        "OnlineMemory(measure='random', order=4, dynamics='time-invariant', theta=50.0, discretization='zoh', batch=2, "
        "seed=7, dtype='float32', samples=9)"
    )
    assert "theta" not in repr(OnlineMemory()) and "seed" not in repr(OnlineMemory())


@pytest.mark.parametrize("name", ["measure", "order", "dynamics", "theta", "discretization", "batch", "seed"])
def test_settings_cannot_be_changed(name):
    memory = memory_of()
    with pytest.raises(AttributeError):
        setattr(memory, name, 8)
    with pytest.raises(AttributeError):
        setattr(memory.settings, name, 8)


def test_defaults_depend_on_the_dynamics():
    assert (OnlineMemory().dynamics, OnlineMemory().discretization) == ("scale-invariant", "bilinear")
    fading = OnlineMemory(dynamics="time-invariant", theta=9)
    assert (fading.theta, fading.discretization) == (9.0, "zoh")
    assert OnlineMemory("legt", theta=9).dynamics == "time-invariant"


# -- reset and reconstruction -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", ["legs", "legt"])
def test_a_memory_that_was_reset_is_a_new_one(measure):
    memory = memory_of(measure).update(torch.ones(7, dtype=torch.float32))
    assert memory.reset() is memory
    assert same(memory.state_dict(), memory_of(measure).state_dict())
    assert same(memory.coefficients, np.zeros(4))  # neither a tensor nor float32 any more
    assert same(memory.update(noise(30)).state_dict(), memory_of(measure).update(noise(30)).state_dict())


def test_a_reset_memory_takes_timestamps_anew_and_keeps_its_dtype():
    memory = OnlineMemory("legs", 4, dtype="float32").update([1.0, 2.0], [5.0, 6.0]).reset()
    assert memory.dtype == np.float32
    assert memory.update(noise(3)).samples == 3  # without timestamps


@pytest.mark.parametrize("measure, dynamics", [("legs", None), ("legs", "time-invariant"), ("fout", None)])
def test_a_memory_reconstructs_with_its_own_settings(measure, dynamics):
    memory = memory_of(measure, dynamics=dynamics, batch=2).update(noise(2, 60))
    expected = reconstruct(memory.coefficients, measure, 9, dynamics=dynamics, span=0.5)
    assert same(memory.reconstruct(9, span=0.5), expected)
    as_tensors = memory_of(measure, dynamics=dynamics).update(torch.ones(5)).reconstruct([0.0, 1.0])
    assert as_tensors.dtype == torch.float32 and as_tensors.shape == (2,)


def test_a_random_memory_has_nothing_to_reconstruct():
    with pytest.raises(ValueError, match="'random' has no basis"):
        OnlineMemory("random", 4, theta=5).update([1.0]).reconstruct()
