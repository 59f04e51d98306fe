"""The lock of a trial: one process at a time runs it, on this machine or on another that shares the disk.

The lock is on a file that is open for writing. On a network disk the system then asks the file server, which locks for
all machines; a lock on the folder itself would be refused there. It ends with its process, and with its machine.
"""

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hippo.config import ConfigError
from hippo.lab.trials.outcome import read_json

log = logging.getLogger(__name__)

NAME = ".lock"  # stays in the folder: to remove it would let two processes lock two files of the same name
POLL_SECONDS = 0.5


class LockedError(ConfigError):
    """Another process holds the lock of a trial."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Context that one process at a time can enter; without effect on a file system without locks.

    Parameters
    ----------
    folder : Path
        Folder of the trial.

    Raises
    ------
    LockedError
        If another process runs or imports the trial. The message names the process that ran it last.
    """
    handle = _open(folder)
    try:
        if not _acquire(handle, folder):
            other = read_json(folder / "run.json")
            who = f"process {other['pid']} on {other['host']}" if {"pid", "host"} <= other.keys() else "another process"
            raise LockedError(f"{folder}: {who} is training or importing this trial; wait until it ends, or end it")
        yield
    finally:
        os.close(handle)


def wait_until_unlocked(folder: Path, check) -> None:
    """Wait until no other process holds the lock of a trial.

    Parameters
    ----------
    folder : Path
        Folder of the trial; it need not exist.
    check : callable
        Is called while the lock is held elsewhere, and may raise to stop waiting.
    """
    if not folder.is_dir():
        return
    handle, told = _open(folder), False
    try:
        while not _acquire(handle, folder):
            if not told:
                log.info("%s: another process is running this trial; waiting until it ends", folder)
            told = True
            check()
            time.sleep(POLL_SECONDS)
    finally:
        os.close(handle)


def _open(folder: Path) -> int:
    """The open lock file."""
    return os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o644)


def _acquire(handle: int, folder: Path) -> bool:
    """Take the lock; False if another process holds it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # a file system without locks
        log.info("%s: cannot be locked: %s", folder, error)
    return True
