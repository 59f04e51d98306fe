"""A classifier from the kept model of a trial: the model itself, on the dataset's own arrays, is the oracle."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hippo.config import ConfigError
from hippo.estimators import SequenceClassifier
from hippo.lab.training.trainer import run
from hippo.nn import build_model, load_model, save_model
from tests.lab.recorders import Rows
from tests.lab.training.trials import make_trial, separable_dataset


@pytest.mark.parametrize("timestamps", [False, True])
def test_a_classifier_has_the_answers_of_the_trial(tmp_path, timestamps):
    dataset = replace(separable_dataset(), scale=0.5)
    if timestamps:
        for name, part in dataset.parts.items():
            times = np.cumsum(np.ones(part.inputs.shape[:2], np.float32), axis=1) / 2
            dataset.parts[name] = replace(part, times=times)
    run(replace(make_trial(), keep_model="best"), dataset, Rows(folder=tmp_path))
    model, metadata = load_model(tmp_path)
    assert metadata["timestamps"] == timestamps
    classifier = SequenceClassifier.from_trial(tmp_path, device="cpu")
    assert type(classifier) is SequenceClassifier and list(classifier.classes_) == [0, 1]
    part = dataset.parts["test"]
    with torch.no_grad():
        times = {"times": torch.from_numpy(part.times)} if metadata["timestamps"] else {}
        logits = model(torch.from_numpy(part.inputs) * 0.5, **times)
    panel = part.inputs if not metadata["timestamps"] else np.concatenate([part.inputs, part.times[..., None]], axis=2)
    found = classifier.predict_proba(panel.transpose(0, 2, 1).astype(float))
    np.testing.assert_allclose(found, logits.softmax(1).numpy(), rtol=0, atol=1e-6)
    assert classifier.predict(panel.transpose(0, 2, 1).astype(float)).tolist() == logits.argmax(1).tolist()
    again = classifier.network().state_dict()
    assert all(torch.equal(value, again[key]) for key, value in model.state_dict().items())


def test_a_model_of_no_trial_is_refused(tmp_path):
    model = build_model("gru", input_size=1, output_size=1, hidden_size=4)
    save_model(tmp_path / "model.pt", model, "gru", {"classes": None})
    with pytest.raises(ConfigError, match="not the model of a trial"):
        SequenceClassifier.from_trial(tmp_path)


def test_a_trial_without_a_model_says_how_to_keep_it(tmp_path):
    with pytest.raises(ConfigError, match="keep_model: best"):
        SequenceClassifier.from_trial(tmp_path)
