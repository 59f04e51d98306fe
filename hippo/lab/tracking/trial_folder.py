"""Content of a trial folder as the store needs it, checked: folders may be damaged or of another version."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.plan.yaml_files import read_yaml


class UnreadableError(Exception):
    """A file of a trial's folder is damaged, or is not what a trial writes."""


@dataclass(frozen=True)
class TrialFolder:
    """Content of a trial folder.

    Parameters
    ----------
    trial : TrialSpec
        trial.yaml.
    process : dict
        run.json; {} if there is none.
    metrics : dict
        The outcome; {} if there is none.
    rows : list of dict
        history.csv, one mapping per epoch.
    """

    trial: TrialSpec
    process: dict
    metrics: dict
    rows: list[dict]

    @property
    def record(self) -> dict:
        """The outcome, or run.json without one: both name dataset and commit."""
        return self.metrics or self.process

    @property
    def identity(self) -> str:
        """Digest of settings and data, as the trial's run has it."""
        return f"{self.trial.digest}-{self.record['dataset']['digest'][:16]}"


def read_trial_folder(folder: Path) -> TrialFolder:
    """Read and check a trial folder.

    Raises
    ------
    UnreadableError, ConfigError, OSError
        If a file is damaged, or was written by a version that used other keys. The message names the file.
    """
    trial = TrialSpec.from_mapping(read_yaml(folder / "trial.yaml"), str(folder / "trial.yaml"))
    process = _read_json(folder / "run.json", {"run_id", "host", "pid", "dataset"})
    outcome = next((folder / name for name in ("metrics.json", "outcome.json") if (folder / name).exists()), None)
    metrics = _read_json(outcome, {"status", "seconds", "dataset"}) if outcome else {}
    return TrialFolder(trial, process, metrics, _read_history(folder / "history.csv"))


def _read_json(path: Path, keys: set[str]) -> dict:
    """The mapping in a JSON file that must have `keys`; {} without the file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(content, dict):
        raise UnreadableError(f"{path}: expected a mapping of keys")
    if missing := keys - content.keys():
        raise UnreadableError(f"{path}: key {min(missing)!r} is missing")
    data = content["dataset"]
    has_substitute = isinstance(data, dict) and ("substitute" in data or "stand_in" in data)  # key of the first release
    if not has_substitute or not {"digest", "source"} <= data.keys():
        raise UnreadableError(f"{path}: dataset = {data!r}: expected digest, source and substitute")
    return content


def _read_history(path: Path) -> list[dict]:
    """Rows of history.csv; [] without the file or in an empty one."""
    try:
        rows = pd.read_csv(path, float_precision="round_trip")
    except (FileNotFoundError, pd.errors.EmptyDataError):
        return []
    except ValueError as error:
        raise UnreadableError(f"{path}: not valid CSV: {error}") from None
    if "epoch" not in rows or len(rows.select_dtypes("number").columns) < len(rows.columns):
        raise UnreadableError(f"{path}: expected columns of numbers, epoch among them")
    return rows.to_dict("records")
