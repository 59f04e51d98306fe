"""Fitting of a classifier without gradients, and its accuracies."""

import time

import numpy as np

from hippo.config import ConfigError
from hippo.data.dataset import Dataset, Part
from hippo.lab.analysis.only_epoch import finish_in_one_epoch
from hippo.lab.plan.trial_spec import TrialSpec


def run(trial: TrialSpec, dataset: Dataset, recorder) -> dict:
    """Fit the classifier of a trial on the train part.

    Parameters
    ----------
    trial : TrialSpec
        A trial whose model is a registered classifier.
    dataset : Dataset
        Its prepared dataset: real-valued sequences with one class each.
    recorder : Recorder
        Takes the numbers of the only epoch.

    Returns
    -------
    dict
        The outcome: status, epochs, best_epoch, and the accuracy of each part in [0, 1].

    Raises
    ------
    ConfigError
        If the dataset has token ids.
    """
    if dataset.vocabulary is not None:
        raise ConfigError(f"{trial.name}: {trial.model_name} cannot read token ids; choose a trained model")
    started = time.perf_counter()
    has_times = dataset.parts["train"].times is not None
    classifier = trial.model_options.classifier(trial.entropy % 2**32, timestamps=has_times)
    inputs = {name: _read_inputs(part, dataset.scale) for name, part in dataset.parts.items()}
    classifier.fit(inputs["train"], dataset.parts["train"].targets)
    accuracy = {
        f"{name}_accuracy": float(np.mean(classifier.predict(inputs[name]) == part.targets))
        for name, part in dataset.parts.items()
    }
    last = {f"last_{name}_accuracy": accuracy[f"{name}_accuracy"] for name in ("validation", "test")}
    return {**finish_in_one_epoch(recorder, accuracy, started), "best_epoch": 1, **last}


def _read_inputs(part: Part, scale: float) -> np.ndarray | list[np.ndarray]:
    """Sequences (samples, length, channels) float32, or a list of them without their padding.

    Timestamps, if any, are the last channel.
    """
    inputs = part.inputs.astype(np.float32) * np.float32(scale)
    if part.times is not None:
        inputs = np.concatenate([inputs, part.times[:, :, None]], axis=2)
    if part.lengths is None:
        return inputs
    return [sequence[:length] for sequence, length in zip(inputs, part.lengths, strict=True)]
