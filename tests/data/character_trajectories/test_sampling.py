import numpy as np
import pytest

from hippo.data.character_trajectories.recordings import COUNTS
from hippo.data.character_trajectories.sampling import at_speed, kept_indices, letters_in_turn, pad, split


def test_padding_continues_the_last_value():
    padded = pad([np.array([[1.0, 2], [3, 4]]), np.array([[5.0, 6], [7, 8], [9, 10]])])
    assert padded.tolist() == [[[1, 2], [3, 4], [3, 4]], [[5, 6], [7, 8], [9, 10]]]


def test_split_is_disjoint_complete_and_stratified():
    letters = np.repeat(np.arange(20), COUNTS)
    rows = split(letters, 0)
    assert sorted(np.concatenate(list(rows.values()))) == list(range(2858))
    assert {name: len(part) for name, part in rows.items()} == {"train": 2000, "validation": 429, "test": 429}
    for name, fraction in {"train": 0.7, "validation": 0.15, "test": 0.15}.items():
        found = np.bincount(letters[rows[name]], minlength=20)
        assert np.abs(found - fraction * np.array(COUNTS)).max() <= 1  # rounding to whole recordings


@pytest.mark.parametrize(
    ("length", "hz", "kept"),
    [
        (6, 1.0, [0, 1, 2, 3, 4, 5]),
        (6, 0.5, [0, 2, 4]),
        (7, 0.5, [0, 2, 4]),
        (10, 0.7, [0, 1, 2, 4, 5, 7, 8]),
        (100, 0.29, [100 * i // 29 for i in range(29)]),  # 100 * 0.29 is 28.999999999999996
        (90, 0.3, [10 * i // 3 for i in range(27)]),
    ],
)
def test_uniform_sampling_keeps_floor_of_i_over_hz(length, hz, kept):
    assert kept_indices(3, length, hz, None).tolist() == [kept] * 3


def test_random_sampling_keeps_a_sorted_subset_of_its_own_for_every_sequence():
    kept = kept_indices(200, 182, 0.7, np.random.default_rng(0))
    assert kept.shape == (200, 127)  # floor(182 · 0.7)
    assert (np.diff(kept, axis=1) > 0).all() and kept.min() >= 0 and kept.max() < 182
    assert len({indices.tobytes() for indices in kept}) == 200
    # every index is kept with probability 127/182: over 200 sequences five standard errors are 0.16
    assert np.abs(np.bincount(kept.ravel()) / 200 - 127 / 182).max() < 0.16


def test_random_sampling_at_full_rate_drops_nothing():
    kept = kept_indices(4, 30, 1.0, np.random.default_rng(0))
    np.testing.assert_array_equal(kept, np.tile(np.arange(30), (4, 1)))


def test_letters_in_turn():
    # the first of each letter: indices 3 (letter 2), 0 (letter 5), 5 (letter 9); then a second one: index 4
    assert letters_in_turn(np.array([5, 5, 5, 2, 2, 9]), 4).tolist() == [0, 3, 4, 5]
    assert letters_in_turn(np.array([5, 5]), None).tolist() == [0, 1]


def test_speed_scales_time_and_keeps_the_path():
    """A straight path is interpolated exactly: position i of the faster recording is at time i * speed / hz."""
    t = np.arange(12.0)
    straight = np.stack([2 * t, 5 - t], axis=1)[None]
    for hz in (1.0, 0.5):
        for speed in (0.25, 2 / 3, 1.0, 1.5, 4.0):
            fast = at_speed(straight, speed, hz)
            expected = np.minimum(np.arange(int(12 * hz / speed + 1e-9)) * speed / hz, 11)
            np.testing.assert_allclose(fast[0], np.stack([2 * expected, 5 - expected], axis=1), rtol=0, atol=1e-12)
    assert at_speed(np.zeros((1, 100, 2)), 1.0, 0.29).shape == (1, 29, 2)  # 100 * 0.29 is 28.999999999999996
