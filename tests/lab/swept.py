"""A sweep over theta, and trial folders of it made by hand."""

import json
from pathlib import Path

import yaml

from hippo.lab.plan.experiment import Experiment

SWEEP = {
    "title": "Window",
    "dataset": {"name": "mnist"},
    "variants": {"a": {"label": "variant A"}},
    "models": {"legt": {"label": "LegT"}, "narrow": {"label": "LMU", "model": "lmu"}},
    "sweep": {"block": "hyperparameters", "key": "theta", "label": "θ", "values": [20, 200, 784]},
    "scales": {"smoke": {"training": {"epochs": 1}}, "quick": {"training": {"epochs": 2}}},
    "seeds": 2,
}
# Validation and test accuracy at each value. The test accuracy would choose another value.
SCORES = {20: (0.5, 0.99), 200: (0.8, 0.6), 784: (0.7, 0.7)}


def write(folder: Path, name: str, content: dict) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def finish(experiment: Experiment, trials: Path, entry: str, seed: int, status="finished", **data) -> None:
    """The outcome of one trial with the scores of its value."""
    trial = experiment.trial("a", entry, seed)
    validation, test = SCORES[trial.sweep.value]
    scores = {"validation_accuracy": validation, "test_accuracy": test} if status == "finished" else {}
    dataset = {"source": "MNIST", "substitute": False, **data}
    folder = trials / trial.name
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(
        json.dumps({"status": status, "trial": trial.digest, "dataset": dataset, **scores})
    )


def finish_all(experiment: Experiment, trials: Path, **data) -> None:
    """The outcome of every trial."""
    for entry in experiment.points:
        for seed in (0, 1):
            finish(experiment, trials, entry, seed, **data)
