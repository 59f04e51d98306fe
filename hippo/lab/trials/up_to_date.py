"""Whether an outcome is up to date. Content decides: file times say nothing after a checkout, a copy or a touch."""

import json
import zipfile
from pathlib import Path

import numpy as np

from hippo.files import write_json
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.trials.outcome import COPY, SOURCE, is_substitute, read_json


def is_up_to_date(trial: TrialSpec, outcome: Path, data: Path, require_real: bool = False) -> bool:
    """Return whether an outcome has the settings of a trial and was made from its prepared dataset.

    Parameters
    ----------
    trial : TrialSpec
        The trial, as the experiment file describes it now.
    outcome : Path
        metrics.json or outcome.json.
    data : Path
        The prepared dataset (.npz). If the file does not exist, only the settings are compared.
    require_real : bool
        Whether an outcome of synthetic substitute data is out of date.
    """
    return _matches(trial, read_json(outcome), data, require_real)


def restore_outcome(folder: Path, trial: TrialSpec, data: Path) -> dict | None:
    """Restore metrics.json of a finished trial whose outcome is up to date.

    Parameters
    ----------
    folder : Path
        Folder of the trial.
    trial : TrialSpec
        The trial, as the experiment file describes it now.
    data : Path
        The prepared dataset (.npz).

    Returns
    -------
    dict or None
        The content of metrics.json. None, and no file is changed, if no outcome is up to date.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    source, copy = read_json(folder / SOURCE), read_json(folder / COPY)
    for metrics in (source, copy):  # the first release wrote metrics.json only
        if _matches(trial, metrics, data):
            for name, content in ((SOURCE, source), (COPY, copy)):
                if content != metrics:
                    write_json(folder / name, metrics)
            return metrics
    return None


def _matches(trial: TrialSpec, metrics: dict, data: Path, require_real: bool = False) -> bool:
    """Whether `metrics` has the settings of `trial` and the dataset `data`."""
    dataset = metrics.get("dataset")
    if metrics.get("trial") != trial.digest or not isinstance(dataset, dict):
        return False
    if require_real and is_substitute(dataset):
        return False
    return not data.exists() or dataset.get("digest") == _dataset_digest(data)


def _dataset_digest(path: Path) -> str | None:
    """The digest that a prepared dataset was saved with, without reading its arrays; None if the file is damaged."""
    try:
        with np.load(path) as stored:
            return json.loads(str(stored["about"]))["digest"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
