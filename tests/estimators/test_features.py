"""HiPPOFeatures: coefficients of sequences in every form, and refused input."""

import doctest
import importlib

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import check_estimator

from hippo import project
from hippo.estimators import HiPPOFeatures, ridge_classifier, ridge_regressor


def sequences(samples=5, length=40, channels=3):
    return np.random.default_rng(0).normal(size=(samples, length, channels))


def last(order=6, **options):
    return HiPPOFeatures(order, layout="channels_last", **options)


# -- features ---------------------------------------------------------------------------------------------------------


def test_features_are_the_projection_of_each_channel():
    X = sequences()
    expected = [[project(X[i, :, c], 6) for c in range(3)] for i in range(5)]
    np.testing.assert_allclose(last().fit_transform(X), np.reshape(expected, (5, 18)), rtol=0, atol=1e-14)


def test_every_measure_and_window_length_has_its_coefficients():
    X, windows = sequences(), [7, 30.5]
    features = last(4, measure="fout", theta=windows, discretization="bilinear").fit_transform(X)
    options = {"measure": "fout", "discretization": "bilinear"}
    expected = [[[project(X[i, :, c], 4, theta=w, **options) for w in windows] for c in range(3)] for i in range(5)]
    np.testing.assert_allclose(features, np.reshape(expected, (5, 24)), rtol=0, atol=1e-14)


def test_without_theta_the_window_is_the_sequence():
    X = sequences()
    expected = [[project(X[i, :, c], 4, "legt", theta=40) for c in range(3)] for i in range(5)]
    features = last(4, measure="legt").fit_transform(X)
    np.testing.assert_allclose(features, np.reshape(expected, (5, 12)), rtol=0, atol=1e-14)


def test_timestamps_are_the_last_channel():
    X = sequences(channels=2)
    times = np.sort(np.random.default_rng(1).uniform(0, 9, size=(5, 40)), axis=1)
    features = last(timestamps=True).fit_transform(np.dstack([X, times]))
    expected = [[project(X[i, :, c], 6, timestamps=times[i]) for c in range(2)] for i in range(5)]
    np.testing.assert_allclose(features, np.reshape(expected, (5, 12)), rtol=0, atol=1e-14)


def test_both_layouts_and_a_table_agree():
    X = sequences()
    features = last().fit_transform(X)
    assert np.array_equal(HiPPOFeatures(6, layout="channels_first").fit_transform(X.swapaxes(1, 2)), features)
    assert np.array_equal(HiPPOFeatures(6).fit_transform(X[:, :, 0]), features[:, :6])  # needs no layout


def test_sequences_of_unequal_lengths_are_transformed_one_by_one():
    X = [sequences(1, length)[0] for length in (9, 30, 9)]
    expected = np.concatenate([last().fit_transform(one[None]) for one in X])
    assert np.array_equal(last().fit_transform(X), expected)
    first = HiPPOFeatures(6, layout="channels_first")
    assert np.array_equal(first.fit_transform([one.T for one in X]), expected)
    assert np.array_equal(HiPPOFeatures(6).fit_transform([one[:, 0] for one in X]), expected[:, :6])


def test_two_letters_are_classified_at_any_sampling_rate():
    """Half a period of a sine against a whole one; the features do not depend on the sampling rate."""
    rng = np.random.default_rng(2)

    def letters_of(samples, length):
        letters = rng.integers(0, 2, samples)
        t = np.linspace(0, 1, length)
        strokes = np.sin(np.pi * (1 + letters[:, None]) * t) + 0.05 * rng.normal(size=(samples, length))
        return strokes[..., None], letters

    classifier = ridge_classifier(last(8)).fit(*letters_of(60, 100))
    for length in (50, 100, 300):
        assert classifier.score(*letters_of(40, length)) == 1.0


def test_ridge_regression_recovers_the_mean():
    """The mean of a sequence is its first coefficient, up to the weight of the first sample."""
    X = sequences(60, 200, 1).cumsum(axis=1)
    predicted = ridge_regressor(last(4)).fit(X, X.mean(axis=(1, 2))).predict(X)
    np.testing.assert_allclose(predicted, X.mean(axis=(1, 2)), rtol=0, atol=0.02 * X.std())


