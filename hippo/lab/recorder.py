"""What a running trial leaves behind as it goes: its history, its checkpoints, its tracked run."""

import errno
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from hippo.files import write_text
from hippo.lab.checkpoints import Checkpoints
from hippo.lab.interruption import Interrupted, Interruption
from hippo.lab.tracking import TrackedRun

MINUTES = 5  # between checkpoints inside an epoch


class Recorder:
    """Takes a row of numbers per epoch, and the trial's state now and then."""

    def __init__(self, folder: Path, run: TrackedRun, checkpoints: Checkpoints, interruption: Interruption):
        self.folder, self.run, self.checkpoints, self.interruption = folder, run, checkpoints, interruption
        self.rows: list[dict] = []
        self.seconds = 0.0  # of this trial's earlier lives
        self._started = self._saved = time.monotonic()

    def resume(self) -> dict | None:
        """The state that the trial was last saved in, if it was; its rows are taken up again."""
        saved = self.checkpoints.load()
        if saved is None:
            return None
        self.rows, self.seconds = saved["rows"], saved["seconds"]
        return saved["state"]

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
        self.checkpoints.save({"state": state, "rows": self.rows, "seconds": self.elapsed()})
        self._saved = time.monotonic()
        if self.interruption.caught is not None:
            raise Interrupted(self.interruption.caught)

    def elapsed(self) -> float:
        """Seconds that this trial has taken, earlier lives included."""
        return self.seconds + time.monotonic() - self._started
