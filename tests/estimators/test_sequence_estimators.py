"""SequenceClassifier and SequenceRegressor: what is trained, what is kept, and that the results can be repeated."""

import doctest
import importlib
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sktime.base import load

from hippo.config import ConfigError
from hippo.estimators import SequenceClassifier, SequenceRegressor, training

SMALL = {"hyperparameters": {"hidden_size": 8}, "random_state": 0, "device": "cpu"}


def waves(samples=60, length=30, seed=0):
    """Slow and fast sines with a random phase, (samples, 1, length), and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(samples) % 2
    t, phase = np.linspace(0, 1, length), rng.uniform(0, 2 * np.pi, (samples, 1))
    X = 100 + 10 * np.sin(2 * np.pi * np.array([1, 4])[labels][:, None] * t + phase)
    return X[:, None, :], np.array(["slow", "fast"])[labels]


def frames(X, lengths):
    return [pd.DataFrame(one.T[:length]) for one, length in zip(X, lengths, strict=True)]


def classifier(model="gru", **options):
    return SequenceClassifier(model, **{**SMALL, "epochs": 30, "learning_rate": 0.02, "batch_size": 20, **options})


@pytest.mark.parametrize("model", ["legs", "gru"])
def test_a_classifier_learns_two_frequencies(model):
    fitted = classifier(model).fit(*waves())
    X, labels = waves(seed=1)
    assert fitted.score(X, labels) > 0.9
    probabilities = fitted.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    assert fitted.classes_.tolist() == ["fast", "slow"]
    assert (fitted.classes_[probabilities.argmax(axis=1)] == fitted.predict(X)).all()


def test_a_regressor_learns_an_amplitude():
    rng = np.random.default_rng(0)
    deviations = rng.normal(size=60)
    amplitudes = 1000 + 50 * deviations  # far from 0: the targets are standardized
    X = deviations[:, None, None] * np.sin(np.arange(20) / 3)
    regressor = SequenceRegressor("gru", **SMALL, epochs=60, learning_rate=0.02, batch_size=20).fit(X, amplitudes)
    assert np.std(regressor.predict(X) - amplitudes) < 0.3 * np.std(amplitudes)


def test_the_weights_are_those_of_the_best_epoch_and_training_stops_early():
    fitted = classifier(epochs=40, early_stopping=3).fit(*waves())
    scores = [row["validation_accuracy"] for row in fitted.history_]
    assert scores[fitted.best_epoch_ - 1] == max(scores) and fitted.best_epoch_ == 1 + int(np.argmax(scores))
    assert len(scores) == min(40, fitted.best_epoch_ + 3)
    shorter = classifier(epochs=fitted.best_epoch_, early_stopping=None).fit(*waves())
    assert all(np.array_equal(shorter.weights_[key], value) for key, value in fitted.weights_.items())


def test_a_seed_repeats_the_results_and_torchs_generator_is_left_alone():
    X, labels = waves(20)
    state = torch.get_rng_state()
    one, two = (classifier(epochs=2).fit(X, labels).predict_proba(X) for _ in range(2))
    assert np.array_equal(one, two) and torch.equal(torch.get_rng_state(), state)
    other = classifier(epochs=2, random_state=1).fit(X, labels).predict_proba(X)
    assert not np.array_equal(one, other)
    assert classifier(epochs=1, random_state=np.random.RandomState(3)).fit(X, labels).weights_


def test_the_validation_part_is_the_stated_fraction_with_classes_in_proportion():
    for samples, fraction, held_out in ((27, 0.25, 7), (2, 0.1, 1), (3, 0.9, 2), (40, 0.2, 8)):
        parts = training.split(np.zeros(samples), fraction, None, seed=0)
        assert sorted([*parts["train"], *parts["validation"]]) == list(range(samples))
        assert len(parts["validation"]) == held_out
    labels = np.repeat([0, 1], 20)
    for seed in range(10):
        assert np.bincount(labels[training.split(labels, 0.2, 2, seed)["validation"]]).tolist() == [4, 4]


def test_inputs_are_standardized_by_the_train_part_alone():
    X, labels = waves(20)
    fitted = classifier(epochs=1, random_state=0).fit(X, labels)
    seed = int(np.random.RandomState(0).randint(2**31))
    train = X[training.split((labels == "slow").astype(int), fitted.validation_fraction, 2, seed)["train"]]
    assert fitted.standardization_.mean.item() == pytest.approx(train.mean(), rel=1e-12) != X.mean()
    assert fitted.standardization_.scale.item() == pytest.approx(train.std(), rel=1e-12)


def test_a_constant_channel_is_not_scaled():
    """The computed standard deviation of many equal numbers such as 0.1 is not zero."""
    X, labels = waves(20)
    X = np.concatenate([X, np.full_like(X, 0.1)], axis=1)
    fitted = classifier(epochs=1, random_state=0).fit(X, labels)
    assert fitted.standardization_.scale[1] == 1


def test_padding_changes_no_prediction():
    X, labels = waves(30)
    lengths = 20 + np.arange(30) % 11
    fitted = classifier(epochs=2).fit(frames(X, lengths), labels)
    together = fitted.predict_proba(frames(X, lengths))
    alone = np.concatenate([fitted.predict_proba(frames(X[i : i + 1], lengths[i : i + 1])) for i in range(30)])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-6)


def test_times_reach_the_model():
    """The index in other units of time changes what a model that reads times as a channel receives."""
    X, labels = waves(20, 12)
    panel = [pd.DataFrame(one.T, index=np.arange(12)) for one in X]
    slower = [frame.set_index(frame.index * 3) for frame in panel]
    fitted = classifier(epochs=2, timestamps="index").fit(panel, labels)
    assert fitted.network().timestamps and fitted.network().input_size == 1
    assert not np.allclose(fitted.predict_proba(panel), fitted.predict_proba(slower))
    channel = np.concatenate([X, np.broadcast_to(np.arange(12.0), X.shape)], axis=1)
    same = classifier(epochs=2, timestamps="channel").fit(channel, labels)
    assert np.array_equal(same.predict_proba(channel), fitted.predict_proba(panel))


def test_saved_and_loaded(tmp_path):
    X, labels = waves(20)
    fitted = classifier(epochs=2).fit(X, labels)
    expected = fitted.predict_proba(X)
    fitted.save(tmp_path / "waves")
    assert np.array_equal(load(tmp_path / "waves.zip").predict_proba(X), expected)
    assert np.array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), expected)


def test_the_network_gives_the_logits():
    X, labels = waves(20)
    fitted = classifier(epochs=2).fit(X, labels)
    known = fitted.standardization_
    inputs = torch.from_numpy((X.swapaxes(1, 2) - known.mean) / known.scale).float()
    with torch.no_grad():
        logits = fitted.network()(inputs).double().numpy()
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.predict_proba(X), proba, rtol=0, atol=1e-6)


def test_channels_are_standardized_unless_asked_otherwise():
    X, labels = waves(20)
    scaled = classifier(epochs=2).fit(X * [[[1000.0]]], labels).predict_proba(X * 1000.0)
    np.testing.assert_allclose(scaled, classifier(epochs=2).fit(X, labels).predict_proba(X), rtol=0, atol=1e-5)
    raw = classifier(epochs=1, standardize=False).fit(X, labels)
    assert raw.standardization_.mean.tolist() == [0] and raw.standardization_.scale.tolist() == [1]


def test_training_options_reach_the_trainer(capfd):
    options = {"optimizer": "adamw", "weight_decay": 0.1, "schedule": "cosine", "gradient_clip": 1.0}
    estimator = classifier(epochs=2, training_options=options, verbose=1)
    found = training.training_options(estimator)
    assert {key: getattr(found, key) for key in options} == options and found.epochs == 2
    estimator.fit(*waves(20))
    assert "SequenceClassifier" in capfd.readouterr().err  # the progress bar
    classifier(epochs=1).fit(*waves(20))
    assert not capfd.readouterr().err


def test_the_validation_part_has_every_class():
    targets = np.repeat([0, 1, 2], [50, 30, 20])
    parts = training.split(targets, 0.2, classes=3, seed=0)
    assert sorted(np.concatenate(list(parts.values()))) == list(range(100))
    assert np.bincount(targets[parts["validation"]]).tolist() == [10, 6, 4]
    rare = np.array([0, 0, 0, 1])  # one sample of class 1 cannot be in both parts
    assert len(training.split(rare, 0.2, classes=2, seed=0)["validation"]) == 1


def test_divergence_is_reported():
    X, labels = waves(20)
    y = np.linspace(0, 1, 20)
    steep = {"optimizer": "adam", "gradient_clip": None}
    regressor = SequenceRegressor("rnn", **SMALL, epochs=30, learning_rate=1e30, training_options=steep)
    with pytest.raises(ValueError, match="training diverged in epoch 1: .*lower learning_rate = 1e\\+30"):
        regressor.fit(X, y)


def test_divergence_after_the_best_epoch_leaves_its_weights(monkeypatch):
    X, labels = waves(20)
    expected, run_epoch = classifier(epochs=1).fit(X, labels), training.Trainer._run_epoch

    def diverge_in_epoch_2(trainer, recorder):
        return {**run_epoch(trainer, recorder), **({"train_loss": np.nan} if trainer.epoch == 2 else {})}

    monkeypatch.setattr(training.Trainer, "_run_epoch", diverge_in_epoch_2)
    with pytest.warns(ConvergenceWarning, match="diverged in epoch 2: .*; the weights are those of epoch 1"):
        found = classifier(epochs=3).fit(X, labels)
    assert found.best_epoch_ == 1 and len(found.history_) == 2 and found.weights_.keys() == expected.weights_.keys()
    assert all(np.array_equal(found.weights_[key], expected.weights_[key]) for key in expected.weights_)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"model": "legz"}, "SequenceClassifier: model: unknown model 'legz'"),
        ({"hyperparameters": {"hidden_sizes": 3}}, "unknown key 'hidden_sizes'; did you mean 'hidden_size'"),
        ({"epochs": 0}, "SequenceClassifier: training_options: epochs = 0"),
        ({"training_options": {"lr": 1}}, "training_options: unknown key 'lr'"),
        ({"training_options": {"epochs": 3}}, "training_options: epochs: expected as a parameter of the estimator"),
        ({"training_options": 3}, "training_options is 3; expected a dict"),
        ({"validation_fraction": "a"}, "validation_fraction must be between 0 and 1, got 'a'"),
        ({"device": "gpu7"}, "device 'gpu7'"),
        ({"validation_fraction": 1.0}, "validation_fraction must be between 0 and 1"),
        ({"timestamps": "channel"}, "the series hold times only"),
    ],
)
def test_refused_arguments(options, message):
    with pytest.raises((ConfigError, ValueError), match=message):
        SequenceClassifier(**{**SMALL, "epochs": 1, **options}).fit(*waves(10))


def test_refused_data():
    X, labels = waves(20)
    fitted = classifier(epochs=1).fit(X, labels)
    with pytest.raises(ValueError, match=r"sequences have \[2\] channels; fitted on 1"):
        fitted.predict(np.concatenate([X, X], axis=1))
    with pytest.raises(ValueError, match="y contains missing values"):
        classifier(epochs=1).fit(X, np.where(np.arange(20) == 3, np.nan, 1.0))
    regressor = SequenceRegressor(**SMALL, epochs=1)
    for wrong, message in ((np.nan, "y contains NaN"), (1e300, "targets is too large for float64; scale them")):
        with pytest.raises(ValueError, match=message):
            regressor.fit(X, np.where(np.arange(20) == 3, wrong, -wrong / 2))
    with pytest.raises(ValueError, match="targets of the train part are equal"):
        SequenceRegressor("gru", **SMALL, epochs=1).fit(X, np.ones(20))


@pytest.mark.parametrize("module", ["sequence_classifier", "sequence_regressor"])
def test_examples(module):
    result = doctest.testmod(importlib.import_module(f"hippo.estimators.{module}"))
    assert result.attempted > 0 and result.failed == 0
