"""sktime's transformer, classifier and regressor on fixed features: every panel type, times, scikit-learn's tools."""

import doctest
import importlib

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sktime.datatypes import convert

from hippo import project
from hippo.estimators import HiPPOClassifier, HiPPOFeatures, HiPPORegressor, HiPPOTransformer
from hippo.estimators.panels import elapsed, sequences

PANELS = ["numpy3D", "nested_univ", "pd-multiindex", "df-list"]


def panel(samples=6, channels=2, length=30):
    return np.random.default_rng(0).normal(size=(samples, channels, length))


def ragged(lengths=(9, 30, 9, 14)):
    frames = [pd.DataFrame(panel(1, 2, length)[0].T, columns=["a", "b"]) for length in lengths]
    return [frame + number for number, frame in enumerate(frames)]


@pytest.mark.parametrize("mtype", PANELS)
def test_the_transformer_reads_every_panel_type(mtype):
    X = panel()
    expected = [[project(X[i, c], 5, "lmu", theta=12) for c in range(2)] for i in range(6)]
    transformer = HiPPOTransformer(5, "lmu", theta=12)
    features = transformer.fit_transform(convert(X, "numpy3D", mtype, as_scitype="Panel"))
    np.testing.assert_allclose(features, np.reshape(expected, (6, 10)), rtol=0, atol=1e-14)


def test_a_single_series_is_one_sample():
    series = pd.Series(panel()[0, 0])
    features = HiPPOTransformer(5).fit_transform(series)
    assert features.shape == (1, 5)
    np.testing.assert_allclose(features.to_numpy()[0], project(series.to_numpy(), 5), rtol=0, atol=1e-14)


@pytest.mark.parametrize("mtype", ["df-list", "pd-multiindex", "nested_univ"])
def test_series_of_unequal_lengths_are_transformed_one_by_one(mtype):
    frames = ragged()
    X = convert(frames, "df-list", mtype, as_scitype="Panel")
    features = HiPPOTransformer(4).fit_transform(X)
    expected = HiPPOFeatures(4, layout="channels_last").fit_transform([frame.to_numpy() for frame in frames])
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-14)


def test_channels_of_a_series_have_the_names_and_the_order_of_fit():
    frames, swapped = ragged(), [frame[["b", "a"]] for frame in ragged()]
    transformer = HiPPOTransformer(4).fit(frames)
    with pytest.raises(ValueError, match=r"the channels \['b', 'a'\]; fitted on \['a', 'b'\], in this order"):
        transformer.transform(swapped)
    with pytest.raises(ValueError, match="fitted on"):
        HiPPOTransformer(4).fit([frames[0], swapped[1]])
    with pytest.raises(ValueError, match="fitted on"):
        HiPPOClassifier(4).fit(frames, np.array([0, 1, 0, 1])).predict(swapped)
    array = convert([frame[:9] for frame in frames], "df-list", "numpy3D", as_scitype="Panel")
    assert transformer.transform(array).shape == (4, 8)  # an array has no names


@pytest.mark.parametrize("kind", ["dates", "periods", "numbers", "durations"])
def test_times_are_those_of_the_index(kind):
    """Scale-invariant memories do not depend on the unit of time, but on its origin: the first sample is at time 0."""
    days = np.array([0, 1, 2, 5, 9, 10])
    index = {
        "dates": pd.Timestamp("2024-02-27") + pd.to_timedelta(days, "D"),
        "periods": pd.PeriodIndex(pd.Timestamp("2024-02-27") + pd.to_timedelta(days, "D"), freq="D"),
        "numbers": pd.Index(3 + days),
        "durations": pd.to_timedelta(days + 3, "D"),
    }[kind]
    np.testing.assert_allclose(elapsed(index) / elapsed(index)[-1], days / 10, rtol=1e-15)
    values = panel(1, 1, 6)[0, 0]
    frame = pd.DataFrame({"a": values}, index=index)
    found = sequences([frame], "index")[0]
    assert np.array_equal(found[:, 0], values) and np.array_equal(found[:, 1], elapsed(index))
    if kind != "durations":  # sktime takes no index of durations
        features = HiPPOTransformer(4, timestamps="index").fit_transform(frame)
        np.testing.assert_allclose(features.iloc[0], project(values, 4, timestamps=days), rtol=0, atol=1e-13)


