"""HiPPOStreamTransformer: river's checks, and the coefficients of each feature's past."""

import numpy as np
import pytest

from hippo import project

river = pytest.importorskip("river", reason="an extra")

from river import checks, compose, linear_model, preprocessing  # noqa: E402

from hippo.estimators import HiPPOStreamTransformer  # noqa: E402

CHECKS = list(checks.yield_checks(HiPPOStreamTransformer(order=2)))


@pytest.mark.parametrize("check", CHECKS, ids=[f"{number} {check.__name__}" for number, check in enumerate(CHECKS)])
def test_rivers_checks(check):
    check(HiPPOStreamTransformer(order=2))


def feed(transformer, samples):
    for sample in samples:
        transformer.learn_one(sample)
    return transformer


def test_coefficients_are_those_of_the_past_of_each_feature():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 40))
    samples = [{"a": a, "b": b} for a, b in values.T]
    features = feed(HiPPOStreamTransformer(3, "legt", theta=[5, 9]), samples).transform_one({"a": 7.0})
    expected = [project(signal, 3, "legt", theta=theta) for signal in values for theta in (5, 9)]
    assert list(features)[:4] == ["a_legt5_0", "a_legt5_1", "a_legt5_2", "a_legt9_0"]
    np.testing.assert_allclose(list(features.values()), np.concatenate(expected), rtol=0, atol=1e-12)


def test_a_feature_starts_when_it_appears_and_waits_while_it_is_absent():
    samples = [{"a": 1.0}, {"a": 2.0, "b": 5.0}, {"b": 6.0}]
    features = feed(HiPPOStreamTransformer(1), samples).transform_one({})
    np.testing.assert_allclose([features["a_legs_0"], features["b_legs_0"]], [project([1.0, 2.0], 1)[0],
                                                                             project([5.0, 6.0], 1)[0]])  # fmt: skip


def test_times_come_from_a_feature():
    times, values = [0.0, 1.0, 5.0, 6.0], [1.0, -1.0, 2.0, 0.5]
    samples = [{"t": t, "a": value} for t, value in zip(times, values, strict=True)]
    features = feed(HiPPOStreamTransformer(3, timestamps="t"), samples).transform_one({})
    np.testing.assert_allclose(list(features.values()), project(values, 3, timestamps=times), rtol=0, atol=1e-14)


def test_a_refused_sample_changes_nothing():
    transformer = feed(HiPPOStreamTransformer(2, timestamps="t"), [{"t": 1.0, "a": 1.0, "b": 2.0}])
    before = transformer.transform_one({})
    with pytest.raises(ValueError, match="feature 'b': signal is nan"):
        transformer.learn_one({"t": 2.0, "a": 3.0, "b": float("nan")})
    with pytest.raises(TypeError, match="feature 'b': signal must hold real numbers"):
        transformer.learn_one({"t": 2.0, "a": 3.0, "b": "high"})
    with pytest.raises(TypeError, match=r"feature 'b': expected one number, got \[1.0, 2.0\]"):
        transformer.learn_one({"t": 2.0, "a": 3.0, "b": [1.0, 2.0]})
    with pytest.raises(ValueError, match="the sample has no 't', which holds its time"):
        transformer.learn_one({"a": 3.0})
    with pytest.raises(ValueError, match="never decreasing"):
        transformer.learn_one({"t": 0.5, "a": 3.0})
    assert transformer.transform_one({}) == before


@pytest.mark.parametrize(
    "options, message",
    [({"measure": "legt"}, "needs theta"), ({"measure": "legt", "theta": 5, "timestamps": "t"}, "scale-invariant")],
)
def test_refused_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        HiPPOStreamTransformer(**options)


def test_a_pipeline_predicts_a_sine_from_its_memory():
    """One step ahead; features contain the present sample while the pipeline learns during prediction."""
    signal = np.sin(np.arange(1500) / 5)
    model = (
        HiPPOStreamTransformer(6, "legt", theta=30) | preprocessing.StandardScaler() | linear_model.LinearRegression()
    )
    errors = []
    with compose.learn_during_predict():
        for value, following in zip(signal, signal[1:], strict=False):
            errors.append(abs(model.predict_one({"x": value}) - following))
            model.learn_one({"x": value}, following)
    assert np.mean(errors[-300:]) < 0.1  # the mean change of one step is 0.13
