"""One trial, one MLflow run, for ever: killed and resumed, it goes on with the same run, and logs no step twice.

The trial's folder is the truth, the store a copy of it: what a store that is away for a while did not get is delivered
at the next epoch, at the end, or by `hippo runs import`.
"""

import logging
import math
import os
import platform
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from mlflow.entities import Dataset as TrackedDataset
from mlflow.entities import DatasetInput, InputTag, Metric, Param, Run, RunTag

from hippo.files import write_json
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.tracking import store
from hippo.lab.trials.failures import alive, read_json
from hippo.lab.trials.provenance import git_commit

log = logging.getLogger(__name__)

PATIENCE = 30  # seconds before a store that was away is tried again
AWAY = 0.1  # of a trial's time that may go into trying, where each try takes long
SHARE = 0.015  # of a trial's time that may go into logging
STEPS = 1000  # of one number in the store, at most: of longer trainings it gets every second epoch, or third, …
ROWS = 20  # epochs in one batch, which may hold 1000 numbers
SMALL = 10_000_000  # bytes: larger files of a trial's folder are no artifacts


class TrackedRun:
    """The MLflow run of one trial; `data` tells digest, source and stand_in of the dataset, `identity` all settings.

    `commit` is that of the source tree, unless another is stated.
    """

    def __init__(self, trial: TrialSpec, data: dict, identity: str, folder: Path, commit: str | None = None):
        self.trial, self.data, self.identity, self.folder = trial, data, identity, folder
        self.commit = commit or git_commit() or "unknown"
        self._process = {"host": platform.node(), "pid": str(os.getpid())}
        self._named = named_run(folder)
        self._stride = math.ceil(trial.epochs / STEPS)
        self.path = f"{trial.scale}/{trial.name}"
        self.client = store.connect()
        self.id: str | None = None
        self._began: int | None = None  # milliseconds since 1970
        self._past = False  # whether the run is told of long after
        self._delivered: int | None = None  # last step in the store; None where it must be asked
        self._not_before = 0.0

    def start(self, resumed: bool) -> None:
        """Take over the trial's unfinished run (any, if `resumed`), or make a new one; the others are superseded.

        A run that another process may be writing is left to it. ConfigError where the store cannot be used.
        """
        with store.required():
            experiment, runs = self._runs()
            fit = [run for run in self._same(runs) if resumed or "outcome" not in run.data.tags]
            free = [run for run in fit if not _superseded(run) and self._over(run)]
            self._go_on(free[0]) if free else self._create(experiment)
            self._supersede(run for run in runs if self._over(run))
        self._sign()

    def bring_in(self, gone: tuple[str, ...] = ()) -> None:
        """Take over the store's run of what is in the folder, or make one that began when the trial did.

        A run so made supersedes older ones alone. Where the store has one that is not known to be older, it is itself
        superseded. The folder of a trial that has its outcome is not written to. `gone` are hosts without processes.
        """
        with store.required():
            experiment, runs = self._runs()
            free = [run for run in self._standing(runs) if self._over(run, gone)]
            if free:
                self._go_on(free[0])
            else:
                self._bring_new(experiment, [run for run in runs if not _superseded(run)], gone)
        if not (self.folder / "metrics.json").exists():
            self._sign()

    def _bring_new(self, experiment: str, others: list[Run], gone: tuple[str, ...]) -> None:
        began = read_json(self.folder / "run.json").get("started")
        self._create(experiment, {"imported_from": self._named}, began)
        self._past = began is not None
        older = [run for run in others if run.info.start_time < (began or 0) and self._over(run, gone)]
        self._supersede(older)
        if len(older) < len(others):
            self.client.set_tag(self.id, "superseded", "true")

    def _sign(self) -> None:
        about = {"run_id": self.id, "uri": store.tracking_uri(), "identity": self.identity, "commit": self.commit}
        process = {**self._process, "pid": os.getpid(), "started": self._began}
        write_json(self.folder / "run.json", {**about, **process, "dataset": self.data})

    def ended(self) -> bool:
        """Whether the store has this trial's run from its beginning to its end; ConfigError where it is away."""
        with store.required():
            _, runs = self._runs()
        standing = self._standing(runs)
        own = [run for run in standing if self._own(run)]
        return any(run.info.status == "FINISHED" for run in own or standing)

    def _runs(self) -> tuple[str, list[Run]]:
        experiment = store.experiment_id(self.client, self.trial.experiment)
        newest = ["start_time DESC"]
        return experiment, self.client.search_runs([experiment], f"tags.trial = '{self.path}'", order_by=newest)

    def _same(self, runs: list[Run]) -> list[Run]:
        """Those of the same settings and data; the one that the folder names comes first."""
        same = [run for run in runs if run.data.tags.get("identity") == self.identity]
        return sorted(same, key=lambda run: not self._own(run))

    def _standing(self, runs: list[Run]) -> list[Run]:
        """Those that an import may find the folder's trial in: superseded ones only where the folder names them."""
        return [run for run in self._same(runs) if self._own(run) or not _superseded(run)]

    def _own(self, run: Run) -> bool:
        return self._named in (run.info.run_id, run.data.tags.get("imported_from"))

    def _over(self, run: Run, gone: tuple[str, ...] = ()) -> bool:
        """Whether no process writes `run`: it ended, its process did, or this folder names it and its host is away."""
        tags = run.data.tags
        elsewhere = tags.get("host") != self._process["host"]
        return run.info.status != "RUNNING" or not alive(tags, gone) or (elsewhere and self._own(run))

    def _go_on(self, run: Run) -> None:
        self.id, self._began = run.info.run_id, run.info.start_time
        process = [RunTag(key, value) for key, value in self._process.items()]
        self.client.log_batch(self.id, tags=process)  # `hippo runs reconcile` looks for its end
        self.client.update_run(self.id, status="RUNNING")
        if "error" in run.data.tags:
            self.client.delete_tag(self.id, "error")
        if not run.inputs.dataset_inputs:  # whoever made it did not come so far
            self._describe()

    def _supersede(self, runs: Iterable[Run]) -> None:
        for run in runs:
            if run.info.run_id == self.id or _superseded(run):
                continue
            self.client.set_tag(run.info.run_id, "superseded", "true")
            if run.info.status == "RUNNING":  # its process was killed without a word
                self.client.set_terminated(run.info.run_id, "KILLED")

    def _create(self, experiment: str, more: dict[str, str] | None = None, began: int | None = None) -> None:
        """Make a run with `more` tags, which `began` now unless stated."""
        trial = self.trial
        tags = {
            "trial": self.path,
            "identity": self.identity,
            "scale": trial.scale,
            "variant": trial.variant,
            "model": trial.model,
            "seed": str(trial.seed),
            "data": "stand-in" if self.data.get("substitute", self.data.get("stand_in")) else "real",
            "commit": self.commit,
            **self._process,
            **(more or {}),
        }
        if trial.sweep:
            tags |= {"mlflow.parentRunId": self._parent(experiment), "sweep": trial.sweep.key}
        name = f"{trial.model} · seed {trial.seed} · {trial.variant} · {trial.scale}"
        made = self.client.create_run(experiment, start_time=began, run_name=name, tags=tags).info
        self.id, self._began, self._delivered = made.run_id, made.start_time, 0
        self._describe()

    def _describe(self) -> None:
        """Log parameters and dataset; done twice, it changes nothing."""
        trial = self.trial
        options = {
            f"{block}.{key}": value
            for block, content in trial.settings().items()
            for key, value in content.items()
        }
        params = [Param(key, str(value)) for key, value in options.items()]
        self.client.log_batch(self.id, params=[*params, Param("threads", str(trial.threads))])
        data = TrackedDataset(
            name=f"{trial.dataset_name}/{trial.variant}",
            digest=self.data["digest"][:36],  # MLflow's limit
            source_type="local",
            source=self.data["source"],
        )
        inputs = [DatasetInput(data, [InputTag("mlflow.data.context", trial.task)])]
        try:
            self.client.log_inputs(self.id, inputs)
        except store.STORE_ERRORS:  # another trial entered the same dataset in the same instant; now it is there
            self.client.log_inputs(self.id, inputs)

    def _parent(self, experiment: str) -> str:
        """The run under which MLflow shows the trials of one model's sweep."""
        trial, key = self.trial, self.trial.sweep.key
        place = f"{trial.scale}/{trial.experiment}/{trial.variant}/{trial.sweep.model}"
        with store.lock(store.DATABASE.with_name("sweeps.lock")):  # one parent, however many trials start at once
            if found := self.client.search_runs([experiment], f"tags.sweep_of = '{place}'"):
                return found[0].info.run_id
            name = f"{trial.sweep.model} · {trial.variant} · sweep over {key} · {trial.scale}"
            tags = {"sweep_of": place, "sweep": key, "scale": trial.scale, "model": trial.sweep.model}
            made = self.client.create_run(experiment, run_name=name, tags=tags).info.run_id
            self.client.set_terminated(made, "FINISHED")
            return made

    def deliver(self, rows: list[dict]) -> None:
        """Log the epochs of `rows` that the store has not yet, in order, with at most `SHARE` of the trial's time.

        Short epochs wait for each other, and all for a store that is away.
        """
        if (started := time.monotonic()) < self._not_before:
            return
        done = self._reach(lambda: self._deliver(rows))
        took = time.monotonic() - started
        self._not_before = started + took + (took / SHARE if done else max(PATIENCE, took / AWAY))

    def _deliver(self, rows: list[dict], ended: bool = False) -> None:
        """Log what the store has not yet of `rows`: every epoch of a short training, and the last once it `ended`."""
        if self._delivered is None:
            logged = self.client.get_metric_history(self.id, "seconds")
            self._delivered = max((metric.step for metric in logged), default=0)
        chosen = [row for row in rows if row["epoch"] % self._stride == 0 or (ended and row is rows[-1])]
        missing = [row for row in chosen if row["epoch"] > self._delivered]
        for batch in (missing[first : first + ROWS] for first in range(0, len(missing), ROWS)):
            metrics = [metric for row in batch for metric in _metrics(row, int(row["epoch"]))]
            self.client.log_batch(self.id, metrics=metrics)
            self._delivered = int(batch[-1]["epoch"])

    def finish(self, rows: list[dict], metrics: dict) -> bool:
        """Log all that is left, attach the folder's small files, and end the run; False where the store is away."""

        def deed():
            self._deliver(rows, ended=True)
            if "outcome" not in self.client.get_run(self.id).data.tags:
                numbers = {key: value for key, value in metrics.items() if isinstance(value, int | float)}
                final = [Metric(f"final/{m.key}", m.value, m.timestamp, 0) for m in _metrics(numbers, 0)]
                self.client.log_batch(self.id, metrics=final, tags=[RunTag("outcome", metrics["status"])])
            for path in sorted(self.folder.iterdir()):
                if path.is_file() and not path.name.startswith(".") and path.stat().st_size < SMALL:
                    self.client.log_artifact(self.id, str(path))
            then = self._began + int(1000 * metrics["seconds"]) if self._past else None
            self.client.set_terminated(self.id, "FINISHED", end_time=then)

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
            self._delivered = None
            return False


def named_run(folder: Path) -> str:
    """The id of the run that the files of a trial's folder name."""
    names = (read_json(folder / file).get("run_id") for file in ("metrics.json", "run.json"))
    return next((name for name in names if name), "unknown")


def _superseded(run: Run) -> bool:
    return "superseded" in run.data.tags


def _metrics(row: dict, step: int) -> list[Metric]:
    """The finite numbers of a row, but for its epoch."""
    now = int(time.time() * 1000)
    return [
        Metric(key, float(value), now, step) for key, value in row.items() if key != "epoch" and math.isfinite(value)
    ]
