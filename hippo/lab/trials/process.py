"""The process that runs a trial: its host, its number and its start time, which together are unique.

A number alone is not: numbers are used again after a restart of the machine or of the container, and host names such as
"localhost" repeat.
"""

import os
import platform
from pathlib import Path

import psutil

from hippo.lab.trials.outcome import has_outcome, read_json

CLOCK_TOLERANCE = 2.0  # s; psutil adds the boot time, which moves when the system clock is adjusted


def this_process() -> dict[str, str | int | float]:
    """Return the record of this process, as run.json holds it.

    Returns
    -------
    dict
        `host` (name of the machine), `pid`, and `process_started` (seconds since 1970).
    """
    return {
        "host": platform.node(),
        "pid": os.getpid(),
        "process_started": round(psutil.Process().create_time(), 2),
    }


def is_alive(process: dict, gone: tuple[str, ...] = (), written: float | None = None) -> bool:
    """Return whether a recorded process, other than this one, may be running.

    Parameters
    ----------
    process : dict
        `host`, `pid` and `process_started`, numbers also as text. A record without host or pid names no process. A
        record without start time, of the first release, is judged by its pid and `written`.
    gone : tuple of str
        Hosts that run no process any more.
    written : float, optional
        Time at which the record was written, seconds since 1970. A process that started later is another one.

    Returns
    -------
    bool
        True for a process on another host that is not in `gone`, since only its own host could tell.
    """
    host, pid = process.get("host"), str(process.get("pid"))
    if not host or host in gone or not pid.isdecimal():
        return False
    if host != platform.node():
        return True
    if int(pid) in (0, os.getpid()):
        return False
    try:
        if not psutil.pid_exists(int(pid)):  # False for the number of a thread
            return False
        found = psutil.Process(int(pid))
        if found.status() == psutil.STATUS_ZOMBIE:
            return False
        started = found.create_time()
    except psutil.AccessDenied:
        return True
    except (psutil.NoSuchProcess, OverflowError):
        return False
    return _is_same(started, _number(process.get("process_started")), written)


def is_running(folder: Path, gone: tuple[str, ...] = ()) -> bool:
    """Return whether a process may be running the trial of a folder. A trial with an outcome is over.

    Parameters
    ----------
    folder : Path
        Folder of the trial.
    gone : tuple of str
        Hosts that run no process any more.
    """
    return not has_outcome(folder) and is_alive(read_json(folder / "run.json"), gone, written_at(folder / "run.json"))


def written_at(path: Path) -> float | None:
    """Return the time of the last change of a file, seconds since 1970; None if there is no such file."""
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _is_same(started: float, recorded: float | None, written: float | None) -> bool:
    """Whether the process that `started` then is the recorded one."""
    if recorded is not None:
        return abs(started - recorded) <= CLOCK_TOLERANCE
    return written is None or started <= written + CLOCK_TOLERANCE


def _number(value) -> float | None:
    """`value` as a number; None if it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
