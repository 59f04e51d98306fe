"""What a running trial leaves behind as it goes: its history, its checkpoints, its tracked run."""

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
    """Takes a row of numbers per epoch, and the trial's state now and then.

    What an earlier life left is taken up again: its `rows`, and its state (`resume`) if it was `resumed`.
    """

    def __init__(self, folder: Path, run: TrackedRun, checkpoints: Checkpoints, interruption: Interruption):
        self.folder, self.run, self.checkpoints, self.interruption = folder, run, checkpoints, interruption
        saved = checkpoints.load() or {"rows": [], "seconds": 0.0, "commits": [], "state": None}
        self.rows: list[dict] = saved["rows"]
        self.seconds: float = saved["seconds"]  # of this trial's earlier lives
        self._commits: list[str] = list(dict.fromkeys([*saved["commits"], run.commit]))
        self._state: dict | None = saved["state"]
        self.resumed = self._state is not None
        if not self.resumed:
            (folder / "history.csv").unlink(missing_ok=True)  # of another life, whose state is lost
        self._started = self._saved = time.monotonic()

    @property
    def earlier_commits(self) -> list[str]:
        """Commits of the source tree, other than now, at which the trial was trained before."""
        return [commit for commit in self._commits if commit != self.run.commit]

    def resume(self) -> dict | None:
        """The state that the trial was last saved in, if it was; to be asked once."""
        state, self._state = self._state, None
        return state

    def epoch(self, row: dict[str, float]) -> None:
        """Record one epoch's numbers, row["epoch"] among them: to history.csv, and to the tracked run.

        FileNotFoundError where the trial's folder is no longer there.
        """
        if not (self.folder / "trial.yaml").exists():
            raise FileNotFoundError(errno.ENOENT, "the trial's folder was removed while it ran", str(self.folder))
        self.rows.append(row)
        write_text(self.folder / "history.csv", pd.DataFrame(self.rows).to_csv(index=False))
        self.run.deliver(self.rows)

    def pause(self, state: Callable[[], dict]) -> None:
        """Call between steps: saves `state()` every few minutes, and when a signal came, then stops the trial."""
        if self.interruption.caught is not None or time.monotonic() - self._saved > 60 * MINUTES:
            self.save(state())

    def save(self, state: dict) -> None:
        """Save `state` now; Interrupted if a signal came."""
        self.checkpoints.save({"state": state, "rows": self.rows, "seconds": self.elapsed(), "commits": self._commits})
        self._saved = time.monotonic()
        if self.interruption.caught is not None:
            raise Interrupted(self.interruption.caught)

    def elapsed(self) -> float:
        """Seconds that this trial has taken, earlier lives included."""
        return self.seconds + time.monotonic() - self._started
