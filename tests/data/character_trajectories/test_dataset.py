import numpy as np
import pytest
from pydantic import ValidationError

from hippo.data.character_trajectories import CharacterTrajectories
from hippo.data.character_trajectories.dataset import SUBSTITUTE
from hippo.data.character_trajectories.recordings import COUNTS
from hippo.data.character_trajectories.substitute import substitute_recordings
from hippo.data.errors import NoSourceError
from hippo.data.sources import Sources


@pytest.fixture(scope="module")
def offline(tmp_path_factory) -> Sources:
    """Sources without any file, so that the substitute is used."""
    return Sources(cache=tmp_path_factory.mktemp("empty"), offline=True)


@pytest.fixture(autouse=True)
def _one_substitute(monkeypatch):
    """Generate the substitute once for this file: it takes a second."""
    name = "hippo.data.character_trajectories.substitute.substitute_recordings"
    monkeypatch.setattr(name, lambda recordings=RECORDINGS: recordings)


RECORDINGS = substitute_recordings()


def test_train_part_is_normalized_and_the_others_by_its_statistics(offline):
    dataset = CharacterTrajectories().build(offline)
    train = dataset.parts["train"].inputs.astype(float)
    np.testing.assert_allclose(train.mean(axis=(0, 1)), 0, atol=1e-6)  # float32 rounding of values near one
    np.testing.assert_allclose(train.std(axis=(0, 1)), 1, rtol=0, atol=1e-6)
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


def test_limit_chooses_letters_in_turn_and_changes_no_value(offline):
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


def test_datasets_differ_by_split_seed_only(offline):
    options = {"train_hz": 0.7, "uniform": False}
    first, again, other = (
        CharacterTrajectories(split_seed=seed, **options).build(offline).digest for seed in (0, 0, 1)
    )
    assert first == again != other


def test_substitute_is_labeled_and_refused_where_real_data_is_required(no_network, tmp_path):
    assert CharacterTrajectories().fetch(Sources(cache=tmp_path)) == {"(no file)": SUBSTITUTE}
    dataset = CharacterTrajectories(samples=20).build(Sources(cache=tmp_path, offline=True))
    assert dataset.substitute and dataset.source == SUBSTITUTE and dataset.classes == 20
    for make in (CharacterTrajectories().fetch, CharacterTrajectories().build):
        with pytest.raises(NoSourceError, match="require_real_data is set, so the synthetic substitute is refused"):
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


def test_speeds_are_parts_that_agree_with_the_published_ones(offline):
    options = CharacterTrajectories(train_hz=0.5, eval_hz=1.0, samples=40, speeds=[0.5, 1, 2])
    parts = options.build(offline).parts
    assert [len(parts[name].inputs[0]) for name in ("train", "speed_0.5", "speed_1", "speed_2")] == [91, 182, 91, 45]
    # Trained at 100 Hz, twice the samples are half the speed: the part that the paper reports.
    np.testing.assert_allclose(parts["speed_0.5"].inputs[:, :-1], parts["test"].inputs[:, :-1], rtol=0, atol=1e-6)
    np.testing.assert_allclose(parts["speed_1"].inputs, parts["test"].inputs[:, ::2], rtol=0, atol=1e-6)
    assert (parts["speed_2"].targets == parts["test"].targets).all()
    with pytest.raises(ValidationError, match="would reveal the speed"):
        CharacterTrajectories(speeds=[2], timestamps=True)
