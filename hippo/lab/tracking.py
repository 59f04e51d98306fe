"""One trial, one MLflow run, for ever: killed and resumed, it goes on with the same run, and logs no step twice.

The trial's folder is the truth, the store a copy of it: what a store that is away for a while did not get is delivered
at the next epoch, at the end, or by `hippo runs import`.
"""

import logging
import math
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock
from mlflow.entities import Dataset as TrackedDataset
from mlflow.entities import DatasetInput, InputTag, Metric, Param, Run, RunTag

from hippo.files import write_json
from hippo.lab import store
from hippo.lab.experiment import Trial
from hippo.lab.provenance import git_commit

log = logging.getLogger(__name__)

PATIENCE = 30  # seconds before a store that was away is tried again
SHARE = 0.015  # of a trial's time that may go into logging
ROWS = 20  # epochs in one batch, which may hold 1000 numbers
SMALL = 10_000_000  # bytes: larger files of a trial's folder are no artifacts


class TrackedRun:
    """The MLflow run of one trial; `data` tells digest, source and stand_in of the dataset, `identity` all settings.

    `commit` is that of the source tree, unless another is stated.
    """

    def __init__(self, trial: Trial, data: dict, identity: str, folder: Path, commit: str | None = None):
        self.trial, self.data, self.identity, self.folder = trial, data, identity, folder
        self.commit = commit or git_commit() or "unknown"
        self._process = {"host": platform.node(), "pid": os.getpid()}
        self.path = f"{trial.scale}/{trial.name}"
        self.client = store.connect()
        self.id: str | None = None
        self._delivered: int | None = None  # last step in the store; None where it must be asked
        self._not_before = 0.0

    def start(self, resumed: bool) -> None:
        """Take over the trial's unfinished run (any, if `resumed`), or make a new one; older ones are superseded.

        ConfigError where the store cannot be used.
        """
        with store.required():
            self._take(resumed)
        about = {"run_id": self.id, "uri": store.tracking_uri(), "identity": self.identity, "commit": self.commit}
        write_json(self.folder / "run.json", {**about, **self._process, "dataset": self.data})

    def _take(self, resumed: bool) -> None:
        experiment, runs = self._runs()
        own = next((run for run in runs if self._goes_on(run, resumed)), None)
        if own:
            self.id = own.info.run_id
            self.client.update_run(self.id, status="RUNNING")
            if "error" in own.data.tags:
                self.client.delete_tag(self.id, "error")
        else:
            self.id, self._delivered = self._create(experiment), 0
        for run in runs:
            if run.info.run_id != self.id and "superseded" not in run.data.tags:
                self.client.set_tag(run.info.run_id, "superseded", "true")
                if run.info.status == "RUNNING":  # its process was killed without a word
                    self.client.set_terminated(run.info.run_id, "KILLED")
        process = [RunTag(key, str(value)) for key, value in self._process.items()]
        self.client.log_batch(self.id, tags=process)  # `hippo runs reconcile` looks for its end

    def ended(self) -> bool:
        """Whether the store has this trial's run from its beginning to its end; ConfigError where it is away."""
        with store.required():
            _, runs = self._runs()
        return any(run.info.status == "FINISHED" and self._goes_on(run, resumed=True) for run in runs)

    def _runs(self) -> tuple[str, list[Run]]:
        experiment = store.experiment_id(self.client, self.trial.experiment)
        newest = ["start_time DESC"]
        return experiment, self.client.search_runs([experiment], f"tags.trial = '{self.path}'", order_by=newest)

    def _goes_on(self, run: Run, resumed: bool) -> bool:
        tags = run.data.tags
        return tags.get("identity") == self.identity and "superseded" not in tags and (resumed or "outcome" not in tags)

    def _create(self, experiment: str) -> str:
        trial = self.trial
        tags = {
            "trial": self.path,
            "identity": self.identity,
            "scale": trial.scale,
            "variant": trial.variant,
            "model": trial.row,
            "seed": str(trial.seed),
            "data": "stand-in" if self.data["stand_in"] else "real",
            "commit": self.commit,
        }
        if trial.sweep:
            tags |= {"mlflow.parentRunId": self._parent(experiment), "sweep": trial.sweep["key"]}
        name = f"{trial.row} · seed {trial.seed} · {trial.variant} · {trial.scale}"
        run = self.client.create_run(experiment, run_name=name, tags=tags).info.run_id
        options = {
            f"{block}.{key}": value
            for block in ("dataset", "model", "training")
            for key, value in getattr(trial, block).items()
        }
        params = [Param(key, str(value)) for key, value in options.items()]
        self.client.log_batch(run, params=[*params, Param("threads", str(trial.threads))])
        data = TrackedDataset(
            name=f"{trial.dataset['name']}/{trial.variant}",
            digest=self.data["digest"][:36],  # MLflow's limit
            source_type="local",
            source=self.data["source"],
        )
        inputs = [DatasetInput(data, [InputTag("mlflow.data.context", trial.task)])]
        try:
            self.client.log_inputs(run, inputs)
        except store.STORE_ERRORS:  # another trial entered the same dataset in the same instant; now it is there
            self.client.log_inputs(run, inputs)
        return run

    def _parent(self, experiment: str) -> str:
        """The run under which MLflow shows the trials of one model's sweep."""
        trial, key = self.trial, self.trial.sweep["key"]
        place = f"{trial.scale}/{trial.experiment}/{trial.variant}/{trial.sweep['of']}"
        with FileLock(store.DATABASE.with_name("sweeps.lock")):  # one parent, however many trials start at once
            if found := self.client.search_runs([experiment], f"tags.sweep_of = '{place}'"):
                return found[0].info.run_id
            name = f"{trial.sweep['of']} · {trial.variant} · sweep over {key} · {trial.scale}"
            tags = {"sweep_of": place, "sweep": key, "scale": trial.scale, "model": trial.sweep["of"]}
            made = self.client.create_run(experiment, run_name=name, tags=tags).info.run_id
            self.client.set_terminated(made, "FINISHED")
            return made

    def deliver(self, rows: list[dict]) -> None:
        """Log the epochs of `rows` that the store has not yet, in order, with at most `SHARE` of the trial's time.

        Short epochs wait for each other, and all for a store that is away.
        """
        if (started := time.monotonic()) >= self._not_before:
            self._reach(lambda: self._deliver(rows))
            ended = time.monotonic()
            self._not_before = max(self._not_before, ended + (ended - started) / SHARE)

    def _deliver(self, rows: list[dict]) -> None:
        if self._delivered is None:
            logged = self.client.get_metric_history(self.id, "seconds")
            self._delivered = max((metric.step for metric in logged), default=0)
        missing = [row for row in rows if row["epoch"] > self._delivered]
        for batch in (missing[first : first + ROWS] for first in range(0, len(missing), ROWS)):
            metrics = [metric for row in batch for metric in _metrics(row, int(row["epoch"]))]
            self.client.log_batch(self.id, metrics=metrics)
            self._delivered = int(batch[-1]["epoch"])

    def finish(self, rows: list[dict], metrics: dict) -> bool:
        """Log all that is left, attach the folder's small files, and end the run; False where the store is away."""

        def deed():
            self._deliver(rows)
            if "outcome" not in self.client.get_run(self.id).data.tags:
                numbers = {key: value for key, value in metrics.items() if isinstance(value, int | float)}
                final = [Metric(f"final/{m.key}", m.value, m.timestamp, 0) for m in _metrics(numbers, 0)]
                self.client.log_batch(self.id, metrics=final, tags=[RunTag("outcome", metrics["status"])])
            for path in sorted(self.folder.iterdir()):
                if path.is_file() and not path.name.startswith(".") and path.stat().st_size < SMALL:
                    self.client.log_artifact(self.id, str(path))
            self.client.set_terminated(self.id, "FINISHED")

        return self._reach(deed)

    def stop(self, rows: list[dict], status: str, message: str) -> bool:
        """End the run as KILLED or FAILED, for now; False where the store is away."""

        def deed():
            self._deliver(rows)
            self.client.set_tag(self.id, "error", message[:5000])
            self.client.set_terminated(self.id, status)

        return self._reach(deed)

    def _reach(self, deed: Callable[[], None]) -> bool:
        """Do `deed` with the store; False, with a warning, where the store is away."""
        try:
            deed()
            return True
        except store.STORE_ERRORS as error:
            reason = " ".join(str(error).split())[:300]
            log.warning("tracking store %s: %s; what it missed stays in %s", store.tracking_uri(), reason, self.folder)
            self._delivered, self._not_before = None, time.monotonic() + PATIENCE
            return False


def _metrics(row: dict, step: int) -> list[Metric]:
    """The finite numbers of a row, but for its epoch."""
    now = int(time.time() * 1000)
    return [
        Metric(key, float(value), now, step) for key, value in row.items() if key != "epoch" and math.isfinite(value)
    ]
