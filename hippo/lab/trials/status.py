"""The states of trials, as outcomes, tables and lists name them. Free of torch and pandas."""

from enum import StrEnum


class Status(StrEnum):
    """State of a trial. The values are those in metrics.json, failure.json and the tables.

    `FINISHED` and `DIVERGED` are states of outcomes; `FAILED` and `KILLED` of trials that ended without one. The others
    are found when a folder is read: `MISSING` (not started, or not ended), `OUTDATED` and `OTHER_SCALE` (an outcome of
    other settings), `DAMAGED`; and, of a trial without an outcome, `RUNNING`, `STARTING` and `STOPPED`.
    """

    FINISHED = "finished"
    DIVERGED = "diverged"
    FAILED = "failed"
    KILLED = "killed"
    MISSING = "missing"
    OUTDATED = "outdated"
    OTHER_SCALE = "of another scale"
    DAMAGED = "damaged"
    RUNNING = "running"
    STARTING = "starting"
    STOPPED = "stopped"
