"""Bring the tracking store in line with the trials' folders."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import yaml

from hippo.config import parse
from hippo.lab import store
from hippo.lab.experiment import Trial
from hippo.lab.failures import KILLED, alive, failure, read_json
from hippo.lab.tracking import TrackedRun


def import_trials(root: Path, gone: tuple[str, ...] = ()) -> Iterator[str]:
    """Deliver every trial under `root` to the store, but for what it already has; one line of words for each.

    A trial whose process is gone before it ended becomes a KILLED or FAILED run, until it is resumed; processes of
    the hosts `gone` are.
    """
    for path in sorted(root.rglob("trial.yaml")):
        yield _import(path.parent, gone)


def _import(folder: Path, gone: tuple[str, ...]) -> str:
    path = folder / "trial.yaml"
    trial = parse(Trial, yaml.safe_load(path.read_text(encoding="utf-8")), str(path))
    left, metrics = read_json(folder / "run.json"), read_json(folder / "metrics.json")
    data = (metrics or left).get("dataset")
    if data is None:
        return f"{trial.name}: never started, left out"
    word = failure(folder, trial.digest)
    if not metrics and not word and alive(left, gone):
        return f"{trial.name}: running in process {left['pid']} on {left['host']}, left alone"
    commit = (metrics or left).get("commit")
    run = TrackedRun(trial, data, f"{trial.digest}-{data['digest'][:16]}", folder, commit)
    if metrics and run.ended():
        return f"{trial.name}: {metrics['status']}, in the store already"
    run.start(resumed=True)
    if metrics:
        status, done = metrics["status"], run.finish(_history(folder), metrics)
    else:
        word = word or KILLED
        status, done = word["status"], run.stop(_history(folder), word["status"].upper(), word["reason"])
    return f"{trial.name}: {status}, " + (f"run {run.id}" if done else "not delivered: the store is away")


def reconcile(results: Path, gone: tuple[str, ...] = ()) -> Iterator[str]:
    """End every trial's run that is RUNNING in the store though its process is gone; one line of words for each.

    A process of another host is left alone, unless the host is one of `gone`.
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
            continue  # a run of something else
        if alive(tags, gone):
            yield f"{name}: running in process {tags['pid']} on {tags['host']}, left alone"
        elif read_json(folder / "run.json").get("run_id") == run.info.run_id:
            yield _import(folder, gone)
        else:
            with store.required():
                client.set_tag(run.info.run_id, "error", KILLED["reason"])
                client.set_terminated(run.info.run_id, "KILLED")
            yield f"{name}: killed, run {run.info.run_id}"


def _history(folder: Path) -> list[dict]:
    try:
        return pd.read_csv(folder / "history.csv", float_precision="round_trip").to_dict("records")
    except (OSError, pd.errors.EmptyDataError):
        return []
