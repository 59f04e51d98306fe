"""How far the trials of a scale are, as a table for the terminal."""

from pathlib import Path

import pandas as pd
from tabulate import tabulate

from hippo.lab.experiment import Experiment, Trial
from hippo.lab.failures import alive, read_json
from hippo.lab.outcomes import collect


def list_trials(experiments: list[Experiment], trials: Path) -> str:
    """A line per trial that was started: status, epoch k of n, time left at the pace so far; then the counts."""
    lines, waiting = [], 0
    for experiment in experiments:
        outcomes = collect(experiment, trials)
        for trial, status in zip(experiment.trials(), outcomes["status"], strict=True):
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


def _state(trial: Trial, folder: Path, status: str) -> tuple[str, str, str]:
    """Status, epoch k of n, time left."""
    left = read_json(folder / "run.json")
    if status in ("missing", "killed") and left and alive(left):
        status = "running"
    elif status == "missing":
        status = "stopped" if (folder / "run.json").exists() else "starting"
    total = trial.training.get("epochs", 1)
    try:
        history = pd.read_csv(folder / "history.csv")
    except (OSError, pd.errors.EmptyDataError):
        return status, f"0 of {total}", ""
    done = int(history["epoch"].iloc[-1])
    remaining = history["seconds"].mean() * (total - done)
    return status, f"{done} of {total}", duration(remaining) if status == "running" else ""


def duration(seconds: float) -> str:
    """Seconds in words of two units."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
