"""One trial, from its specification to its folder: trial.yaml, history.csv and, at its end, outcome.json.

A finished trial is not trained again: its outcome is restored as long as settings and data are the same.
"""

import logging
from contextlib import nullcontext, suppress
from pathlib import Path

import pandas as pd
import torch

from hippo import kernels, registry
from hippo.config import ConfigError
from hippo.data.dataset import Dataset
from hippo.data.errors import DataError
from hippo.files import write_json, write_text
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.results.trial_files import read_history, read_reconstruction
from hippo.lab.tracking.run import TrackedRun
from hippo.lab.training.interruption import Interrupted, Interruption
from hippo.lab.training.recorder import Recorder
from hippo.lab.trials.checkpoints import Checkpoints
from hippo.lab.trials.lock import locked
from hippo.lab.trials.outcome import UNDELIVERED, has_outcome, remove_outcome, write_outcome
from hippo.lab.trials.provenance import git_commit, machine, versions
from hippo.lab.trials.status import Status
from hippo.lab.trials.up_to_date import restore_outcome
from hippo.nn import MODEL_FILE

log = logging.getLogger(__name__)

STALE = (UNDELIVERED, "failure.json", "reconstruction.csv", "figure.png", "figure.svg", MODEL_FILE)


def run_trial(
    trial: TrialSpec,
    dataset_path: Path,
    folder: Path,
    interruption: Interruption | None = None,
    force: bool = False,
) -> dict:
    """Run a trial on its prepared dataset, tracked; resume it if it was interrupted, restore it if it is finished.

    Parameters
    ----------
    trial : TrialSpec
        The trial.
    dataset_path : Path
        Its prepared dataset (.npz).
    folder : Path
        Folder of the trial.
    interruption : Interruption, optional
        Notes signals, if the caller has installed one already.
    force : bool, default False
        Train again even if the outcome in the folder is up to date.

    Returns
    -------
    dict
        Content of metrics.json.

    Raises
    ------
    Interrupted
        If a signal came. The state is saved, and the same call resumes from it.
    ConfigError
        If another process runs this trial, or a setting cannot be used.
    Exception
        Any other error is recorded in failure.json and raised; the next call resumes from the last checkpoint.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not force and (metrics := restore_outcome(folder, trial, dataset_path)):
        log.info("%s: the outcome is up to date, nothing to train; --force trains again", trial.name)
        if trial.keep_model == "best" and metrics["status"] == Status.FINISHED and not (folder / MODEL_FILE).exists():
            log.info(
                "%s: it was trained without keep_model: --force trains again and writes %s", trial.name, MODEL_FILE
            )
        _deliver_late(trial, folder, metrics)
        return metrics
    with locked(folder), nullcontext(interruption) if interruption else Interruption() as interruption:
        if force and has_outcome(folder):  # checkpoints that a process left when it died after the outcome
            Checkpoints(folder / "checkpoints", identity="").clear()
        return _run(trial, dataset_path, folder, interruption)


def _run(trial: TrialSpec, dataset_path: Path, folder: Path, interruption: Interruption) -> dict:
    """Run a trial that has no outcome; the folder is locked."""
    # Gradients that vanish over hundreds of steps become subnormal numbers, on which processors are up to a hundred
    # times slower. Threads inherit the setting, so it must precede the first parallel operation.
    torch.set_flush_denormal(True)
    torch.set_num_threads(trial.threads)
    recorder = run = None
    try:
        dataset = _load_dataset(trial, dataset_path)  # first, so that an outcome is kept if there is no data
        _remove_stale_files(folder)
        write_text(folder / "trial.yaml", trial.to_yaml())
        data = dataset.record()
        identity = _identity(trial, data)
        checkpoints = Checkpoints(folder / "checkpoints", identity)
        run = TrackedRun(trial, data, identity, folder)
        recorder = Recorder(folder, run, checkpoints, interruption, kernels.backend().name)
        run.start(resumed=recorder.resumed)
        metrics = _train(trial, dataset, data, recorder)
        write_text(folder / UNDELIVERED, "")
        write_outcome(folder, metrics)
    except BaseException as error:
        stopped = isinstance(error, Interrupted | KeyboardInterrupt)
        message = str(error) if stopped else f"{type(error).__name__}: {error}"
        failure = {"status": Status.KILLED if stopped else Status.FAILED, "reason": message, "trial": trial.digest}
        with suppress(OSError):  # if the disk is full, only the terminal shows the message
            write_json(folder / "failure.json", failure)
        if stopped:
            log.warning("%s: %s; the same command resumes it", trial.name, message)
        if recorder and run and run.id:
            run.stop(recorder.rows, failure["status"].upper(), message)
        raise
    _finish(folder, run, recorder.rows, metrics)
    return metrics


def _train(trial: TrialSpec, dataset: Dataset, data: dict, recorder: Recorder) -> dict:
    """Train, and return the content of metrics.json: the outcome of the task, and how it came about."""
    task = registry.find("tasks", trial.task, trial.name)
    return {
        "precision": "float32",  # unless the training says otherwise
        **task.run(trial, dataset, recorder),
        "seconds": round(recorder.elapsed(), 3),
        "trial": trial.digest,
        "threads": trial.threads,
        "run_id": recorder.run.reach(),
        "dataset": data,
        "kernels": recorder.kernels,
        "commit": git_commit(),
        "earlier_commits": recorder.earlier_commits,
        "versions": versions(),
        "machine": machine(),
    }


def _remove_stale_files(folder: Path) -> None:
    """Remove the files of earlier attempts, except those that a trial is resumed from."""
    remove_outcome(folder)
    for path in [*(folder / name for name in STALE), *folder.rglob(".*.partial")]:
        path.unlink(missing_ok=True)


def _finish(folder: Path, run: TrackedRun, rows: list[dict], metrics: dict) -> None:
    """Plot the trial, deliver its outcome to the tracked run, and remove its checkpoints."""
    _plot(folder)
    if run.finish(rows, metrics):
        (folder / UNDELIVERED).unlink(missing_ok=True)
    Checkpoints(folder / "checkpoints", run.identity).clear()


def _deliver_late(trial: TrialSpec, folder: Path, metrics: dict) -> None:
    """Deliver an outcome whose process ended before it could, unless that process is at work still."""
    if not (folder / UNDELIVERED).exists():
        return
    try:
        with locked(folder):
            (folder / "failure.json").unlink(missing_ok=True)
            run = TrackedRun(trial, metrics["dataset"], _identity(trial, metrics["dataset"]), folder, metrics["commit"])
            run.start_import()
            history = folder / "history.csv"
            rows = pd.read_csv(history, float_precision="round_trip").to_dict("records") if history.exists() else []
            _finish(folder, run, rows, metrics)
    except (ConfigError, OSError, ValueError) as error:
        log.warning("%s: the outcome is not in the tracking store: %s; hippo runs import adds it", trial.name, error)


def _plot(folder: Path) -> None:
    """Plot the trial's figure. It shows nothing that the files do not hold: without it the trial is complete."""
    # Imports matplotlib, half a second that no trial needs before its end.
    from hippo.lab.reporting.figures.trial import plot_trial

    try:
        plot_trial(read_history(folder), read_reconstruction(folder), folder / "figure")
    except (OSError, ValueError) as error:
        log.warning("%s: the figure cannot be plotted: %s", folder, error)


def _identity(trial: TrialSpec, data: dict) -> str:
    """Digests of settings and data."""
    return f"{trial.digest}-{data['digest'][:16]}"


def _load_dataset(trial: TrialSpec, path: Path) -> Dataset:
    """The prepared dataset; DataError if it was prepared with other options."""
    dataset = Dataset.load(path)
    if dataset.options != trial.dataset_settings:
        raise DataError(f"{path}: prepared with {dataset.options}, but {trial.name} needs {trial.dataset_settings}")
    return dataset
