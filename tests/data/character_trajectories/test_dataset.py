import numpy as np
import pytest
from pydantic import ValidationError

from hippo.data.character_trajectories import (
    SUBSTITUTE,
    CharacterTrajectories,
    at_speed,
    kept_indices,
    letters_in_turn,
    pad,
    split,
)
from hippo.data.character_trajectories.recordings import COUNTS
from hippo.data.character_trajectories.substitute import substitute_recordings
from hippo.data.sources import NoSourceError, Sources


@pytest.fixture(scope="module")
def offline(tmp_path_factory) -> Sources:
    """Sources that have nothing, so the stand-in serves."""
    return Sources(cache=tmp_path_factory.mktemp("empty"), offline=True)


@pytest.fixture(autouse=True)
def _one_stand_in(monkeypatch):
    """The stand-in is drawn once for this file; it takes a second."""
    monkeypatch.setattr("hippo.data.character_trajectories.substitute.substitute_recordings", lambda recordings=RECORDINGS: recordings)


RECORDINGS = substitute_recordings()


def test_padding_continues_the_last_value():
    padded = pad([np.array([[1.0, 2], [3, 4]]), np.array([[5.0, 6], [7, 8], [9, 10]])])
    assert padded.tolist() == [[[1, 2], [3, 4], [3, 4]], [[5, 6], [7, 8], [9, 10]]]


def test_split_is_disjoint_whole_and_by_class():
    letters = np.repeat(np.arange(20), COUNTS)
    rows = split(letters, 0)
    assert sorted(np.concatenate(list(rows.values()))) == list(range(2858))
    assert {name: len(part) for name, part in rows.items()} == {"train": 2000, "validation": 429, "test": 429}
    for name, share in {"train": 0.7, "validation": 0.15, "test": 0.15}.items():
        found = np.bincount(letters[rows[name]], minlength=20)
        assert np.abs(found - share * np.array(COUNTS)).max() <= 1  # whole recordings


