"""HiPPOForecaster: updates on a stream equal a fit to the whole series; forecasts of known systems."""

import doctest
import importlib

import numpy as np
import pandas as pd
import pytest
from sktime.forecasting.base import ForecastingHorizon

from hippo.estimators import HiPPOForecaster


def series(length=160, variables=1, index=None):
    rng = np.random.default_rng(0)
    t = np.arange(length)[:, None]
    values = np.sin(t / (4 + np.arange(variables))) + 0.01 * t + 0.05 * rng.normal(size=(length, variables))
    return pd.DataFrame(values, columns=[f"v{i}" for i in range(variables)], index=index)


@pytest.mark.parametrize("options", [{}, {"order": 6, "theta": [10, 40.5]}, {"measure": "legs"}, {"measure": "lagt"}])
@pytest.mark.parametrize("chunks", [1, 60])
def test_updates_equal_a_fit_to_the_whole_series(options, chunks):
    y, fh = series(variables=2), [1, 3, 9]
    whole = HiPPOForecaster(**options, alpha=1e-3).fit(y, fh=fh)
    stream = HiPPOForecaster(**options, alpha=1e-3).fit(y[:100], fh=fh)
    for rows in np.array_split(np.arange(100, 160), chunks):
        stream.update(y.iloc[rows])
    np.testing.assert_allclose(stream.predict(), whole.predict(), rtol=0, atol=1e-9)
    np.testing.assert_allclose(stream.predict_var(), whole.predict_var(), rtol=1e-7)
    assert len(stream._values) == 9  # as many samples as the longest step


def test_the_default_window_has_two_samples_per_coefficient():
    default, stated = (HiPPOForecaster(6, theta=theta).fit(series(), fh=[1, 4]).predict() for theta in (None, 12))
    assert default.equals(stated)


@pytest.mark.parametrize("measure", ["legs", "legt"])
def test_a_constant_that_is_added_to_the_series_is_added_to_the_forecasts(measure):
    y, options = series(variables=2), {"order": 6, "measure": measure, "alpha": 1e-3}
    plain, moved = (HiPPOForecaster(**options).fit(y + shift, fh=[1, 5]).predict() for shift in (0, 64))
    np.testing.assert_allclose(moved, plain + 64, rtol=0, atol=1e-9)


def test_an_update_may_overlap_with_known_samples():
    y = series()
    stream = HiPPOForecaster(6).fit(y[:100], fh=[2]).update(y[50:])
    np.testing.assert_allclose(stream.predict(), HiPPOForecaster(6).fit(y, fh=[2]).predict(), rtol=0, atol=1e-9)
    before = stream.predict()
    for known in (y[120:], y[10:20]):  # the forecasts still begin after the last sample read
        with pytest.warns(UserWarning, match="no sample is later than 159"):
            assert stream.update(known).predict().equals(before)


def test_an_update_finds_the_variables_by_name():
    y, fh = series(variables=2), [1, 3]
    expected = HiPPOForecaster(6).fit(y[:100], fh=fh).update(y[100:]).predict()
    stream = HiPPOForecaster(6).fit(y[:100], fh=fh)
    with pytest.raises(ValueError, match=r"the variables are \['v0'\]; fitted on \['v0', 'v1'\]"):
        stream.update(y[["v0"]][100:])
    assert stream.predict().index.tolist() == [100, 102]  # unchanged
    assert stream.update(y[["v1", "v0"]][100:]).predict().equals(expected)


def test_an_absolute_horizon_is_refused_once_its_steps_have_changed():
    y, fh = series(), ForecastingHorizon([101, 103], is_relative=False)
    stream = HiPPOForecaster(6).fit(y[:100], fh=fh)
    assert stream.predict().index.tolist() == [101, 103]
    with pytest.raises(ValueError, match=r"the horizon is \[1, 3\] steps after 100; fitted for \[2, 4\]"):
        stream.update(y[100:101]).predict()


def test_an_empty_series_is_refused():
    with pytest.raises(ValueError, match="the series has no samples"):
        HiPPOForecaster().fit(series()[:0], fh=[1])


def test_without_parameters_an_update_moves_the_memory_alone():
    y = series()
    stream = HiPPOForecaster(6).fit(y[:100], fh=[1, 4])
    weights = {step: solution.weights.copy() for step, solution in stream.solutions_.items()}
    before = stream.predict()
    stream.update(y[100:], update_params=False)
    assert all(np.array_equal(stream.solutions_[step].weights, weights[step]) for step in (1, 4))
    assert stream.predict().index.tolist() == [160, 163] and not np.allclose(stream.predict(), before)


def test_forecasts_a_sine_with_a_trend():
    y = series(400)
    forecast = HiPPOForecaster().fit(y[:380], fh=np.arange(1, 21)).predict()
    error = np.sqrt(((forecast - y[380:]) ** 2).mean().item())
    assert error < 3 * 0.05  # noise of deviation 0.05, in the memory and in the truth
    naive = np.sqrt(((y.iloc[379] - y[380:]) ** 2).mean().item())
    assert error < naive / 4


def test_intervals_cover_as_often_as_they_say():
    """A random walk of 600 steps: the variance of its forecast grows with the horizon."""
    walk = pd.Series(np.random.default_rng(5).normal(size=600).cumsum())
    forecaster = HiPPOForecaster(4).fit(walk, fh=[1, 4, 16])
    np.testing.assert_allclose(forecaster.predict_var().to_numpy().ravel(), [1, 4, 16], rtol=0.35)
    interval = forecaster.predict_interval(coverage=0.9)
    assert (interval.iloc[:, 1] - interval.iloc[:, 0]).is_monotonic_increasing


def test_a_series_that_is_shorter_than_the_horizon_keeps_its_last_value():
    y = pd.Series([1.0, 5.0, 2.0])
    forecast = HiPPOForecaster(4).fit(y, fh=[1, 10]).predict()
    assert forecast.loc[12] == 2.0 and np.isfinite(forecast.loc[3])


def test_dates_and_steps_are_kept():
    y = series(40, index=pd.date_range("2024-01-31", periods=40, freq="ME"))
    forecast = HiPPOForecaster(4).fit(y, fh=[2, 1]).predict()
    assert forecast.index.tolist() == list(pd.date_range("2027-05-31", periods=2, freq="ME"))


@pytest.mark.parametrize(
    "options, fh, message",
    [
        ({"alpha": 0}, [1], "alpha must be a positive number, got 0"),
        ({"measure": "legs", "theta": 5}, [1], "it has no theta"),
    ],
)
def test_refused_arguments(options, fh, message):
    with pytest.raises(ValueError, match=message):
        HiPPOForecaster(**options).fit(series(), fh=fh)


def test_examples():
    result = doctest.testmod(importlib.import_module("hippo.estimators.forecaster"))
    assert result.attempted > 0 and result.failed == 0
