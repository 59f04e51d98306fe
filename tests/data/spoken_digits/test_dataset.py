from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import ValidationError

from hippo.data.sources import Sources
from hippo.data.spoken_digits import SpokenDigits
from hippo.data.spoken_digits.dataset import resample
from hippo.data.spoken_digits.recordings import NAMES
from tests.data.spoken_digits.helpers import accept, waveforms, write_archive


@pytest.fixture
def sources(tmp_path, monkeypatch) -> Sources:
    accept(monkeypatch)
    write_archive(tmp_path / "free-spoken-digit-dataset.zip", {})
    return Sources(tmp_path, offline=True)


def test_parts_are_the_official_test_set_and_validation_from_the_train_set(sources):
    parts = SpokenDigits().build(sources).parts
    repetition = np.array([int(name.removesuffix(".wav").split("_")[2]) for name in NAMES])
    members = {"test": repetition < 5, "validation": (repetition >= 5) & (repetition < 10), "train": repetition >= 10}
    members |= {"half_rate": members["test"], "double_rate": members["test"]}
    for name, inside in members.items():
        digits = [int(NAMES[index][0]) for index in np.flatnonzero(inside)]
        assert parts[name].targets.tolist() == digits
    originals = [waveforms()[index] for index in np.flatnonzero(members["train"])]
    spread = np.concatenate(originals).astype(float).std()
    train = parts["train"]
    assert train.lengths.tolist() == [len(one) for one in originals] and train.inputs.shape == (2400, 59, 1)
    for padded, length, original in zip(train.inputs, train.lengths, originals, strict=True):
        np.testing.assert_allclose(padded[:length, 0], original / spread, rtol=1e-6)
        assert (padded[length:] == 0).all()


def test_the_first_samples_of_a_part_are_balanced(sources):
    parts = SpokenDigits(samples=120).build(sources).parts
    assert {name: len(part.inputs) for name, part in parts.items()} == dict.fromkeys(parts, 120)
    assert np.array_equal(np.bincount(parts["train"].targets), np.full(10, 12))
    full = SpokenDigits().build(sources).parts["test"]
    assert parts["test"].lengths.tolist() == full.lengths[:120].tolist()


def test_sampling_rates_and_times(sources):
    dataset = SpokenDigits(hz=4000, timestamps=True)
    parts = dataset.build(sources).parts
    original = SpokenDigits().build(sources).parts
    assert np.array_equal(parts["test"].lengths, -(-original["test"].lengths // 2))
    assert np.array_equal(parts["half_rate"].lengths, -(-original["test"].lengths // 4))
    assert np.array_equal(parts["double_rate"].lengths, original["test"].lengths)
    ratios = {"train": 1.0, "validation": 1.0, "test": 1.0} | dataset.sampling_ratios()
    assert set(ratios) == set(parts)
    for name, part in parts.items():
        times = np.arange(part.inputs.shape[1]) * ratios[name] / 4000
        np.testing.assert_allclose(part.times, np.tile(times, (len(part.times), 1)), rtol=1e-6)
    # the part at 8 kHz is the original, divided by the deviation of the train part at 4 kHz
    found, stored = parts["double_rate"].inputs[0], original["test"].inputs[0]
    np.testing.assert_allclose(found / found.std(), stored / stored.std(), rtol=0, atol=1e-5)
    assert SpokenDigits().build(sources).parts["train"].times is None


def test_shorter_recordings_than_the_limit_are_kept(sources):
    parts = SpokenDigits(seconds=0.01).build(sources).parts  # 80 samples, longer than all
    assert parts["train"].inputs.shape[1] == 59


@pytest.mark.parametrize("hz", [2000, 8000, 16_000])
def test_long_recordings_are_cut_at_a_time_whatever_the_rate(hz):
    recordings = SimpleNamespace(waveforms=[np.arange(200, dtype=np.int16), np.arange(50, dtype=np.int16)])
    long, short = SpokenDigits(seconds=0.01, hz=hz)._waveforms(recordings, np.arange(2), hz)
    assert (len(long), len(short)) == (0.01 * hz, np.ceil(50 * hz / 8000))
    np.testing.assert_array_equal(long, resample(np.arange(80.0), hz))


def test_a_limit_below_a_hundredth_of_a_second_is_refused():
    with pytest.raises(ValidationError, match="seconds"):
        SpokenDigits(seconds=0.001)


@pytest.mark.parametrize("hz", [1000, 2000, 4000, 8000, 11025, 16000])
def test_resampling_keeps_a_tone(hz):
    """A tone far below both Nyquist frequencies is sampled at the new times. Oracle: the closed form.

    The default filter of resample_poly has a Kaiser window of beta 5: its ripple is about 3e-3 of the tone.
    """
    tone = 300.0
    wave = np.sin(2 * np.pi * tone * np.arange(4000) / 8000)
    found = resample(wave, hz)
    assert len(found) == -(-4000 * hz // 8000)
    expected = np.sin(2 * np.pi * tone * np.arange(len(found)) / hz)
    inside = slice(len(found) // 8, -len(found) // 8)  # away from the ends, beyond which the filter reads zeros
    assert np.abs(found - expected)[inside].max() < 0.01


def test_a_lower_rate_removes_what_it_cannot_hold():
    """A tone of 3 kHz at 4 kHz would fold to 1 kHz; the filter removes it."""
    wave = np.sin(2 * np.pi * 3000 * np.arange(4000) / 8000)
    assert np.abs(resample(wave, 4000)[500:-500]).max() < 0.01
