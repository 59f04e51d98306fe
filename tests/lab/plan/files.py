"""Experiment files for tests."""

from pathlib import Path

import yaml

from hippo.lab.plan.experiment import Experiment, load_experiment

EXPERIMENTS = sorted((Path(__file__).parents[3] / "config/experiments").glob("*.yaml"))

CONTENT = {
    "title": "t",
    "dataset": {"name": "mnist", "train_samples": 900},
    "variants": {"a": {"label": "A"}, "b": {"label": "B", "dataset": {"permutation": "none"}}},
    "models": {"legs": {"label": "LegS"}, "wide": {"label": "GRU", "model": "gru", "training": {"epochs": 7}}},
    "hyperparameters": {"hidden_size": 8},
    "training": {"epochs": 3},
    "seeds": 2,
    "scales": {
        "smoke": {"dataset": {"train_samples": 20}},
        "quick": {"training": {"epochs": 2}, "models": {"wide": {"hyperparameters": {"hidden_size": 4}}}},
    },
}


def load(folder: Path, scale: str = "paper", name: str = "demo", **changes) -> Experiment:
    """The experiment of a file with `changes` at its top level; None removes a key."""
    content = {key: value for key, value in {**CONTENT, **changes}.items() if value is not None}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return load_experiment(path, scale)
