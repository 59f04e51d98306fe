"""One trial from its resolved options to its folder: trial.yaml, history.csv and, last of all, metrics.json."""

import math
import time
from pathlib import Path

import pandas as pd
import torch
import yaml

from hippo import kernels
from hippo.data.dataset import Dataset
from hippo.data.sources import DataError
from hippo.files import write_json, write_text
from hippo.lab.experiment import Trial
from hippo.lab.provenance import git_commit, versions
from hippo.lab.tasks import TASKS
from hippo.lab.tracking import TrackedRun


class Recorder:
    """Takes one row of numbers per epoch, to history.csv and to the tracked run."""

    def __init__(self, folder: Path, run: TrackedRun):
        """Rows go to `folder`/history.csv and to `run`."""
        self.folder, self.run, self.rows = folder, run, []

    def epoch(self, row: dict[str, float]) -> None:
        """Record the finite numbers of one epoch; row["epoch"] is the step, counted from 1."""
        self.rows.append(row)
        write_text(self.folder / "history.csv", pd.DataFrame(self.rows).to_csv(index=False))
        finite = {key: value for key, value in row.items() if key != "epoch" and math.isfinite(value)}
        self.run.log_metrics(finite, step=int(row["epoch"]))


def run_trial(trial: Trial, dataset_path: Path, folder: Path) -> dict:
    """Run `trial` on the prepared dataset, track it, and write its folder; returns what metrics.json holds."""
    # Gradients that fade through hundreds of steps end as subnormal numbers, on which processors are up to a
    # hundred times slower; threads inherit the setting, so it comes before the first parallel operation.
    torch.set_flush_denormal(True)
    torch.set_num_threads(trial.threads)
    dataset = Dataset.load(dataset_path)
    if dataset.options != trial.dataset:
        raise DataError(f"{dataset_path}: prepared with {dataset.options}, but {trial.name} needs {trial.dataset}")
    folder.mkdir(parents=True, exist_ok=True)
    for stale in ("metrics.json", "history.csv"):
        (folder / stale).unlink(missing_ok=True)
    write_text(folder / "trial.yaml", yaml.safe_dump(trial.model_dump(), sort_keys=False))
    started = time.perf_counter()
    with TrackedRun(trial, dataset, folder) as run:
        outcome = TASKS[trial.task].run(trial, dataset, Recorder(folder, run))
        metrics = {
            **outcome,
            "seconds": round(time.perf_counter() - started, 3),
            "trial": trial.digest,
            "threads": trial.threads,
            "run_id": run.id,
            "dataset": {"digest": dataset.digest, "source": dataset.source, "stand_in": dataset.stand_in},
            "kernels": kernels.backend().name,
            "commit": git_commit(),
            "versions": versions(),
        }
        numbers = {key: value for key, value in outcome.items() if isinstance(value, int | float)}
        run.finish({**numbers, "seconds": metrics["seconds"]}, metrics["status"])
    write_json(folder / "metrics.json", metrics)
    return metrics
