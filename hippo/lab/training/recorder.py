"""Recorder of a running trial: history, checkpoints and tracked run."""

import errno
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from hippo.files import write_text
from hippo.lab.tracking.run import TrackedRun
from hippo.lab.training.interruption import Interrupted, Interruption
from hippo.lab.trials.checkpoints import Checkpoints

MINUTES = 5  # between checkpoints inside an epoch


class Recorder:
    """Takes a row of numbers per epoch, and the states that a trial can be resumed from.

    Parameters
    ----------
    folder : Path
        Folder of the trial.
    run : TrackedRun
        Its tracked run.
    checkpoints : Checkpoints
        Its checkpoints. If there is one, the rows and the state of the last attempt are restored from it.
    interruption : Interruption
        Notes signals.
    kernels : str, default ""
        Name of the kernels in use. Other kernels round differently.

    Attributes
    ----------
    rows : list of dict
        Numbers of each epoch so far, earlier attempts included.
    resumed : bool
        Whether a state was restored.
    seconds : float
        Time of all earlier attempts.
    """

    def __init__(
        self, folder: Path, run: TrackedRun, checkpoints: Checkpoints, interruption: Interruption, kernels: str = ""
    ):
        self.folder, self.run, self.checkpoints, self.interruption = folder, run, checkpoints, interruption
        saved = checkpoints.load() or {"rows": [], "seconds": 0.0, "commits": [], "state": None}
        self.rows: list[dict] = saved["rows"]
        self.seconds: float = saved["seconds"]
        self._commits: list[str] = list(dict.fromkeys([*saved["commits"], run.commit]))
        self._kernels: list[str] = list(dict.fromkeys([*saved.get("kernels", []), kernels]))
        self._state: dict | None = saved["state"]
        self.resumed = self._state is not None
        if not self.resumed:
            (folder / "history.csv").unlink(missing_ok=True)  # of an attempt whose state is lost
        self._started = self._saved = time.monotonic()

    @property
    def earlier_commits(self) -> list[str]:
        """Other commits of the source tree at which the trial was trained before."""
        return [commit for commit in self._commits if commit != self.run.commit]

    @property
    def kernels(self) -> str:
        """Names of the kernels of all attempts, in their order."""
        return ", ".join(self._kernels)

    def resume(self) -> dict | None:
        """Return the restored state, or None. The recorder then releases it: a second call returns None."""
        state, self._state = self._state, None
        return state

    def epoch(self, row: dict[str, float]) -> None:
        """Record the numbers of one epoch in history.csv and in the tracked run.

        Parameters
        ----------
        row : dict of float
            Numbers by name, `epoch` among them.

        Raises
        ------
        FileNotFoundError
            If the folder of the trial was removed.
        """
        if not (self.folder / "trial.yaml").exists():
            raise FileNotFoundError(errno.ENOENT, "the trial's folder was removed while it ran", str(self.folder))
        self.rows.append(row)
        write_text(self.folder / "history.csv", pd.DataFrame(self.rows).to_csv(index=False))
        self.run.deliver(self.rows)

    def pause(self, state: Callable[[], dict]) -> None:
        """Save a checkpoint if the last one is `MINUTES` old, or if a signal came.

        Parameters
        ----------
        state : callable
            Returns the state. To be called between any two steps.

        Raises
        ------
        Interrupted
            If a signal came.
        """
        if self.interruption.caught is not None or time.monotonic() - self._saved > 60 * MINUTES:
            self.save(state())

    def save(self, state: dict) -> None:
        """Save a checkpoint now.

        Parameters
        ----------
        state : dict
            Tensors, numbers, strings, None, and lists and dicts of them.

        Raises
        ------
        Interrupted
            If a signal came.
        """
        attempt = {"seconds": self.elapsed(), "commits": self._commits, "kernels": self._kernels}
        self.checkpoints.save({"state": state, "rows": self.rows, **attempt})
        self._saved = time.monotonic()
        if self.interruption.caught is not None:
            raise Interrupted(self.interruption.caught)

    def elapsed(self) -> float:
        """Return the seconds that this trial has taken, earlier attempts included."""
        return self.seconds + time.monotonic() - self._started
