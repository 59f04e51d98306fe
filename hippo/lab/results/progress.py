"""Progress of trials: status, epochs done, and the time that is left."""

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.trials.outcome import read_outcome
from hippo.lab.trials.process import is_running
from hippo.lab.trials.status import Status


@dataclass(frozen=True)
class Progress:
    """Progress of one trial that was started.

    Parameters
    ----------
    trial : str
        Name of the trial.
    status : str
        As in `collect_outcomes`, and `running`, `starting` or `stopped` for a trial without an outcome.
    done : int or None
        Epochs done; None if history.csv cannot be read.
    epochs : int
        Epochs in total.
    seconds_left : float or None
        Time left of a running trial at its mean time per epoch; None if it is not known.
    """

    trial: str
    status: str
    done: int | None
    epochs: int
    seconds_left: float | None


def read_progress(trial: TrialSpec, folder: Path, status: str) -> Progress | None:
    """Read the progress of one trial.

    Parameters
    ----------
    trial : TrialSpec
        The trial.
    folder : Path
        Its folder.
    status : str
        Status of its outcome.

    Returns
    -------
    Progress or None
        None if the trial was not started.
    """
    if status == Status.MISSING and not (folder / "trial.yaml").exists():
        return None
    if status in (Status.MISSING, Status.KILLED) and is_running(folder):
        status = Status.RUNNING
    elif status == Status.MISSING:
        status = Status.STOPPED if (folder / "run.json").exists() else Status.STARTING
    done, seconds = _read_epochs(folder / "history.csv")
    epochs = trial.epochs
    if status == Status.FINISHED and (stated := read_outcome(folder).get("epochs")):
        done = epochs = stated  # a fitted classifier needs one epoch, whatever the training options say
    left = None
    if status == Status.RUNNING and done is not None and math.isfinite(seconds):
        left = seconds * (epochs - done)
    return Progress(trial.name, status, done, epochs, left)


def _read_epochs(history: Path) -> tuple[int | None, float]:
    """Epochs done (None if the file cannot be read) and mean seconds per epoch (NaN if the file does not say)."""
    try:
        rows = pd.read_csv(history)
        return int(rows["epoch"].iloc[-1]), float(rows["seconds"].mean()) if "seconds" in rows else math.nan
    except FileNotFoundError:
        return 0, math.nan
    except (OSError, ValueError, LookupError, TypeError, OverflowError):
        return None, math.nan
