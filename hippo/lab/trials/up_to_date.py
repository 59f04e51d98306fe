"""Whether an outcome still stands, by content: file times say nothing after a checkout, a copy or a touch."""

import json
import zipfile
from pathlib import Path

import numpy as np

from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.trials.failures import read_json


def stands(trial: TrialSpec, outcome: Path, data: Path, require_real: bool = False) -> bool:
    """Whether metrics.json `outcome` is of these settings, and of the prepared dataset `data` if that is here.

    One of a stand-in does not where real data is required.
    """
    metrics = read_json(outcome)
    made_of = metrics.get("dataset", {})
    if metrics.get("trial") != trial.digest or (require_real and made_of.get("substitute", made_of.get("stand_in"))):
        return False
    return not data.exists() or made_of.get("digest") == _digest(data)


def _digest(path: Path) -> str | None:
    """The digest that a prepared dataset was saved with, without reading its arrays; None of a damaged one."""
    try:
        with np.load(path) as stored:
            return json.loads(str(stored["about"]))["digest"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
