"""Trials that never ran, for tests of tracking: their folders, their histories, and a store to look into."""

import json
import os
import platform
from dataclasses import replace
from pathlib import Path

import pandas as pd

from hippo import registry
from hippo.lab.plan.sweep_points import SweepPoint
from hippo.lab.plan.training_options import TrainingOptions
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.tracking.run import TrackedRun

HERE = platform.node()
LIVING = os.getppid()
DATA = {"digest": "d" * 64, "source": "invented", "substitute": False}


def make_trial(experiment: str, epochs: int = 3, seed: int = 0, **training) -> TrialSpec:
    return TrialSpec(
        experiment=experiment,
        scale="smoke",
        variant="v",
        model="gru",
        seed=seed,
        task="classification",
        dataset_name="mnist",
        dataset=registry.find("datasets", "mnist", "test")(),
        model_name="gru",
        model_options=registry.find("models", "gru", "test")(),
        training=TrainingOptions(epochs=epochs, **training),
        threads=1,
    )


def make_sweep_trial(experiment: str) -> TrialSpec:
    return replace(make_trial(experiment), sweep=SweepPoint("gru", "learning_rate", 0.5))


def rows(epochs: int) -> list[dict]:
    return [{"epoch": epoch, "train_loss": 1 / epoch, "seconds": 0.5} for epoch in range(1, epochs + 1)]


def make_run(trial: TrialSpec, folder: Path) -> TrackedRun:
    folder.mkdir(parents=True, exist_ok=True)
    return TrackedRun(trial, DATA, identity(trial), folder)


def identity(trial: TrialSpec) -> str:
    return f"{trial.digest}-{DATA['digest'][:16]}"


def write_folder(
    folder: Path, trial: TrialSpec, run_id: str, process: dict | None = None, finished: bool = True
) -> Path:
    """Write the folder of a trial that finished, or was killed; with run.json if a `process` is given."""
    folder.mkdir(parents=True)
    (folder / "trial.yaml").write_text(trial.to_yaml())
    pd.DataFrame(rows(trial.epochs)).to_csv(folder / "history.csv", index=False)
    if process:
        run = {"run_id": run_id, "identity": identity(trial), "dataset": DATA, "commit": "c0ffee", **process}
        (folder / "run.json").write_text(json.dumps(run))
    if finished:
        metrics = {"status": "finished", "test_accuracy": 0.5, "seconds": 1.5, "trial": trial.digest}
        metrics |= {"run_id": run_id, "dataset": DATA, "commit": "c0ffee"}
        (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


class Store:
    """The runs of one experiment in a tracking store."""

    def __init__(self, client, experiment: str):
        self.client, self.experiment = client, experiment

    def runs(self) -> dict:
        """Every run of the experiment by its id."""
        found = self.client.get_experiment_by_name(self.experiment)
        runs = self.client.search_runs([found.experiment_id]) if found else []
        return {run.info.run_id: run for run in runs}

    def steps(self, run: str) -> list[int]:
        return [metric.step for metric in self.client.get_metric_history(run, "train_loss")]

    def set_process(self, run: str, host: str, pid: int, started: float | None = None) -> None:
        """Make another process the writer of the run; without `started` as in the first release."""
        self.client.set_tag(run, "host", host)
        self.client.set_tag(run, "pid", pid)
        self.client.set_tag(run, "process_started", started or "")
