"""Fit a classifier that takes no epochs, and judge it."""

import time

import numpy as np

from hippo import registry
from hippo.data.dataset import Dataset, Part
from hippo.lab.plan.trial_spec import TrialSpec


def run(trial: TrialSpec, dataset: Dataset, recorder) -> dict:
    """Fit on the train part; returns the outcome: status and accuracies in [0, 1], as of a trained trial."""
    started = time.perf_counter()
    name, hyperparameters = trial.model["name"], {k: v for k, v in trial.model.items() if k != "name"}
    options = registry.find("classifiers", name, trial.name)(**hyperparameters)
    classifier = options.classifier(trial.entropy % 2**32, timestamps=dataset.parts["train"].times is not None)
    inputs = {name: _inputs(part, dataset.scale) for name, part in dataset.parts.items()}
    classifier.fit(inputs["train"], dataset.parts["train"].targets)
    accuracy = {
        f"{name}_accuracy": float(np.mean(classifier.predict(inputs[name]) == part.targets))
        for name, part in dataset.parts.items()
    }
    recorder.epoch({"epoch": 1, **accuracy, "seconds": time.perf_counter() - started})
    last = {f"last_{name}_accuracy": accuracy[f"{name}_accuracy"] for name in ("validation", "test")}
    return {"status": "finished", "epochs": 1, "best_epoch": 1, **accuracy, **last}


def _inputs(part: Part, scale: float) -> np.ndarray:
    """Sequences (samples, length, channels) float32, timestamps as the last channel."""
    inputs = part.inputs.astype(np.float32) * np.float32(scale)
    return inputs if part.times is None else np.concatenate([inputs, part.times[:, :, None]], axis=2)
