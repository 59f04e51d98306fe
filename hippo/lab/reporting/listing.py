"""How far the trials of a scale are, as a table for the terminal."""

import math
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from hippo.lab.plan.experiment import Experiment
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.results.outcomes import collect
from hippo.lab.trials.failures import alive, read_json


def list_trials(experiments: list[Experiment], trials: Path) -> str:
    """A line per trial that was started: status, epoch k of n, time left at the pace so far; then the counts."""
    lines, waiting = [], 0
    for experiment in experiments:
        found = collect(experiment, trials).reindex(columns=["status"])["status"].fillna("damaged")
        for trial, status in zip(experiment.trials(), found, strict=True):
            folder = trials / trial.name
            if status == "missing" and not (folder / "trial.yaml").exists():
                waiting += 1
            else:
                lines.append([trial.name, *_state(trial, folder, status)])
    table = (
        tabulate(lines, ["trial", "status", "epoch", "left"], disable_numparse=True)
        if lines
        else "no trial was started"
    )
    counts = pd.Series([line[1] for line in lines], dtype=str).value_counts()
    total = ", ".join([*(f"{n} {status}" for status, n in counts.items()), f"{waiting} not started"])
    return f"{table}\n\n{total}"


def _state(trial: TrialSpec, folder: Path, status: str) -> tuple[str, str, str]:
    """Status, epoch k of n, time left."""
    left = read_json(folder / "run.json")
    if status in ("missing", "killed") and left and alive(left):
        status = "running"
    elif status == "missing":
        status = "stopped" if (folder / "run.json").exists() else "starting"
    done, pace = _progress(folder / "history.csv")
    total = trial.training.get("epochs", 1)
    if status == "finished" and (epochs := read_json(folder / "metrics.json").get("epochs")):
        done = total = epochs  # one of what takes none, whatever the training settings say
    epoch = "" if done is None else f"{done} of {total}"
    known = status == "running" and done is not None and math.isfinite(pace)
    return status, epoch, duration(pace * (total - done)) if known else ""


def _progress(history: Path) -> tuple[int | None, float]:
    """Epochs done, None where the file cannot tell, and the mean seconds of one, NaN where it does not say."""
    try:
        rows = pd.read_csv(history)
        return int(rows["epoch"].iloc[-1]), float(rows["seconds"].mean()) if "seconds" in rows else math.nan
    except FileNotFoundError:
        return 0, math.nan
    except (OSError, ValueError, LookupError, TypeError, OverflowError):
        return None, math.nan


def duration(seconds: float) -> str:
    """Seconds in words of two units."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
