"""Outcomes of an experiment's trials: their numbers and states, read from the trial folders."""

import csv
import json
import math
from pathlib import Path

import pandas as pd
import yaml

from hippo.lab.plan.experiment import Experiment
from hippo.lab.plan.task import Column
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.results.settings import is_relevant, trial_differences
from hippo.lab.trials.failures import find_failure
from hippo.lab.trials.outcome import COPY, SOURCE, is_substitute
from hippo.lab.trials.status import Status

MISSING = {"status": Status.MISSING}
AXES = ["folder", "variant", "model", "seed", "status", "run_id"]


def collect_outcomes(experiment: Experiment, trials: Path) -> pd.DataFrame:
    """Read the outcome of every trial of an experiment.

    Parameters
    ----------
    experiment : Experiment
        The experiment at one scale.
    trials : Path
        Folder of all trials of that scale.

    Returns
    -------
    DataFrame
        One line per trial in the order of `experiment.trials()`. Columns: `folder` (relative to `trials`), `variant`,
        `model`, `seed`, `status`, `reason`, `source`, `substitute` and `digest` of the data, `version`, and every other
        key of metrics.json. Only trials with the status `finished` or `diverged` have numbers. Other states:

        - `missing`: the trial was not started, or has not ended;
        - `failed`, `killed`: the trial was started and ended without an outcome;
        - `outdated`, `of another scale`: the outcome belongs to other settings;
        - `damaged`: the outcome cannot be read, lacks a number of the table, or contradicts history.csv.
    """
    columns = experiment.task.columns
    return pd.DataFrame([_read_outcome(trial, trials / trial.name, columns) for trial in experiment.trials()])


def per_seed(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return one line per trial: folder, axes, status, run id, and every number in the units of metrics.json."""
    numbers = [c for c in outcomes.select_dtypes("number").columns if c not in AXES]
    return outcomes.reindex(columns=[*AXES, *numbers])


def _read_outcome(trial: TrialSpec, folder: Path, columns: tuple[Column, ...]) -> dict:
    """One line of the outcomes."""
    axes = {"variant": trial.variant, "model": trial.model, "seed": trial.seed, "folder": trial.name}
    try:
        file = COPY if (folder / COPY).exists() else SOURCE
        metrics = json.loads((folder / file).read_text(encoding="utf-8"))
        if metrics["trial"] != trial.digest:
            return {**axes, **_mismatch(trial, folder)}
        if fault := _fault(metrics, columns) or _contradiction(metrics, columns, folder / "history.csv"):
            return {**axes, "status": Status.DAMAGED, "reason": f"{file}: {fault}"}
        dataset = metrics.pop("dataset")
        data = {
            "source": dataset.get("source"),
            "substitute": is_substitute(dataset),
            "digest": dataset.get("digest"),
        }
        return {**axes, **metrics, **data, "version": metrics.get("versions", {}).get("hippo-lab")}
    except FileNotFoundError:
        return {**axes, **(find_failure(folder, trial.digest) or MISSING)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {**axes, "status": Status.DAMAGED}


def _fault(metrics: dict, columns: tuple[Column, ...]) -> str:
    """What an outcome lacks of the content that a table reads; empty if nothing."""
    if metrics["status"] not in (Status.FINISHED, Status.DIVERGED):
        return f"status is {metrics['status']!r}; expected finished or diverged"
    required = [column.metric for column in columns] if metrics["status"] == Status.FINISHED else []
    for key in required:
        value = metrics.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return f"{key} is {value!r}; expected a number"
    return ""


def _contradiction(metrics: dict, columns: tuple[Column, ...], history: Path) -> str:
    """The first score of a finished trial that differs from its history at the best or last epoch; empty if none."""
    if metrics["status"] != Status.FINISHED or not history.exists():
        return ""
    try:
        with history.open(encoding="utf-8", newline="") as file:
            epochs = {row.get("epoch"): row for row in csv.DictReader(file)}
    except (OSError, ValueError, csv.Error):
        return ""
    last = str(metrics.get("epochs"))
    for prefix, epoch in (("", str(metrics.get("best_epoch", last))), ("last_", last)):
        for column, text in epochs.get(epoch, {}).items():
            stated, recorded = metrics.get(f"{prefix}{column}"), _number(text)
            if stated is None or recorded is None or not _is_score(column, columns):
                continue
            if not math.isclose(stated, recorded, rel_tol=1e-9):
                return (
                    f"{prefix}{column} is {stated!r}, but history.csv says {recorded!r} at epoch {epoch}: "
                    "one of the two files was changed after the trial; remove metrics.json to make it again"
                )
    return ""


def _number(text) -> float | None:
    """A finite number of history.csv; None for anything else."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _is_score(name: str, columns: tuple[Column, ...]) -> bool:
    """Whether a column of history.csv is a score that metrics.json repeats."""
    return name.startswith(("validation_", "test_")) or name in {column.metric for column in columns}


def _mismatch(trial: TrialSpec, folder: Path) -> dict:
    """Status of an outcome that belongs to other settings, with the settings as the reason."""
    try:
        made = yaml.safe_load((folder / "trial.yaml").read_text(encoding="utf-8"))
        changed = trial_differences(made, trial.to_mapping())
    except (OSError, ValueError, AttributeError, TypeError, yaml.YAMLError):
        return {"status": Status.OUTDATED}
    status = Status.OTHER_SCALE if "scale" in changed else Status.OUTDATED
    reasons = [f"{key} {old}, now {new}" for key, (old, new) in changed.items() if is_relevant(key)]
    return {"status": status, "reason": f"made with {'; '.join(reasons)}"} if reasons else {"status": status}
