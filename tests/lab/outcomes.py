"""Experiment files and folders of finished trials, written without any training."""

import json
from pathlib import Path

import yaml

from hippo.lab.plan.experiment import Experiment, load_experiment

CONTENT = {
    "title": "A table",
    "dataset": {"name": "mnist"},
    "variants": {"a": {"label": "variant A"}},
    "models": {"legs": {"label": "LegS"}, "gru": {"label": "GRU θ=1_000 & more"}, "lstm": {"label": "LSTM"}},
    "training": {"epochs": 3},
    "seeds": 3,
    # A scale without overrides is refused.
    "scales": {"smoke": {"training": {"epochs": 3}}, "quick": {"training": {"epochs": 3}}},
    "paper": {
        "source": "Someone 2020",
        "tolerance": {"test_accuracy": 1.5},
        "values": {"a": {"legs": {"test_accuracy": 90.0}, "gru": {"test_accuracy": 50.0}}},
    },
}


def write_experiment(folder: Path, scale: str = "quick", name: str = "demo", **changes) -> Experiment:
    """The experiment of a file with `changes` at its top level."""
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**CONTENT, **changes}, sort_keys=False))
    return load_experiment(path, scale)


def finish(experiment: Experiment, trials: Path, model: str, seed: int, variant: str = "a", **changes) -> Path:
    """The folder of a finished trial; `changes` replace keys of its metrics.json."""
    trial = experiment.trial(variant, model, seed)
    metrics = {
        "status": "finished",
        "validation_accuracy": 0.5,
        "test_accuracy": 0.9,
        "trial": trial.digest,
        "run_id": f"run-{model}-{seed}",
        "commit": 40 * "c" + "-dirty",
        "versions": {"hippo-lab": "0.1.0"},
        "dataset": {"source": "MNIST (real)", "substitute": False, "digest": "0"},
        **changes,
    }
    folder = trials / trial.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "trial.yaml").write_text(trial.to_yaml())
    rows = [f"{epoch},{0.3 + 0.05 * epoch + 0.02 * seed},2.0" for epoch in (1, 2, 3)]
    (folder / "history.csv").write_text("\n".join(["epoch,validation_accuracy,seconds", *rows, ""]))
    return folder


def finish_all(experiment: Experiment, trials: Path, **scores: float) -> None:
    """Every trial finished, with the test accuracy of its model; seeds differ by a thousandth."""
    for trial in experiment.trials():
        accuracy = scores.get(trial.model, 0.9) + 0.001 * trial.seed
        finish(experiment, trials, trial.model, trial.seed, trial.variant, test_accuracy=accuracy)
