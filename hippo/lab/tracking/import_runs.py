"""Import of trial folders into the tracking store, and the end of runs whose process is gone."""

import os
import platform
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hippo.config import ConfigError
from hippo.lab.tracking import store
from hippo.lab.tracking.run import TrackedRun, run_in_folder
from hippo.lab.tracking.trial_folder import TrialFolder, UnreadableError, read_trial_folder
from hippo.lab.trials.failures import KILLED, find_failure
from hippo.lab.trials.lock import LockedError, locked
from hippo.lab.trials.outcome import UNDELIVERED
from hippo.lab.trials.process import is_alive, written_at


@dataclass(frozen=True)
class ImportedTrial:
    """What an import or a reconciliation did with one trial.

    Parameters
    ----------
    name : str
        Name of the trial, or its folder if the name cannot be read.
    message : str
        Its status and run, or why it was left alone.
    state : str
        `imported`: the store has what the folder holds. `left`: a process may be running the trial. `failed`: the
        folder cannot be read, or the store was unreachable. `empty`: the trial was never started.
    """

    name: str
    message: str
    state: Literal["imported", "left", "failed", "empty"] = "imported"

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


def import_trials(root: Path, gone: tuple[str, ...] = (), undelivered: bool = False) -> Iterator[ImportedTrial]:
    """Deliver every trial folder under `root` to the store, except what the store already has.

    A trial that ended without an outcome becomes a KILLED or FAILED run, until it is resumed.

    Parameters
    ----------
    root : Path
        Folder of trials, for example results/quick/trials.
    gone : tuple of str
        Hosts that run no process any more.
    undelivered : bool
        Only trials that ended while the store was unreachable.

    Yields
    ------
    ImportedTrial
        One for each folder with a trial.yaml.

    Raises
    ------
    ConfigError
        If `root` does not exist, or the store cannot be used.
    """
    if not root.is_dir():
        raise ConfigError(f"{root}: no such folder; name a folder of trials, for example results/quick/trials")
    for path in sorted(root.rglob("trial.yaml")):
        mark = path.with_name(UNDELIVERED)
        if undelivered and not mark.exists():
            continue
        imported = _import(path.parent, gone)
        if imported.state == "imported" and os.access(path.parent, os.W_OK):
            mark.unlink(missing_ok=True)
        yield imported


def reconcile(results: Path, gone: tuple[str, ...] = ()) -> Iterator[ImportedTrial]:
    """End every run that has the status RUNNING in the store although its process has ended.

    Parameters
    ----------
    results : Path
        Folder of the results of all scales.
    gone : tuple of str
        Hosts that run no process any more. Processes of all other hosts may be running.

    Yields
    ------
    ImportedTrial
        One for each RUNNING run of a trial.

    Raises
    ------
    ConfigError
        If the store cannot be used.
    """
    client = store.connect()
    with store.required():
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        running = client.search_runs(experiments, "attributes.status = 'RUNNING'")
    for run in running:
        tags = run.data.tags
        scale, _, name = tags.get("trial", "").partition("/")
        folder = results / scale / "trials" / name
        if not name or "pid" not in tags:
            continue  # not a run of a trial
        if is_alive(tags, gone):
            message = f"running in process {tags['pid']} on {tags['host']}, left alone"
            yield ImportedTrial(name, message, "left")
        elif folder.is_dir() and run_in_folder(folder) in (run.info.run_id, tags.get("imported_from")):
            yield _import(folder, gone)
        else:
            with store.required():
                client.set_tag(run.info.run_id, "error", KILLED["reason"])
                client.set_terminated(run.info.run_id, "KILLED")
            yield ImportedTrial(name, f"killed, run {run.info.run_id}")


def _import(folder: Path, gone: tuple[str, ...]) -> ImportedTrial:
    """Import one trial folder."""
    try:
        left = read_trial_folder(folder)
    except (UnreadableError, ConfigError, OSError) as error:
        return ImportedTrial(str(folder), f"cannot be read ({_shorten(error, folder)}), left out", "failed")
    name, metrics = left.trial.name, left.metrics
    if not left.record:
        return ImportedTrial(name, "never started, left out", "empty")
    if metrics and _track(left, folder).is_complete():
        return ImportedTrial(name, f"{metrics['status']}, in the store already")
    failure = find_failure(folder, left.trial.digest)
    if _is_running(folder, left, bool(failure), gone):
        message = f"running in process {left.process['pid']} on {left.process['host']}, left alone"
        return ImportedTrial(name, message, "left")
    try:
        with locked(folder) if os.access(folder, os.W_OK) else nullcontext():
            status, run = _deliver(left, folder, failure or KILLED, gone)
    except LockedError:
        return ImportedTrial(name, "another process runs or imports it, left alone", "left")
    if not run:
        return ImportedTrial(name, f"{status}, not delivered: the store is unreachable", "failed")
    return ImportedTrial(name, f"{status}, run {run}")


def _track(left: TrialFolder, folder: Path) -> TrackedRun:
    """The run of a trial that was read from its folder."""
    return TrackedRun(left.trial, left.record["dataset"], left.identity, folder, left.record.get("commit"))


def _deliver(left: TrialFolder, folder: Path, failure: dict, gone: tuple[str, ...]) -> tuple[str, str | None]:
    """Deliver a trial, with `failure` if it has no outcome. Returns its status, and its run if the store has it now."""
    run = _track(left, folder)  # another import may have ended since the folder was read: this looks for its run
    run.start_import(gone)
    if left.metrics:
        status, delivered = left.metrics["status"], run.finish(left.rows, left.metrics)
    else:
        status, delivered = failure["status"], run.stop(left.rows, failure["status"].upper(), failure["reason"])
    return status, run.id if delivered else None


def _is_running(folder: Path, left: TrialFolder, failed: bool, gone: tuple[str, ...]) -> bool:
    """Whether a process may be running the trial, or is ending it after its outcome."""
    process = left.process
    is_here = process.get("host") == platform.node()
    if left.metrics:  # over, unless the very process that trained it still writes its run
        return is_here and "process_started" in process and is_alive(process)
    if failed and not is_here:
        return False
    return is_alive(process, gone, written_at(folder / "run.json"))


def _shorten(error: Exception, folder: Path) -> str:
    """First line of an error, without the folder, which the message names already."""
    first, *others = str(error).splitlines() or [type(error).__name__]
    return " ".join(first.split()).replace(f"{folder}/", "") + (f", and {len(others)} more" if others else "")
