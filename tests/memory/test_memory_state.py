"""What a memory keeps and what it leaves alone: saved states, refused chunks, timestamps, dtypes, gradients."""

import gc
import itertools
import warnings
import weakref

import numpy as np
import pytest
import torch

from hippo import OnlineMemory, project, reconstruct
from hippo.operators.measures import MEASURES


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def memory_of(measure="legs", order=4, **options):
    return OnlineMemory(measure, order, theta=None if measure == "legs" else 50, **options)


def same(one, other):
    """Whether two saved memories are equal, arrays included."""
    np.testing.assert_equal(one, other)
    return True


# -- save and restore -------------------------------------------------------------------------------------------------


CASES = [(measure, batch, None) for measure in MEASURES for batch in (None, 1, 3)]
CASES += [("legs", batch, "one for all") for batch in (None, 1, 3)] + [("legs", batch, "own") for batch in (1, 3)]


@pytest.mark.parametrize(("measure", "batch", "stamps"), CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_restored_memories_go_on_alike(measure, batch, stamps, dtype):
    signal = noise(batch or 1, 200).astype(dtype)[slice(None) if batch else 0]
    times = np.cumsum(np.abs(noise(batch or 1, 200, seed=1)), axis=-1) if stamps else None
    times = times if times is None or stamps == "own" else times[0]

    def feed(memory, begin, end):
        return memory.update(signal[..., begin:end], None if times is None else times[..., begin:end])

    whole = feed(feed(memory_of(measure, batch=batch), 0, 90), 90, 200)
    saved = feed(memory_of(measure, batch=batch), 0, 90).state_dict()
    for own_dtype, before in itertools.product((None, dtype), (0, 50)):
        resumed = feed(memory_of(measure, batch=batch, dtype=own_dtype), 0, before).load_state_dict(saved)
        assert same(feed(resumed, 90, 200).state_dict(), whole.state_dict())
        assert resumed.coefficients.dtype == dtype
    assert saved["samples"] == 90  # the save is a copy


@pytest.mark.parametrize("measure", ["legs", "legt"])
def test_a_memory_that_was_never_fed_is_restored_as_such(measure):
    blank = memory_of(measure).state_dict()
    used = memory_of(measure).update(np.ones(9, dtype=np.float32)).load_state_dict(blank)
    assert used.samples == 0 and used.dtype is None and not used.coefficients.any()
    assert same(used.update(noise(30)).state_dict(), memory_of(measure).update(noise(30)).state_dict())
    narrow = memory_of(measure, dtype="float32").load_state_dict(blank)
    assert narrow.update(noise(30)).coefficients.dtype == np.float32
    blank_of_dtype = memory_of(measure, dtype="float32").state_dict()
    assert memory_of(measure).load_state_dict(blank_of_dtype).update(noise(30)).coefficients.dtype == np.float32


def test_a_state_that_does_not_fit_changes_nothing():
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
        "discretization = 'bilinear', the saved one 'euler'": {**good, "settings": {**settings, "discretization": "euler"}},
    }
    for message, saved in wrong.items():
        with pytest.raises(ValueError, match=message):
            memory.load_state_dict(saved)
        assert same(memory.state_dict(), before)
    with pytest.raises(ValueError, match="dtype = 'float32', the saved one 'float64'"):
        memory_of(batch=2, dtype="float32").load_state_dict(good)


def test_saved_memories_of_tensors_survive_a_torch_file_of_weights(tmp_path):
    options = {"theta": np.float64(50), "seed": np.int64(3), "order": np.int64(4), "batch": np.int64(2)}
    memory = OnlineMemory("random", **options).update(torch.ones(2, 9))
    torch.save(memory.state_dict(), tmp_path / "memory.pt")
    saved = torch.load(tmp_path / "memory.pt", weights_only=True)
    resumed = OnlineMemory("random", **options).load_state_dict(saved)
    chunk = torch.rand(2, 7)
    assert torch.equal(memory.update(chunk).coefficients, resumed.update(chunk).coefficients)


# -- refused, empty and read ------------------------------------------------------------------------------------------


def test_what_brings_no_input_fixes_no_dtype():
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


@pytest.mark.parametrize("stride", [-1, 1.5, "2"])
def test_a_wrong_stride_changes_nothing(stride):
    memory = memory_of().update([1.0], [1.0])
    before = memory.state_dict()
    with pytest.raises((ValueError, TypeError), match="stride"):
        memory.record([1.0, 2.0], [2.0, 3.0], stride=stride)
    assert same(memory.state_dict(), before)


def test_gradients_are_refused_where_they_would_be_lost():
    weight = torch.ones(5, requires_grad=True)
    for call in (project, lambda signal, order: memory_of(order=order).update(signal), reconstruct_from):
        with pytest.raises(ValueError, match=r"requires a gradient.*detach\(\)"):
            call(weight * 2, 4)
        with torch.no_grad():
            call(weight, 4)


def reconstruct_from(tensor, order):
    return reconstruct(tensor[:order])


@pytest.mark.parametrize("seed", [None, -1, 1.5, "a"])
def test_seeds_that_cannot_be_had_again(seed):
    with pytest.raises(ValueError, match="seed must be an integer"):
        memory_of("random", seed=seed)


@pytest.mark.parametrize("span", [0, -1.0, np.nan, np.inf])
def test_a_wrong_span(span):
    with pytest.raises(ValueError, match="span must be a positive number"):
        reconstruct(np.ones(4), span=span)


# -- timestamps -------------------------------------------------------------------------------------------------------


def test_timestamps_of_one_and_of_two_dimensions_may_alternate():
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
def test_unstable_rules_are_named_and_change_nothing(measure, dtype, length, stride):
    memory = OnlineMemory(measure, 256, theta=None if measure == "legs" else 10, discretization="euler", dtype=dtype)
    memory.update([1.0])
    before = memory.state_dict()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(
            ValueError, match=f"overflows {dtype}: .* measure '{measure}' with discretization 'euler' is unstable"
        ):
            memory.record(noise(length), stride=stride)
    assert same(memory.state_dict(), before)


def test_matrices_that_only_the_dtype_overflows_are_refused_whatever_passes():
    memory = OnlineMemory("legt", 64, theta=10, discretization="euler", dtype="float32", nonfinite="pass")
    with pytest.raises(ValueError, match="unstable at this step"):
        memory.update(np.ones(64))


@pytest.mark.parametrize("change", [{"samples": -5}, {"samples": "x"}, {"state": None}])
def test_a_saved_state_that_contradicts_itself_is_refused(change):
    memory = OnlineMemory("legs", 3).update([1.0, 2.0])
    with pytest.raises(ValueError, match="the saved memory has samples"):
        OnlineMemory("legs", 3).load_state_dict({**memory.state_dict(), **change})