def test_an_even_index_equals_no_times():
    X = panel()
    for mtype in PANELS:
        converted = convert(X, "numpy3D", mtype, as_scitype="Panel")
        timed = HiPPOTransformer(4, timestamps="index").fit_transform(converted)
        np.testing.assert_allclose(timed, HiPPOTransformer(4).fit_transform(X), rtol=0, atol=1e-13)


def test_times_in_a_channel():
    X, times = panel(), np.sort(np.random.default_rng(1).uniform(0, 9, (6, 1, 30)))
    features = HiPPOTransformer(3, timestamps="channel").fit_transform(np.concatenate([X, times], axis=1))
    expected = [[project(X[i, c], 3, timestamps=times[i, 0]) for c in range(2)] for i in range(6)]
    np.testing.assert_allclose(features, np.reshape(expected, (6, 6)), rtol=0, atol=1e-14)
    with pytest.raises(ValueError, match="unknown timestamps 'indx'; did you mean 'index'"):
        HiPPOTransformer(3, timestamps="indx").fit(X)


# -- scikit-learn -----------------------------------------------------------------------------------------------------


def test_features_have_names():
    transformer = HiPPOTransformer(2, "legt", theta=[5, 10]).set_output(transform="pandas")
    frame = clone(transformer).fit_transform(panel())
    assert list(frame.columns) == [f"x{c}_legt{w}_{n}" for c in (0, 1) for w in (5, 10) for n in (0, 1)]
    assert transformer.fit(panel()).get_feature_names_out().tolist() == list(frame.columns)
    assert transformer.get_feature_names_out(["a", "b"])[4] == "b_legt5_0"
    assert list(HiPPOTransformer(1).fit_transform(ragged()).columns) == ["a_legs_0", "b_legs_0"]
    with pytest.raises(ValueError, match="features are a pandas data frame: set_output\\(transform='polars'\\)"):
        transformer.set_output(transform="polars")


def test_it_is_searched_over_inside_a_pipeline():
    X, labels = panel(12), np.arange(12) % 2
    X[labels == 1] += np.linspace(0, 5, 30)
    pipeline = make_pipeline(HiPPOTransformer(), StandardScaler(), RidgeClassifier())
    search = GridSearchCV(pipeline, {"hippotransformer__order": [1, 3]}, cv=3).fit(X, labels)
    assert search.best_score_ == 1.0 and search.predict(X).tolist() == labels.tolist()
    pipeline.set_output(transform="pandas").fit(X, labels)
    assert pipeline[:-1].get_feature_names_out()[0] == "x0_legs_0"


# -- classifier and regressor -----------------------------------------------------------------------------------------


def waves(lengths):
    """Whole sines and half ones over the whole series, with labels."""
    rng = np.random.default_rng(3)
    labels = np.arange(len(lengths)) % 2
    frames = [
        pd.DataFrame({"x": np.sin(np.pi * (1 + label) * np.linspace(0, 1, length)) + 0.1 * rng.normal(size=length)})
        for label, length in zip(labels, lengths, strict=True)
    ]
    return frames, np.array(["half", "whole"])[labels]


def test_classifies_series_of_unequal_lengths():
    X, labels = waves([30 + n % 7 for n in range(40)])
    classifier = HiPPOClassifier(order=6).fit(X, labels)
    other, truth = waves([90 + n % 5 for n in range(20)])
    assert classifier.predict(other).tolist() == truth.tolist()


def test_the_classifier_is_searched_over_by_scikit_learn():
    X, labels = waves([30] * 24)
    panel_ = np.stack([frame.to_numpy().T for frame in X])
    search = GridSearchCV(HiPPOClassifier(), {"order": [1, 6]}, cv=3).fit(panel_, labels)
    assert search.best_score_ == 1.0 and search.predict(panel_).tolist() == labels.tolist()


def test_regresses_the_slope():
    slopes = np.random.default_rng(4).normal(size=40)
    X = slopes[:, None, None] * np.linspace(0, 1, 50) + 0.01 * panel(40, 1, 50)
    predicted = HiPPORegressor(order=3).fit(X[:30], slopes[:30]).predict(X[30:])
    np.testing.assert_allclose(predicted, slopes[30:], rtol=0, atol=0.05)


@pytest.mark.parametrize("module", ["transformer", "ridge_panels"])
def test_examples(module):
    result = doctest.testmod(importlib.import_module(f"hippo.estimators.{module}"))
    assert result.attempted > 0 and result.failed == 0
