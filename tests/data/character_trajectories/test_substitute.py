import numpy as np
import pytest
from scipy.integrate import quad
from scipy.spatial.distance import cdist

from hippo.data.character_trajectories.recordings import COUNTS, LETTERS
from hippo.data.character_trajectories.sampling import pad, split
from hippo.data.character_trajectories.substitute import GLYPHS, bell, substitute_recordings, write


@pytest.fixture(scope="module")
def strokes():
    return substitute_recordings()


def test_substitute_has_the_counts_and_lengths_of_the_recordings(strokes):
    assert tuple(np.bincount(strokes.letters)) == COUNTS
    lengths = [len(one) for one in strokes.sequences]
    assert min(lengths) == 60 and max(lengths) == 182
    assert all(one.shape[1] == 3 and np.isfinite(one).all() for one in strokes.sequences)
    assert sorted(GLYPHS) == list(LETTERS)


def test_substitute_is_the_same_every_time_and_no_two_sequences_are_equal(strokes):
    again = substitute_recordings()
    for one, other in zip(strokes.sequences, again.sequences, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len({one.tobytes() for one in strokes.sequences}) == len(strokes.sequences)


def test_stroke_is_of_unit_length_and_minimum_jerk():
    area, _ = quad(bell, 0, 1)
    assert area == pytest.approx(1)
    assert bell(np.array([-0.1, 0, 0.5, 1, 1.1])).tolist() == [0, 0, 1.875, 0, 0]
    # minimum jerk: the sixth derivative of position vanishes, so speed is a quartic
    phase = np.linspace(0, 1, 9)
    np.testing.assert_allclose(np.diff(bell(phase), n=5), 0, atol=1e-12)


def test_velocity_leads_from_the_first_point_to_the_last():
    """The sum of the velocities has the direction of the glyph's displacement."""
    rng = np.random.default_rng(0)
    written = [write("l", rng)[:, :2] for _ in range(300)]
    up = np.array([one[:, 1].sum() for one in written])
    across = np.array([one[:, 0].sum() for one in written])
    assert (up < 0).all()  # an l goes down from 2 to 0,
    assert across.mean() > 0 and np.abs(up).mean() > 3 * across.mean()  # and a little to the right


def test_letters_can_be_told_apart_but_not_by_their_length(strokes):
    rows = split(strokes.letters, 0)
    values = pad(strokes.sequences)[:, ::4].reshape(len(strokes.letters), -1)
    lengths = np.array([[len(one)] for one in strokes.sequences], dtype=float)

    def accuracy(features: np.ndarray) -> float:
        distances = cdist(features[rows["test"]], features[rows["train"]])
        nearest = strokes.letters[rows["train"]][distances.argmin(axis=1)]
        return np.mean(nearest == strokes.letters[rows["test"]])

    assert accuracy(values) > 0.9  # the real recordings give 0.97 here; chance is 0.05
    assert accuracy(lengths) < 0.4
