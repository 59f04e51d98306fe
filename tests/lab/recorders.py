"""A recorder that keeps what it receives, and stops the trial at a chosen call."""

import copy
import math


class Stopped(Exception):
    """Raised in place of the end of a process."""


class Rows:
    """Records rows and states in memory.

    `stop` is the number of the call of `pause` that saves and raises `Stopped`; `earlier` is the recorder of the
    attempt that is resumed. `chances` counts the calls of `pause`.
    """

    def __init__(self, stop=math.inf, earlier=None, folder=None):
        self.folder = folder
        self.rows, self.stop, self.saved, self.chances = [], stop, earlier and earlier.saved, 0

    def resume(self):
        if self.saved is None:
            return None
        self.rows = list(self.saved["rows"])
        return self.saved["state"]

    def epoch(self, row):
        self.rows.append(row)

    def pause(self, state):
        self.chances += 1
        if self.chances == self.stop:
            self.save(state())
            raise Stopped

    def save(self, state):
        self.saved = copy.deepcopy({"state": state, "rows": self.rows})
