"""What the trials of a table left behind: a row for each, and the reason where there is no number."""

import json
import math
from pathlib import Path

import pandas as pd
import yaml

from hippo.lab.plan.experiment import Experiment
from hippo.lab.plan.tasks import TASKS
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.trials.failures import failure

MISSING = {"status": "missing"}
AXES = ["folder", "variant", "row", "seed", "status", "run_id"]


def collect(experiment: Experiment, trials: Path) -> pd.DataFrame:
    """One row per trial of the table: its axes, status and numbers.

    A trial without metrics.json is `failed` or `killed`, with its reason, where it was started, else `missing`. One
    made with other settings, or by a version that knew others, is `outdated` or `of another scale`; one that cannot
    be read, or lacks a number of the table, `damaged`. None of these has a number, so that nothing averages them.
    """
    return pd.DataFrame([_outcome(trial, trials / trial.name) for trial in experiment.trials()])


def per_seed(outcomes: pd.DataFrame) -> pd.DataFrame:
    """One row per trial: folder under trials/, axes, status, run id, then every number as the trial wrote it."""
    numbers = [c for c in outcomes.select_dtypes("number").columns if c not in AXES]
    return outcomes.reindex(columns=[*AXES, *numbers])


def _outcome(trial: TrialSpec, folder: Path) -> dict:
    axes = {"variant": trial.variant, "row": trial.model, "seed": trial.seed, "folder": trial.name}
    try:
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        if metrics["trial"] != trial.digest:  # made with other settings: its number is not this table's
            return {**axes, **_mismatch(trial, folder)}
        if fault := _fault(trial, metrics):
            return {**axes, "status": "damaged", "reason": f"metrics.json: {fault}"}
        dataset = metrics.pop("dataset")
        about = {key: dataset.get(key) for key in ("source", "stand_in", "digest")}
        return {**axes, **metrics, **about, "version": metrics.get("versions", {}).get("hippo-lab")}
    except FileNotFoundError:
        return {**axes, **(failure(folder, trial.digest) or MISSING)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {**axes, "status": "damaged"}


def _fault(trial: TrialSpec, metrics: dict) -> str:
    """What an outcome lacks of what a table reads, or the empty string."""
    if metrics["status"] not in ("finished", "diverged"):
        return f"status is {metrics['status']!r}; expected finished or diverged"
    wanted = [column.metric for column in TASKS[trial.task].columns] if metrics["status"] == "finished" else []
    for key in wanted:
        value = metrics.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return f"{key} is {value!r}; expected a number"
    return ""


def _mismatch(trial: TrialSpec, folder: Path) -> dict:
    try:
        made = yaml.safe_load((folder / "trial.yaml").read_text(encoding="utf-8"))
        changed = setting_differences(made, trial.model_dump(mode="json"))
    except (OSError, ValueError, AttributeError, yaml.YAMLError):
        return {"status": "outdated"}
    status = "of another scale" if "scale" in changed else "outdated"
    words = [f"{key} {old}, now {new}" for key, (old, new) in changed.items() if key not in ("threads", "sweep")]
    return {"status": status, "reason": f"made with {'; '.join(words)}"} if words else {"status": status}


def setting_differences(one: dict, other: dict) -> dict[str, tuple]:
    """Settings (dotted keys) that differ between two mappings, with both values."""
    one, other = _flat(one), _flat(other)
    keys = sorted(one.keys() | other.keys())
    return {key: (one.get(key), other.get(key)) for key in keys if one.get(key) != other.get(key)}


def _flat(settings: dict, prefix: str = "") -> dict:
    flat = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat
