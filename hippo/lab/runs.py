"""Bring the tracking store in line with the trials' folders."""

import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import yaml

from hippo.config import parse
from hippo.lab import store
from hippo.lab.experiment import Trial
from hippo.lab.tracking import TrackedRun

KILLED = {"status": "killed", "reason": "killed without a word"}


def import_trials(root: Path) -> Iterator[str]:
    """Deliver every trial under `root` to the store, but for what it already has; one line of words for each.

    A trial whose process is gone before it ended becomes a KILLED or FAILED run, until it is resumed.
    """
    for path in sorted(root.rglob("trial.yaml")):
        yield _import(path.parent)


def _import(folder: Path) -> str:
    path = folder / "trial.yaml"
    trial = parse(Trial, yaml.safe_load(path.read_text(encoding="utf-8")), str(path))
    left, metrics = _read(folder / "run.json"), _read(folder / "metrics.json")
    data = (metrics or left).get("dataset")
    if data is None:
        return f"{trial.name}: never started, left out"
    if not metrics and alive(left):
        return f"{trial.name}: running in process {left['pid']}, left alone"
    run = TrackedRun(trial, data, f"{trial.digest}-{data['digest'][:16]}", folder)
    if metrics and run.ended():
        return f"{trial.name}: {metrics['status']}, in the store already"
    run.start(resumed=True)
    if metrics:
        status, done = metrics["status"], run.finish(_history(folder), metrics)
    else:
        failure = _read(folder / "failure.json") or KILLED
        status, done = failure["status"], run.stop(_history(folder), failure["status"].upper(), failure["reason"])
    return f"{trial.name}: {status}, " + (f"run {run.id}" if done else "not delivered: the store is away")


def reconcile(results: Path) -> Iterator[str]:
    """End every run that is RUNNING in the store though its process is gone; one line of words for each."""
    client = store.connect()
    for experiment in client.search_experiments():
        for run in client.search_runs([experiment.experiment_id], "attributes.status = 'RUNNING'"):
            scale, _, name = run.data.tags.get("trial", "").partition("/")
            folder = results / scale / "trials" / name
            left = _read(folder / "run.json")
            mine = bool(name) and left.get("run_id") == run.info.run_id
            if mine and alive(left):
                yield f"{name}: running in process {left['pid']}, left alone"
            elif mine:
                yield _import(folder)
            else:
                client.set_tag(run.info.run_id, "error", KILLED["reason"])
                client.set_terminated(run.info.run_id, "KILLED")
                yield f"{name or run.info.run_name}: killed, run {run.info.run_id}"


def alive(left: dict) -> bool:
    """Whether the process that a trial's run.json names still runs, as far as this machine can tell."""
    if left.get("host") != platform.node():
        return False
    try:
        os.kill(left["pid"], 0)
    except PermissionError:
        return True
    except ProcessLookupError:
        return False
    return left["pid"] != os.getpid()


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _history(folder: Path) -> list[dict]:
    try:
        return pd.read_csv(folder / "history.csv").to_dict("records")
    except (OSError, pd.errors.EmptyDataError):
        return []
