"""The lock that a Snakemake process takes on the working folder, and whether that process has ended.

Snakemake's lock files name no process. If Snakemake is killed, they remain, and every later run ends in a
LockException. Each run therefore records its process after it has taken the lock; the next run removes locks that were
taken before the record was written by a process that has ended.
"""

import math
import os
import sys
from pathlib import Path

from hippo.files import write_json
from hippo.lab.trials.outcome import read_json
from hippo.lab.trials.process import is_alive, this_process, written_at

RECORDS = "hippo-processes"  # folder inside .snakemake
# Options with which Snakemake only plans or reports. Such a run changes nothing, so that it removes no lock.
PLANNING = (
    *("dryrun", "lint", "list_rules", "list_target_rules", "summary", "detailed_summary"),
    *("dag", "rulegraph", "filegraph", "d3dag", "report", "unlock"),
)


def record_process(snakemake: Path) -> None:
    """Record this process as one that holds a lock.

    Parameters
    ----------
    snakemake : Path
        Snakemake's folder `.snakemake`.
    """
    write_json(_record(snakemake), this_process())


def remove_record(snakemake: Path) -> None:
    """Remove the record of this process."""
    _record(snakemake).unlink(missing_ok=True)


def recorded_at(snakemake: Path) -> float:
    """Return when this process was recorded, to compare with times of files.

    The time is that of the file, set by the disk: the clock of a file server may differ from that of this machine.

    Parameters
    ----------
    snakemake : Path
        Snakemake's folder `.snakemake`.

    Returns
    -------
    float
        Seconds since 1970; infinite if there is no record, so that no file is as new.
    """
    written = written_at(_record(snakemake))
    return math.inf if written is None else written


def stale_locks(snakemake: Path) -> list[Path]:
    """Return the lock files whose Snakemake process has ended.

    Parameters
    ----------
    snakemake : Path
        Snakemake's folder `.snakemake`.

    Returns
    -------
    list of Path
        Empty while any recorded process may be running, on this host or another. A lock that is newer than every record
        is not among them: its process may not have written its record yet.
    """
    records = sorted((snakemake / RECORDS).glob("*.json"))
    if any(is_alive(read_json(record), written=written_at(record)) for record in records):
        return []
    newest = max((written_at(record) or 0.0 for record in records), default=0.0)
    return [lock for lock in lock_files(snakemake) if (written_at(lock) or 0.0) <= newest]


def lock_files(snakemake: Path) -> list[Path]:
    """Return all lock files."""
    return sorted((snakemake / "locks").glob("*.lock"))


def holders(snakemake: Path) -> list[str]:
    """Return the recorded processes that may be running, as "process 12 on host"."""
    records = [(read_json(path), written_at(path)) for path in sorted((snakemake / RECORDS).glob("*.json"))]
    alive = [record for record, written in records if is_alive(record, written=written)]
    return [f"process {record['pid']} on {record['host']}" for record in alive]


def release_stale_locks(snakemake: Path, arguments: list[str]) -> None:
    """Remove locks of processes that have ended; say on stderr which process holds the others, and what to do.

    It is called while the Snakefile is parsed, before Snakemake takes its own lock.

    Parameters
    ----------
    snakemake : Path
        Snakemake's folder `.snakemake`.
    arguments : list of str
        Arguments of the command line. If they ask for a plan or a report, nothing is done.
    """
    locks = lock_files(snakemake)
    if not locks or not _takes_lock(arguments):
        return
    for lock in stale_locks(snakemake):
        lock.unlink(missing_ok=True)
    if remaining := lock_files(snakemake):
        print(advice(snakemake, remaining), file=sys.stderr)
    else:
        for record in (snakemake / RECORDS).glob("*.json"):
            record.unlink(missing_ok=True)
        print("removed the lock of a Snakemake process that was killed", file=sys.stderr)


def advice(snakemake: Path, locks: list[Path]) -> str:
    """Return what to do about locks that remain."""
    if found := holders(snakemake):
        return f"Snakemake runs here already ({', '.join(found)}): wait until it ends, and do not use --unlock"
    return f"{locks[0]}: left by an unknown Snakemake process; if none runs here, type: snakemake --unlock"


def _takes_lock(arguments: list[str]) -> bool:
    """Whether a Snakemake command line executes jobs."""
    from snakemake.cli import get_argument_parser

    try:
        options, _ = get_argument_parser().parse_known_args(arguments)
    except SystemExit:  # not Snakemake's own command line
        return False
    return not any(getattr(options, name, None) for name in PLANNING)


def _record(snakemake: Path) -> Path:
    """The record of this process."""
    return snakemake / RECORDS / f"{os.getpid()}.json"
