"""The MLflow run of one trial: exactly one across kills and resumes, in which no step is logged twice.

The trial's folder is the source of truth and the store a copy of it. What an unreachable store did not receive is
delivered at a later epoch, at the end of the trial, or by `hippo runs import`.
"""

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from mlflow.entities import Metric, Param, Run, RunTag

from hippo.config import ConfigError
from hippo.files import write_json
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.tracking import store
from hippo.lab.tracking.address import is_server, tracking_uri
from hippo.lab.tracking.creation import create_run, remove_repeats, supersede
from hippo.lab.tracking.datasets import dataset_input
from hippo.lab.tracking.delivery import RETRY_FRACTION, RETRY_SECONDS, Delivery, to_metrics
from hippo.lab.tracking.tags import source_tags
from hippo.lab.trials.outcome import has_outcome, is_substitute, read_json
from hippo.lab.trials.process import is_alive, this_process
from hippo.lab.trials.provenance import git_commit
from hippo.nn import MODEL_FILE

log = logging.getLogger(__name__)

UNKNOWN = "unknown"  # id of a run that no file names
SMALL = 10_000_000  # bytes; larger files of a trial's folder are not uploaded as artifacts


class TrackedRun:
    """The MLflow run of one trial.

    Parameters
    ----------
    trial : TrialSpec
        The trial.
    data : dict
        `Dataset.record` of its prepared dataset.
    identity : str
        Digest of all settings and of the data. Runs of equal identity are attempts of the same trial.
    folder : Path
        Folder of the trial.
    commit : str, optional
        Commit of the source that trained it. By default that of this source tree.

    Attributes
    ----------
    id : str or None
        MLflow's id of the run; None before `start` and `start_import`.

    Raises
    ------
    ConfigError
        If a store that is no server cannot be used.
    """

    def __init__(self, trial: TrialSpec, data: dict, identity: str, folder: Path, commit: str | None = None):
        self.trial, self.data, self.identity, self.folder = trial, data, identity, folder
        self.commit = commit or git_commit() or "unknown"
        self.path = f"{trial.scale}/{trial.name}"
        self.client = store.open_client()
        self.id: str | None = None
        self.delivery: Delivery | None = None
        self._process = this_process()
        self._named = run_in_folder(folder)
        self._began: int | None = None  # milliseconds since 1970
        self._is_import = False  # whether the trial ran long before its run was created
        self._resumed = False
        self._try_again = 0.0  # on the clock of time.monotonic(): when to ask a server again that did not answer

    def start(self, resumed: bool) -> None:
        """Continue the trial's unfinished run, or create a run; older runs of the trial are marked superseded.

        A run that another process may be writing is neither continued nor superseded. If a server does not answer, the
        trial trains without it, and its run starts as soon as the server answers.

        Parameters
        ----------
        resumed : bool
            Whether the trial resumes from a checkpoint. Then a run that has an outcome is continued too.

        Raises
        ------
        ConfigError
            If a store that is no server cannot be used.
        """
        self._resumed = resumed
        before = time.monotonic()
        try:
            self._start()
        except ConfigError as error:
            if not is_server():
                raise
            if resumed:
                self._began = read_json(self.folder / "run.json").get("started")
            else:
                self._named = UNKNOWN  # an earlier training's run is not this one's
            self._began = self._began or int(1000 * time.time())
            self._start_later(error, before)
            self._write_run_json()

    def reach(self) -> str | None:
        """Return the id of the run, which starts now if its server did not answer before; None if it still does not."""
        if self.id is None:
            before = time.monotonic()
            try:
                self._start()
            except ConfigError as error:
                self._start_later(error, before)
        return self.id

    def _start_later(self, error: ConfigError, before: float) -> None:
        """Note that the server, asked at the time `before`, did not answer."""
        log.warning("%s; the trial continues, and its run starts when the server answers", error)
        self.id, self.delivery = None, None
        now = time.monotonic()
        self._try_again = now + max(RETRY_SECONDS, (now - before) / RETRY_FRACTION)

    def _start(self) -> None:
        """Start the run in the store; ConfigError if that is impossible."""
        with store.required():
            experiment, runs = self._find_runs()
            same = [run for run in self._with_identity(runs) if self._resumed or "outcome" not in run.data.tags]
            free = [run for run in same if not _is_superseded(run) and self._has_ended(run)]
            if free:
                self._continue(free[0])
            else:
                self._create(experiment, began=self._began)
            self._supersede(run for run in runs if self._has_ended(run))
        self._write_run_json()

    def start_import(self, gone: tuple[str, ...] = ()) -> None:
        """Continue the store's run of the trial in the folder, or create a run that began when the trial did.

        A created run supersedes only runs that started earlier. If the start of the trial is unknown, or the store has
        a run that is not older, the created run is itself marked superseded. No file of a trial that has its outcome is
        changed.

        Parameters
        ----------
        gone : tuple of str
            Hosts that run no process any more.

        Raises
        ------
        ConfigError
            If the store cannot be used.
        """
        with store.required():
            experiment, runs = self._find_runs()
            free = [run for run in self._importable(runs) if self._has_ended(run, gone)]
            if free:
                self._continue(free[0])
            else:
                self._create_import(experiment, [run for run in runs if not _is_superseded(run)], gone)
        if not has_outcome(self.folder):
            self._write_run_json()

    def is_complete(self) -> bool:
        """Return whether the store has this trial's run from its start to its end; ConfigError without the store."""
        with store.required():
            _, runs = self._find_runs()
        candidates = self._importable(runs)
        own = [run for run in candidates if self._is_own(run)]
        return any(run.info.status == "FINISHED" for run in own or candidates)

    def deliver(self, rows: list[dict]) -> None:
        """Log the epochs that the store does not have, unless too little time has passed since the last delivery.

        Parameters
        ----------
        rows : list of dict
            The whole history, one mapping of numbers per epoch, each with `epoch`.
        """
        if self.id is None and (time.monotonic() < self._try_again or self.reach() is None):
            return
        if self.delivery.is_due():
            self._attempt(lambda: self.delivery.log(rows), timed=True)

    def finish(self, rows: list[dict], metrics: dict) -> bool:
        """Log what is left, upload the small files of the folder, and end the run.

        Parameters
        ----------
        rows : list of dict
            The whole history.
        metrics : dict
            The outcome.

        Returns
        -------
        bool
            False if the store is unreachable.
        """

        def send() -> None:
            self.delivery.log(rows, is_last=True)
            run = self.client.get_run(self.id)
            remove_repeats(self.client, run)
            if "outcome" not in run.data.tags:
                numbers = {key: value for key, value in metrics.items() if isinstance(value, int | float)}
                final = [Metric(f"final/{m.key}", m.value, m.timestamp, 0) for m in to_metrics(numbers, 0)]
                self.client.log_batch(self.id, metrics=final, tags=[RunTag("outcome", metrics["status"])])
            for path in sorted(self.folder.iterdir()):
                if _is_artifact(path):
                    self.client.log_artifact(self.id, str(path))
            if (self.folder / MODEL_FILE).exists():
                from hippo.lab.tracking.models import log_kept_model  # imports torch, which other trials may not need

                log_kept_model(self.client, run, self.trial, self.folder)
            ended = self._began + int(1000 * metrics["seconds"]) if self._is_import else None
            self.client.set_terminated(self.id, "FINISHED", end_time=ended)

        return self.reach() is not None and self._attempt(send)

    def stop(self, rows: list[dict], status: str, message: str) -> bool:
        """End the run for now, with status KILLED or FAILED; return False if the store is unreachable."""

        def send() -> None:
            self.delivery.log(rows)
            self.client.set_tag(self.id, "error", message[:5000])
            self.client.set_terminated(self.id, status)

        return self._attempt(send)

    def _attempt(self, send: Callable[[], None], timed: bool = False) -> bool:
        """Call `send`; log a warning and return False if the store is unreachable."""
        try:
            self.delivery.timed(send) if timed else send()
            return True
        except store.STORE_ERRORS as error:
            reason = " ".join(str(error).split())[:300]
            uri = tracking_uri()
            log.warning("tracking store %s: %s; what it did not receive is in %s", uri, reason, self.folder)
            self.delivery.forget()
            return False

    def _create_import(self, experiment: str, others: list[Run], gone: tuple[str, ...]) -> None:
        """Create the run of a trial that ran before; `others` are runs of the trial that are not superseded."""
        began = read_json(self.folder / "run.json").get("started")
        self._create(experiment, {"imported_from": self._named}, began)
        self._is_import = began is not None
        older = [run for run in others if run.info.start_time < (began or 0) and self._has_ended(run, gone)]
        self._supersede(older)
        if len(older) < len(others):
            self.client.set_tag(self.id, "superseded", "true")

    def _write_run_json(self) -> None:
        """Write run.json, which names the run and the process that trains."""
        content = {
            "run_id": self.id or (None if self._named == UNKNOWN else self._named),
            "uri": tracking_uri(),
            "identity": self.identity,
            "commit": self.commit,
            **this_process(),
            "started": self._began,
            "dataset": self.data,
        }
        write_json(self.folder / "run.json", content)

    def _find_runs(self) -> tuple[str, list[Run]]:
        """Id of the MLflow experiment, and its runs of this trial, the newest first."""
        experiment = store.experiment_id(self.client, self.trial.experiment)
        newest = ["start_time DESC"]
        return experiment, self.client.search_runs([experiment], f"tags.trial = '{self.path}'", order_by=newest)

    def _with_identity(self, runs: list[Run]) -> list[Run]:
        """Runs of the same settings and data; the run that the folder names comes first."""
        same = [run for run in runs if run.data.tags.get("identity") == self.identity]
        return sorted(same, key=lambda run: not self._is_own(run))

    def _importable(self, runs: list[Run]) -> list[Run]:
        """Runs that may be the run of the folder's trial: a superseded one only if the folder names it.

        If it names none, a run with an outcome that began before the trial is that of an earlier training.
        """
        began = read_json(self.folder / "run.json").get("started") if self._named == UNKNOWN else None
        return [
            run
            for run in self._with_identity(runs)
            if (self._is_own(run) or not _is_superseded(run))
            and not (began and "outcome" in run.data.tags and run.info.start_time < began)
        ]

    def _is_own(self, run: Run) -> bool:
        """Whether the folder names `run`."""
        return self._named in (run.info.run_id, run.data.tags.get("imported_from"))

    def _has_ended(self, run: Run, gone: tuple[str, ...] = ()) -> bool:
        """Whether no process writes `run`. A host that cannot be asked is trusted only if the folder names the run."""
        is_elsewhere = run.data.tags.get("host") != self._process["host"]
        return run.info.status != "RUNNING" or not is_alive(run.data.tags, gone) or (is_elsewhere and self._is_own(run))

    def _continue(self, run: Run) -> None:
        """Make `run` the run of this process."""
        self._set_run(run.info.run_id, run.info.start_time, logged=None)
        process = [RunTag(key, str(value)) for key, value in self._process.items()]
        self.client.log_batch(self.id, tags=process)  # read by `hippo runs reconcile`
        self.client.update_run(self.id, status="RUNNING")
        if "error" in run.data.tags:
            self.client.delete_tag(self.id, "error")
        if not run.inputs.dataset_inputs:  # the process that created the run ended before it described it
            self._describe()

    def _supersede(self, runs: Iterable[Run]) -> None:
        """Mark `runs`, except this one, as superseded."""
        for run in runs:
            if run.info.run_id != self.id and not _is_superseded(run):
                supersede(self.client, run)

    def _create(self, experiment: str, more: dict[str, str] | None = None, began: int | None = None) -> None:
        """Create a run with the tags `more`; `began` in milliseconds since 1970, by default now."""
        trial = self.trial
        tags = {
            "trial": self.path,
            "identity": self.identity,
            "scale": trial.scale,
            "variant": trial.variant,
            "model": trial.model,
            "seed": str(trial.seed),
            "data": "substitute" if is_substitute(self.data) else "real",
            "commit": self.commit,
            **source_tags(self.commit),
            **{key: str(value) for key, value in self._process.items()},
            **(more or {}),
        }
        if trial.sweep:
            tags |= {"mlflow.parentRunId": self._find_sweep_run(experiment), "sweep": trial.sweep.key}
        name = f"{trial.model} · seed {trial.seed} · {trial.variant} · {trial.scale}"
        created = create_run(self.client, experiment, name, tags, began).info
        self._set_run(created.run_id, created.start_time, logged=0)
        self._describe()

    def _set_run(self, identifier: str, began: int, logged: int | None) -> None:
        """Set the run of this trial; `logged` is the last epoch that it has, None if the store must be asked."""
        self.id, self._began = identifier, began
        self.delivery = Delivery(self.client, identifier, self.trial.epochs, logged)

    def _describe(self) -> None:
        """Log parameters and dataset. A second call changes nothing."""
        trial = self.trial
        options = {
            f"{block}.{key}": value for block, content in trial.settings().items() for key, value in content.items()
        }
        params = [Param(key, str(value)) for key, value in options.items()]
        self.client.log_batch(self.id, params=[*params, Param("threads", str(trial.threads))])
        inputs = [dataset_input(trial, self.data)]
        try:
            self.client.log_inputs(self.id, inputs)
        except store.STORE_ERRORS:  # another trial created the same dataset at the same time; now it exists
            self.client.log_inputs(self.id, inputs)

    def _find_sweep_run(self, experiment: str) -> str:
        """Id of the run under which MLflow lists the trials of one model's sweep; it is created if absent."""
        trial, point = self.trial, self.trial.sweep
        place = f"{trial.scale}/{trial.experiment}/{trial.variant}/{point.model}"
        with store.lock(store.DATABASE.with_name("sweeps.lock")):  # parallel trials must not create two
            if found := self.client.search_runs([experiment], f"tags.sweep_of = '{place}'"):
                return found[0].info.run_id
            name = f"{point.model} · {trial.variant} · sweep over {point.key} · {trial.scale}"
            tags = {"sweep_of": place, "sweep": point.key, "scale": trial.scale, "model": point.model}
            created = create_run(self.client, experiment, name, tags).info.run_id
            self.client.set_terminated(created, "FINISHED")
            return created


def run_in_folder(folder: Path) -> str:
    """Return the id of the run that the files of a trial's folder name; UNKNOWN if they name none."""
    names = (read_json(folder / file).get("run_id") for file in ("metrics.json", "outcome.json", "run.json"))
    return next((name for name in names if name), UNKNOWN)


def _is_artifact(path: Path) -> bool:
    """Whether a file of a trial's folder is uploaded as it is; the kept model is logged as a model."""
    hidden = path.name.startswith(".") or path.name == MODEL_FILE
    return path.is_file() and not hidden and path.stat().st_size < SMALL


def _is_superseded(run: Run) -> bool:
    return "superseded" in run.data.tags