@pytest.mark.parametrize(
    ("length", "hz", "kept"),
    [
        (6, 1.0, [0, 1, 2, 3, 4, 5]),
        (6, 0.5, [0, 2, 4]),
        (7, 0.5, [0, 2, 4]),
        (10, 0.7, [0, 1, 2, 4, 5, 7, 8]),
        (100, 0.29, [100 * i // 29 for i in range(29)]),  # 100 · 0.29 is 28.999… in floating point
        (90, 0.3, [10 * i // 3 for i in range(27)]),
    ],
)
def test_uniform_sampling_keeps_floor_of_i_over_hz(length, hz, kept):
    assert kept_indices(3, length, hz, None).tolist() == [kept] * 3


def test_random_sampling_keeps_a_sorted_subset_of_its_own_for_every_sequence():
    kept = kept_indices(200, 182, 0.7, np.random.default_rng(0))
    assert kept.shape == (200, 127)  # floor(182 · 0.7)
    assert (np.diff(kept, axis=1) > 0).all() and kept.min() >= 0 and kept.max() < 182
    assert len({row.tobytes() for row in kept}) == 200
    # every index is kept with probability 127/182: over 200 sequences five standard errors are 0.16
    assert np.abs(np.bincount(kept.ravel()) / 200 - 127 / 182).max() < 0.16


def test_random_sampling_at_full_rate_drops_nothing():
    kept = kept_indices(4, 30, 1.0, np.random.default_rng(0))
    np.testing.assert_array_equal(kept, np.tile(np.arange(30), (4, 1)))


def test_train_part_is_normalised_and_the_others_by_its_statistics(offline):
    dataset = CharacterTrajectories().build(offline)
    train = dataset.parts["train"].inputs.astype(float)
    np.testing.assert_allclose(train.mean(axis=(0, 1)), 0, atol=1e-6)  # float32 rounding of values near one
    np.testing.assert_allclose(train.std(axis=(0, 1)), 1, atol=1e-6)
    test = dataset.parts["test"].inputs.astype(float)
    assert np.abs(test.mean(axis=(0, 1))).max() > 1e-4 and np.abs(test.mean(axis=(0, 1))).max() < 0.1


def test_train_reads_train_settings_and_both_others_read_eval_settings(offline):
    full = CharacterTrajectories().build(offline).parts
    halved = CharacterTrajectories(train_hz=1, eval_hz=0.5).build(offline).parts
    np.testing.assert_array_equal(halved["train"].inputs, full["train"].inputs)
    for name in ("validation", "test"):
        np.testing.assert_array_equal(halved[name].inputs, full[name].inputs[:, ::2])
        np.testing.assert_array_equal(halved[name].targets, full[name].targets)
    assert all(part.times is None for part in halved.values())


def test_timestamps_are_kept_indices_times_ts(offline):
    options = {"uniform": False, "timestamps": True, "train_ts": 0.5, "eval_ts": 2.0}
    published = CharacterTrajectories(**options).build(offline).parts
    assert published["train"].times.shape == (2000, 182) and published["train"].times.dtype == np.float32
    np.testing.assert_array_equal(published["train"].times[7], 0.5 * np.arange(182))
    np.testing.assert_array_equal(published["test"].times[7], 2.0 * np.arange(182))

    full = CharacterTrajectories().build(offline).parts
    dropped = CharacterTrajectories(train_hz=0.7, eval_hz=0.7, **options).build(offline).parts
    for name, ts in {"train": 0.5, "validation": 2.0, "test": 2.0}.items():
        indices = (dropped[name].times / ts).astype(int)
        assert indices.shape[1] == 127
        expected = np.take_along_axis(full[name].inputs, indices[:, :, None], axis=1)
        np.testing.assert_array_equal(dropped[name].inputs, expected)


def test_cap_takes_letters_in_turn_and_leaves_values_alone(offline):
    options = {"train_hz": 0.7, "uniform": False, "timestamps": True}
    full = CharacterTrajectories(**options).build(offline).parts
    few = CharacterTrajectories(samples=50, **options).build(offline).parts
    for name, part in few.items():
        counts = np.bincount(part.targets, minlength=20)
        assert len(part.targets) == 50 and counts.min() == 2 and counts.max() == 3
        known = {one.tobytes() for one in full[name].inputs}
        assert all(one.tobytes() in known for one in part.inputs)
        assert len(part.times) == 50
    assert len(CharacterTrajectories(samples=1000).build(offline).parts["test"].targets) == 429


def test_letters_in_turn():
    # first round: rows 3 (letter 2), 0 (letter 5), 5 (letter 9); second round: row 4
    assert letters_in_turn(np.array([5, 5, 5, 2, 2, 9]), 4).tolist() == [0, 3, 4, 5]
    assert letters_in_turn(np.array([5, 5]), None).tolist() == [0, 1]


def test_split_seed_alone_decides_the_dataset(offline):
    options = {"train_hz": 0.7, "uniform": False}
    first, again, other = (
        CharacterTrajectories(split_seed=seed, **options).build(offline).digest for seed in (0, 0, 1)
    )
    assert first == again != other


def test_stand_in_is_labelled_and_refused_where_real_data_is_required(no_network, tmp_path):
    assert CharacterTrajectories().fetch(Sources(cache=tmp_path)) == {"(no file)": SUBSTITUTE}
    dataset = CharacterTrajectories(samples=20).build(Sources(cache=tmp_path, offline=True))
    assert dataset.substitute and dataset.source == SUBSTITUTE and dataset.classes == 20
    for make in (CharacterTrajectories().fetch, CharacterTrajectories().build):
        with pytest.raises(NoSourceError, match="require_real_data is set, so the synthetic stand-in is refused"):
            make(Sources(cache=tmp_path, offline=True, require_real=True))


@pytest.mark.parametrize("options", [{"train_hz": 0}, {"eval_hz": 1.5}, {"train_ts": -1}, {"samples": 0}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValidationError):
        CharacterTrajectories(**options)


def test_real_recordings(recordings_file):
    sources = Sources(recordings_file.parent, offline=True, require_real=True)
    assert CharacterTrajectories().fetch(sources) == {str(recordings_file): f"data folder {recordings_file.parent}"}
    dataset = CharacterTrajectories(train_hz=0.5).build(sources)
    assert not dataset.substitute and "UCI file, zero columns kept, lengths 109 to 205" in dataset.source
    shapes = {name: part.inputs.shape for name, part in dataset.parts.items()}
    assert shapes == {"train": (2000, 91, 3), "validation": (429, 182, 3), "test": (429, 182, 3)}
    counts = sum(np.bincount(part.targets) for part in dataset.parts.values())
    assert tuple(counts) == COUNTS


def test_speed_stretches_time_and_keeps_the_path():
    """A straight path is interpolated exactly: position i of the faster recording is at time i * speed / hz."""
    t = np.arange(12.0)
    straight = np.stack([2 * t, 5 - t], axis=1)[None]
    for hz in (1.0, 0.5):
        for speed in (0.25, 2 / 3, 1.0, 1.5, 4.0):
            fast = at_speed(straight, speed, hz)
            expected = np.minimum(np.arange(int(12 * hz / speed + 1e-9)) * speed / hz, 11)
            np.testing.assert_allclose(fast[0], np.stack([2 * expected, 5 - expected], axis=1), atol=1e-12)


def test_speeds_are_parts_that_agree_with_the_published_ones(offline):
    options = CharacterTrajectories(train_hz=0.5, eval_hz=1.0, samples=40, speeds=[0.5, 1, 2])
    parts = options.build(offline).parts
    assert [len(parts[name].inputs[0]) for name in ("train", "speed_0.5", "speed_1", "speed_2")] == [91, 182, 91, 45]
    # Trained at 100 Hz, twice the samples are half the speed: the part that the paper's row is read on.
    np.testing.assert_allclose(parts["speed_0.5"].inputs[:, :-1], parts["test"].inputs[:, :-1], atol=1e-6)
    np.testing.assert_allclose(parts["speed_1"].inputs, parts["test"].inputs[:, ::2], atol=1e-6)
    assert (parts["speed_2"].targets == parts["test"].targets).all()
    with pytest.raises(ValidationError, match="tell the speed"):
        CharacterTrajectories(speeds=[2], timestamps=True)
