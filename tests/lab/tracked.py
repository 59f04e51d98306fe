"""Trials that never ran, for tests of what is tracked: their folders, their rows, their place in a store."""

import json
import os
import platform
from pathlib import Path

import pandas as pd

from baselines.options import GRU
from hippo.data.mnist import SequentialMNIST
from hippo.lab.plan.training_options import TrainingOptions
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.tracking.run import TrackedRun

HERE = platform.node()
LIVING = os.getppid()
DATA = {"digest": "d" * 64, "source": "made up", "stand_in": False}


def made_up(experiment: str, epochs: int = 3, seed: int = 0, **training) -> TrialSpec:
    return TrialSpec(
        experiment=experiment,
        scale="smoke",
        variant="v",
        model="gru",
        seed=seed,
        task="classification",
        dataset_name="mnist",
        dataset=SequentialMNIST(),
        model_name="gru",
        model_options=GRU(),
        training=TrainingOptions(epochs=epochs, **training),
        threads=1,
    )


def rows(epochs: int) -> list[dict]:
    return [{"epoch": epoch, "train_loss": 1 / epoch, "seconds": 0.5} for epoch in range(1, epochs + 1)]


def tracked(trial: TrialSpec, folder: Path) -> TrackedRun:
    folder.mkdir(parents=True, exist_ok=True)
    return TrackedRun(trial, DATA, identity(trial), folder)


def identity(trial: TrialSpec) -> str:
    return f"{trial.digest}-{DATA['digest'][:16]}"


def left_behind(
    folder: Path, trial: TrialSpec, run_id: str, process: dict | None = None, finished: bool = True
) -> Path:
    """The folder of a trial that ended, or was killed; with run.json where a `process` is told."""
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
    """A tracking store, asked for what it has of one experiment."""

    def __init__(self, client, experiment: str):
        self.client, self.experiment = client, experiment

    def runs(self) -> dict:
        """Every run of the experiment by its id."""
        found = self.client.get_experiment_by_name(self.experiment)
        runs = self.client.search_runs([found.experiment_id]) if found else []
        return {run.info.run_id: run for run in runs}

    def steps(self, run: str) -> list[int]:
        return [metric.step for metric in self.client.get_metric_history(run, "train_loss")]

    def belongs_to(self, run: str, host: str, pid: int) -> None:
        """Let another process have made the run."""
        self.client.set_tag(run, "host", host)
        self.client.set_tag(run, "pid", pid)
