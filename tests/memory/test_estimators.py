import doctest

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from hippo import estimators, project
from hippo.estimators import LegSFeatures, ridge


def sequences(samples=5, length=40, channels=3):
    return np.random.default_rng(0).normal(size=(samples, length, channels))


def test_features_are_the_projection_of_each_channel():
    X = sequences()
    features = LegSFeatures(order=6).fit_transform(X)
    expected = [[project(X[i, :, c], 6) for c in range(3)] for i in range(5)]
    np.testing.assert_allclose(features, np.reshape(expected, (5, 18)), rtol=0, atol=1e-14)


def test_timestamps_are_the_last_channel():
    X = sequences(channels=2)
    times = np.sort(np.random.default_rng(1).uniform(0, 9, size=(5, 40)), axis=1)
    features = LegSFeatures(order=6, timestamps=True).fit_transform(np.dstack([X, times]))
    expected = [[project(X[i, :, c], 6, timestamps=times[i]) for c in range(2)] for i in range(5)]
    np.testing.assert_allclose(features, np.reshape(expected, (5, 12)), rtol=0, atol=1e-14)


def test_two_letters_are_classified_at_any_sampling_rate():
    """Half a period of a sine against a whole one; the features do not depend on the sampling rate."""
    rng = np.random.default_rng(2)

    def letters_of(samples, length):
        letters = rng.integers(0, 2, samples)
        t = np.linspace(0, 1, length)
        strokes = np.sin(np.pi * (1 + letters[:, None]) * t) + 0.05 * rng.normal(size=(samples, length))
        return strokes[..., None], letters

    classifier = ridge(LegSFeatures(order=8)).fit(*letters_of(60, 100))
    for length in (50, 100, 300):
        assert classifier.score(*letters_of(40, length)) == 1.0


def test_the_layout_is_documented():
    """sktime's layout (samples, channels, length) cannot be told apart, so the documentation must name it."""
    assert "(samples, length, channels). sktime and aeon use (samples, channels, length)" in LegSFeatures.__doc__


def test_examples():
    result = doctest.testmod(estimators)
    assert result.attempted > 0 and result.failed == 0


def test_it_is_a_scikit_learn_transformer():
    features = LegSFeatures(order=4)
    assert clone(features).get_params() == {"order": 4, "timestamps": False}
    with pytest.raises(NotFittedError):
        features.transform(sequences())
    with pytest.raises(ValueError, match="2 channels; fitted on 3"):
        features.fit(sequences()).transform(sequences(channels=2))
    with pytest.raises(ValueError, match=r"shape \(samples, length, channels\), none of them 0, got \(5, 40\)"):
        features.fit(sequences()[..., 0])
