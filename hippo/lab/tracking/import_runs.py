"""Bring the tracking store in line with the trials' folders."""

import json
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hippo.config import ConfigError
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.plan.yaml_files import read_yaml
from hippo.lab.tracking import store
from hippo.lab.tracking.run import TrackedRun, named_run
from hippo.lab.trials.failures import KILLED, alive, failure


def import_trials(root: Path, gone: tuple[str, ...] = ()) -> Iterator[str]:
    """Deliver every trial under `root` to the store, but for what it already has; one line of words for each.

    A trial whose process is gone before it ended becomes a KILLED or FAILED run, until it is resumed; processes of
    the hosts `gone` are. ConfigError at the end, where a folder could not be read or delivered.
    """
    failed = 0
    for path in sorted(root.rglob("trial.yaml")):
        words, done = _import(path.parent, gone)
        failed += not done
        yield words
    _tell(failed)


def reconcile(results: Path, gone: tuple[str, ...] = ()) -> Iterator[str]:
    """End every trial's run that is RUNNING in the store though its process is gone; one line of words for each.

    A process of another host is left alone, unless the host is one of `gone`. ConfigError at the end, where a folder
    could not be read or delivered.
    """
    client, failed = store.connect(), 0
    with store.required():
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        running = client.search_runs(experiments, "attributes.status = 'RUNNING'")
    for run in running:
        tags = run.data.tags
        scale, _, name = tags.get("trial", "").partition("/")
        folder = results / scale / "trials" / name
        if not name or "pid" not in tags:
            continue  # a run of something else
        if alive(tags, gone):
            yield f"{name}: running in process {tags['pid']} on {tags['host']}, left alone"
        elif named_run(folder) in (run.info.run_id, tags.get("imported_from")):
            words, done = _import(folder, gone)
            failed += not done
            yield words
        else:
            with store.required():
                client.set_tag(run.info.run_id, "error", KILLED["reason"])
                client.set_terminated(run.info.run_id, "KILLED")
            yield f"{name}: killed, run {run.info.run_id}"
    _tell(failed)


def _tell(failed: int) -> None:
    if failed:
        raise ConfigError(f"{failed} trial{'s' * (failed > 1)} not brought into the store, as said above")


class UnreadableError(Exception):
    """A file of a trial's folder that is not what a trial leaves there."""


@dataclass(frozen=True)
class Left:
    """What a trial left in its folder: `process` is run.json, `metrics` its outcome; {} where it has none."""

    trial: TrialSpec
    process: dict
    metrics: dict
    rows: list[dict]

    @property
    def about(self) -> dict:
        """Whichever of them tells the dataset and the commit."""
        return self.metrics or self.process

    def at_work(self, over: bool, gone: tuple[str, ...]) -> bool:
        """Whether its process may still be at work; that of a trial which is `over` may on this machine alone."""
        here = self.process.get("host") == platform.node()
        return bool(self.process) and (here or not over) and alive(self.process, gone)


def _import(folder: Path, gone: tuple[str, ...]) -> tuple[str, bool]:
    """What became of one folder, in words, and whether all is well with it."""
    try:
        left = _read(folder)
    except (UnreadableError, ConfigError, OSError) as error:
        return f"{folder}: cannot be read ({_shorten(error, folder)}), left out", False
    trial, name, metrics = left.trial, left.trial.name, left.metrics
    if not left.about:
        return f"{name}: never started, left out", True
    data = left.about["dataset"]
    run = TrackedRun(trial, data, f"{trial.digest}-{data['digest'][:16]}", folder, left.about.get("commit"))
    if metrics and run.ended():
        return f"{name}: {metrics['status']}, in the store already", True
    word = failure(folder, trial.digest)
    if left.at_work(bool(metrics or word), gone):
        return f"{name}: running in process {left.process['pid']} on {left.process['host']}, left alone", True
    run.bring_in(gone)
    if metrics:
        status, done = metrics["status"], run.finish(left.rows, metrics)
    else:
        word = word or KILLED
        status, done = word["status"], run.stop(left.rows, word["status"].upper(), word["reason"])
    return f"{name}: {status}, " + (f"run {run.id}" if done else "not delivered: the store is away"), done


def _read(folder: Path) -> Left:
    """UnreadableError, ConfigError or OSError where a file is damaged, or of a version that knew other keys."""
    trial = TrialSpec.from_mapping(read_yaml(folder / "trial.yaml"), str(folder / "trial.yaml"))
    process = _json(folder / "run.json", {"run_id", "host", "pid", "dataset"})
    metrics = _json(folder / "metrics.json", {"status", "seconds", "dataset"})
    return Left(trial, process, metrics, _history(folder / "history.csv"))


def _json(path: Path, keys: set[str]) -> dict:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UnreadableError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(content, dict) or (absent := keys - content.keys()):
        what = f"key {min(absent)!r} is missing" if isinstance(content, dict) else "expected a mapping of keys"
        raise UnreadableError(f"{path}: {what}")
    data = content["dataset"]
    if not isinstance(data, dict) or not {"digest", "source"} <= data.keys():
        raise UnreadableError(f"{path}: dataset = {data!r}: expected digest and source")
    return content


def _history(path: Path) -> list[dict]:
    try:
        rows = pd.read_csv(path, float_precision="round_trip")
    except (FileNotFoundError, pd.errors.EmptyDataError):
        return []
    except ValueError as error:
        raise UnreadableError(f"{path}: not valid CSV: {error}") from None
    if "epoch" not in rows or len(rows.select_dtypes("number").columns) < len(rows.columns):
        raise UnreadableError(f"{path}: expected columns of numbers, epoch among them")
    return rows.to_dict("records")


def _shorten(error: Exception, folder: Path) -> str:
    """An error's first line; its files stand in `folder`, which is named already."""
    first, *others = str(error).splitlines() or [type(error).__name__]
    return " ".join(first.split()).replace(f"{folder}{os.sep}", "") + (f", and {len(others)} more" if others else "")
