"""A recorder that keeps what it is given."""

import copy
import math


class Stopped(Exception):
    """In place of the end of a process."""


class Rows:
    """Stops the trial at its `stop`-th chance; one with an `earlier` life goes on from there."""

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
