"""One trial from its resolved options to its folder: trial.yaml, history.csv and, when it has ended, metrics.json."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import torch
import yaml

from hippo import kernels
from hippo.config import ConfigError
from hippo.data.dataset import Dataset
from hippo.data.sources import DataError
from hippo.files import write_json, write_text
from hippo.lab.plan.tasks import TASKS
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.tracking.run import TrackedRun
from hippo.lab.training.interruption import Interrupted, Interruption
from hippo.lab.training.recorder import Recorder
from hippo.lab.trials.checkpoints import Checkpoints
from hippo.lab.trials.failures import read_json
from hippo.lab.trials.provenance import git_commit, machine, versions

log = logging.getLogger(__name__)


def run_trial(trial: TrialSpec, dataset_path: Path, folder: Path, interruption: Interruption | None = None) -> dict:
    """Run `trial` on the prepared dataset, or go on with it, tracked; returns what metrics.json holds.

    A signal stops it at the next step, its state saved (`Interrupted`). What went wrong otherwise is left in
    failure.json and raised. Either way the next call goes on from the last checkpoint. ConfigError where another
    process is at work on the trial. `interruption` notes signals, where the caller does already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder), nullcontext(interruption) if interruption else Interruption() as interruption:
        return _run(trial, dataset_path, folder, interruption)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds the trial's folder for this process, by a lock on the folder itself that ends with the process."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        other = read_json(folder / "run.json")
        who = f"process {other['pid']} on {other['host']}" if {"pid", "host"} <= other.keys() else "another process"
        raise ConfigError(f"{folder}: {who} is training this trial; wait for it, or end it") from None
    except OSError as error:  # a file system that locks no folders
        log.info("%s: cannot be locked: %s", folder, error)
    try:
        yield
    finally:
        os.close(handle)


def _run(trial: TrialSpec, dataset_path: Path, folder: Path, interruption: Interruption) -> dict:
    # Gradients that fade through hundreds of steps end as subnormal numbers, on which processors are up to a
    # hundred times slower; threads inherit the setting, so it comes before the first parallel operation.
    torch.set_flush_denormal(True)
    torch.set_num_threads(trial.threads)
    for stale in ("metrics.json", "failure.json", "reconstruction.csv", "figure.png", "figure.svg"):
        (folder / stale).unlink(missing_ok=True)
    for stale in folder.rglob(".*.partial"):
        stale.unlink(missing_ok=True)
    write_text(folder / "trial.yaml", yaml.safe_dump(trial.model_dump(), sort_keys=False))
    recorder = None
    try:
        dataset = _dataset(trial, dataset_path)
        identity = f"{trial.digest}-{dataset.digest[:16]}"
        checkpoints = Checkpoints(folder / "checkpoints", identity)
        about = {"digest": dataset.digest, "source": dataset.source, "substitute": dataset.substitute}
        run = TrackedRun(trial, about, identity, folder)
        recorder = Recorder(folder, run, checkpoints, interruption)
        run.start(resumed=recorder.resumed)
        outcome = TASKS[trial.task].run(trial, dataset, recorder)
        metrics = {
            **outcome,
            "seconds": round(recorder.elapsed(), 3),
            "trial": trial.digest,
            "threads": trial.threads,
            "run_id": run.id,
            "dataset": about,
            "kernels": kernels.backend().name,
            "commit": git_commit(),
            "earlier_commits": recorder.earlier_commits,
            "versions": versions(),
            "machine": machine(),
        }
        write_json(folder / "metrics.json", metrics)
    except BaseException as error:
        stopped = isinstance(error, Interrupted | KeyboardInterrupt)
        message = str(error) if stopped else f"{type(error).__name__}: {error}"
        failure = {"status": "killed" if stopped else "failed", "reason": message, "trial": trial.digest}
        with suppress(OSError):  # where the disk is full, the message on the terminal must do
            write_json(folder / "failure.json", failure)
        if stopped:
            log.warning("%s: %s; the same command goes on from there", trial.name, message)
        if recorder and run.id:
            run.stop(recorder.rows, failure["status"].upper(), message)
        raise
    _draw(folder)
    run.finish(recorder.rows, metrics)
    checkpoints.clear()
    return metrics


def _draw(folder: Path) -> None:
    """The trial's figure, which shows nothing that is not in its files: where it cannot be drawn, it is missing."""
    from hippo.lab.reporting.figures.trial import (
        draw_trial,  # matplotlib takes half a second that a trial needs at its end only
    )

    try:
        draw_trial(folder)
    except (OSError, ValueError) as error:
        log.warning("%s: not drawn: %s", folder, error)


def _dataset(trial: TrialSpec, path: Path) -> Dataset:
    dataset = Dataset.load(path)
    if dataset.options != trial.dataset:
        raise DataError(f"{path}: prepared with {dataset.options}, but {trial.name} needs {trial.dataset}")
    return dataset
