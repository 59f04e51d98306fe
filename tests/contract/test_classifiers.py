"""Contract of every registered classifier, of this project or of another installed package."""

import subprocess
import sys

import numpy as np
import pytest

from hippo import registry


@pytest.fixture(params=registry.names("classifiers"))
def options(request):
    options_type = registry.find("classifiers", request.param, where="test")
    return options_type(**options_type.test_options)


def sequences(samples=40):
    """Two classes of noisy sines that differ in frequency, and timestamps as the last channel."""
    rng = np.random.default_rng(0)
    targets = np.arange(samples) % 2
    times = np.linspace(0, 1, 30)
    phase = rng.uniform(0, 2 * np.pi, (samples, 1))
    waves = np.sin(2 * np.pi * np.array([2.0, 5.0])[targets][:, None] * times + phase)
    waves = waves + 0.1 * rng.normal(size=waves.shape)
    return np.stack([waves, np.broadcast_to(times, waves.shape)], axis=2).astype(np.float32), targets


@pytest.mark.parametrize("timestamps", [False, True])
def test_predicts_the_class_of_sequences(options, timestamps):
    inputs, targets = sequences()
    inputs = inputs if timestamps else inputs[:, :, :1]
    classifier = options.classifier(seed=0, timestamps=timestamps).fit(inputs[:30], targets[:30])
    predicted = classifier.predict(inputs[30:])
    assert predicted.shape == (10,) and set(predicted) <= {0, 1}
    assert (classifier.predict(inputs[:30]) == targets[:30]).mean() > 0.7  # far above the 0.5 of chance


def test_sequences_of_unequal_lengths(options):
    """A list of sequences, and the same one by one: predictions do not depend on the other sequences."""
    inputs, targets = sequences()
    cut = [sequence[: 30 - index % 5] for index, sequence in enumerate(inputs)]
    classifier = options.classifier(seed=0, timestamps=True).fit(cut[:30], targets[:30])
    together = classifier.predict(cut)
    assert (together[:30] == targets[:30]).mean() > 0.7
    assert np.array_equal(together, np.concatenate([classifier.predict(one[None]) for one in cut]))


def test_same_seed_same_predictions(options):
    inputs, targets = sequences()
    scores = [
        options.classifier(seed=3, timestamps=True).fit(inputs, targets).decision_function(inputs) for _ in range(2)
    ]
    assert np.array_equal(*scores)


def test_every_option_is_described(options):
    for key, field in type(options).model_fields.items():
        assert field.description, f"{key} has no description"


def test_options_import_no_numerical_library(options):
    """The workflow imports them while it plans its jobs."""
    code = (
        f"import sys, {type(options).__module__}; print({{'torch', 'sklearn', 'scipy', 'sktime'}} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
