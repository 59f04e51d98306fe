"""MLflow: one experiment per table, one run per trial."""

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is imported

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Dataset as TrackedDataset
from mlflow.entities import DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from hippo.config import ConfigError
from hippo.data.dataset import Dataset
from hippo.lab.experiment import Trial
from hippo.lab.provenance import git_commit

EMBEDDED = "sqlite:///mlruns/mlflow.db"
DATABASE = Path("mlruns/mlflow.db")
ARTIFACTS = Path("mlruns/artifacts")


def tracking_uri() -> str:
    """MLFLOW_TRACKING_URI, or the embedded database in mlruns/."""
    return os.environ.get("MLFLOW_TRACKING_URI") or EMBEDDED


def create_store(experiments: list[str]) -> dict[str, str]:
    """Make the tracking store and one MLflow experiment per table; returns their ids.

    Done once and before the first trial, so that parallel trials find a finished database.
    """
    client = connect()
    return {name: _experiment_id(client, name) for name in experiments}


def connect() -> MlflowClient:
    """A client of the tracking store, which is made where it is absent; ConfigError if it cannot be used."""
    uri = tracking_uri()
    try:
        if uri != EMBEDDED:
            client = MlflowClient(uri)
            client.search_experiments(max_results=1)  # a server answers, or the message says why not
            return client
        DATABASE.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(DATABASE.with_suffix(".lock")):  # two that make the same database would spoil it
            with closing(sqlite3.connect(DATABASE)) as database:
                database.execute("PRAGMA journal_mode=WAL")  # readers and a writer do not block each other
            return MlflowClient(uri)
    except (MlflowException, SQLAlchemyError, sqlite3.Error, ImportError, OSError) as error:
        message = " ".join(str(error).split())
        raise ConfigError(f"tracking store {uri}: {message}; check MLFLOW_TRACKING_URI, or move it away") from error


def _experiment_id(client: MlflowClient, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found:
        return found.experiment_id
    location = (ARTIFACTS / name).absolute().as_uri() if tracking_uri() == EMBEDDED else None
    try:
        return client.create_experiment(name, artifact_location=location)
    except MlflowException:  # another process made it between the two calls
        found = client.get_experiment_by_name(name)
        if not found:
            raise
        return found.experiment_id


class TrackedRun:
    """The MLflow run of one trial; a context that marks it FAILED when an exception leaves the block."""

    def __init__(self, trial: Trial, dataset: Dataset, folder: Path):
        """Start the run, log the trial's parameters and dataset, and mark older runs of the same trial superseded."""
        self.client, self.folder = connect(), folder
        experiment = _experiment_id(self.client, trial.experiment)
        path = f"{trial.scale}/{trial.name}"
        for older in self.client.search_runs([experiment], f"tags.trial = '{path}'"):
            self.client.set_tag(older.info.run_id, "superseded", "true")
            if older.info.status == "RUNNING":  # its process was killed without a word
                self.client.set_terminated(older.info.run_id, "KILLED")
        name = f"{trial.row} · {trial.variant} · seed {trial.seed} · {trial.scale}"
        tags = {
            "trial": path,
            "scale": trial.scale,
            "variant": trial.variant,
            "model": trial.row,
            "seed": str(trial.seed),
            "data": "stand-in" if dataset.stand_in else "real",
            "commit": git_commit() or "unknown",
        }
        self.id = self.client.create_run(experiment, run_name=name, tags=tags).info.run_id
        options = {
            f"{block}.{key}": value
            for block in ("dataset", "model", "training")
            for key, value in getattr(trial, block).items()
        }
        params = [Param(key, str(value)) for key, value in options.items()]
        self.client.log_batch(self.id, params=[*params, Param("threads", str(trial.threads))])
        data = TrackedDataset(
            name=f"{trial.dataset['name']}/{trial.variant}",
            digest=dataset.digest[:36],  # MLflow's limit
            source_type="local",
            source=dataset.source,
        )
        self.client.log_inputs(self.id, [DatasetInput(data, [InputTag("mlflow.data.context", trial.task)])])

    def log_metrics(self, values: dict[str, float], step: int) -> None:
        """Log `values` at `step` in one write."""
        now = int(time.time() * 1000)
        metrics = [Metric(key, float(value), now, step) for key, value in values.items()]
        self.client.log_batch(self.id, metrics=metrics)

    def finish(self, outcome: dict[str, float], status: str) -> None:
        """Log the outcome, attach the trial folder's small files, and end the run as FINISHED."""
        now = int(time.time() * 1000)
        metrics = [Metric(f"final/{key}", float(value), now, 0) for key, value in outcome.items()]
        self.client.log_batch(self.id, metrics=metrics, tags=[RunTag("outcome", status)])
        for name in ("trial.yaml", "history.csv"):
            if (self.folder / name).exists():
                self.client.log_artifact(self.id, str(self.folder / name))
        self.client.set_terminated(self.id, "FINISHED")

    def __enter__(self) -> "TrackedRun":
        return self

    def __exit__(self, kind, error, traceback) -> None:
        if error is None:
            return
        killed = isinstance(error, KeyboardInterrupt | SystemExit)
        self.client.set_tag(self.id, "error", f"{kind.__name__}: {error}"[:5000])
        self.client.set_terminated(self.id, "KILLED" if killed else "FAILED")