# -- scikit-learn -----------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Skipping check check_array_api_input")
@pytest.mark.parametrize("options", [{}, {"measure": "legt", "theta": [3, 7.5]}], ids=["legs", "two windows"])
def test_scikit_learns_checks(options):
    check_estimator(HiPPOFeatures(3, **options))


def test_features_have_names_and_containers():
    X = sequences(channels=2)
    features = last(2, measure="legt", theta=[10, 20]).set_output(transform="pandas")
    frame = features.fit_transform(X)
    assert list(frame.columns) == [f"x{c}_legt{w}_{n}" for c in (0, 1) for w in (10, 20) for n in (0, 1)]
    assert features.get_feature_names_out(["a", "b"])[4] == "b_legt10_0"
    with pytest.raises(ValueError, match="length equal to number of features"):
        features.get_feature_names_out(["a"])
    timed = last(1, timestamps=True).fit(np.dstack([X, np.broadcast_to(np.arange(40), (5, 40))]))
    assert timed.get_feature_names_out().tolist() == ["x0_legs_0", "x1_legs_0"]


def test_a_table_keeps_its_columns_and_other_forms_any_length():
    frame = pd.DataFrame(sequences()[:, :, 0]).rename(columns=str)
    features = HiPPOFeatures(3, layout="channels_last").fit(frame)
    assert features.n_features_in_ == 40 and features.feature_names_in_[1] == "1"
    with pytest.raises(ValueError, match="feature names should match"):
        features.transform(frame.iloc[:, :30])
    assert features.transform(sequences(2, 30, 1)).shape == (2, 3)
    assert last(3).fit(sequences(channels=1)).transform(frame).shape == (5, 3)


def test_it_is_searched_over_inside_a_pipeline():
    X, labels = sequences(12), np.arange(12) % 2
    search = GridSearchCV(ridge_classifier(last()), {"hippofeatures__order": [1, 3]}, cv=2).fit(X, labels)
    assert search.best_params_["hippofeatures__order"] in (1, 3)
    assert clone(last(4)).get_params()["order"] == 4


def test_not_fitted():
    with pytest.raises(NotFittedError):
        last().transform(sequences())


# -- refused input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", [None, "ncl"])
def test_three_dimensions_need_a_layout(layout):
    """sktime's layout cannot be told apart from PyTorch's, so that a default would misread one of them."""
    message = rf"layout={layout!r} does not state the axes of sequences \(5, 40, 3\): pass layout='channels_last'"
    with pytest.raises(ValueError, match=message):
        HiPPOFeatures(6, layout=layout).fit(sequences())
    with pytest.raises(ValueError, match="does not state the axes"):
        HiPPOFeatures(6, layout=layout).fit([sequences(1, 9)[0], sequences(1, 8)[0]])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"order": 0}, "order must be"),
        ({"order": True}, "order must be"),
        ({"measure": "legx"}, "unknown measure 'legx'"),
        ({"theta": 5}, "it has no theta"),
        ({"theta": []}, "theta is an empty sequence"),
        ({"measure": "legt", "theta": [5, -1]}, "theta must be"),
        ({"measure": "legt", "timestamps": True}, "timestamps=True needs scale-invariant memories"),
        ({"discretization": "zoh"}, "no 'zoh'"),
        ({"timestamps": "index"}, "timestamps must be True or False, got 'index'"),
    ],
)
def test_parameters_are_checked_by_fit(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        last(**{"order": 6, **options}).fit(sequences())


def test_channels_are_those_of_fit():
    features = last().fit(sequences())
    with pytest.raises(ValueError, match="2 channels; fitted on 3"):
        features.transform(sequences(channels=2))
    with pytest.raises(ValueError, match="2 channels; fitted on 3"):
        features.transform([sequences(1, 9)[0], sequences(1, 9, 2)[0]])
    with pytest.raises(ValueError, match="one channel; with timestamps=True they need one more"):
        last(timestamps=True).fit(sequences(channels=1))
    with pytest.raises(ValueError, match=r"without an axis of size 0; got \(5, 0, 3\)"):
        last().fit(sequences(length=0))
    with pytest.raises(ValueError, match="NaN"):
        last().fit([np.full((3, 1), np.nan), np.zeros((2, 1))])


@pytest.mark.parametrize("module", ["features", "ridge"])
def test_examples(module):
    result = doctest.testmod(importlib.import_module(f"hippo.estimators.{module}"))
    assert result.attempted > 0 and result.failed == 0
