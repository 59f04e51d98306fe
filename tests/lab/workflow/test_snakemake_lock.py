"""Locks of Snakemake processes that have ended, and of those that may be running."""

import json
import math
import os
import platform

import psutil
import pytest

from hippo.lab.workflow import snakemake_lock as module

HERE, LIVING = platform.node(), os.getppid()
STARTED = psutil.Process(LIVING).create_time()
ENDED = {"host": HERE, "pid": LIVING, "process_started": STARTED - 3600}  # its number is used again


@pytest.fixture
def folder(tmp_path):
    """A folder .snakemake with a lock of two files, taken at time 1000."""
    (tmp_path / "locks").mkdir()
    (tmp_path / module.RECORDS).mkdir()
    for name in ("0.input.lock", "0.output.lock"):
        (tmp_path / "locks" / name).write_text("file\n")
        os.utime(tmp_path / "locks" / name, (1000, 1000))
    return tmp_path


def record(folder, process: dict, written: float) -> None:
    path = folder / module.RECORDS / f"{written}.json"
    path.write_text(json.dumps(process))
    os.utime(path, (written, written))


def test_the_time_of_the_record_is_that_of_its_file(tmp_path):
    """The clock of a disk may be an hour behind that of this machine."""
    assert module.recorded_at(tmp_path) == math.inf
    module.record_process(tmp_path)
    (written,) = (tmp_path / module.RECORDS).iterdir()
    os.utime(written, (1000.5, 1000.5))
    assert module.recorded_at(tmp_path) == 1000.5


def test_a_lock_of_an_ended_process_is_removed_with_its_record(folder, capsys):
    record(folder, ENDED, 1001)
    module.release_stale_locks(folder, ["pmnist", "--cores", "2"])
    assert not module.lock_files(folder) and not list((folder / module.RECORDS).iterdir())
    assert "removed the lock" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["-n"], ["-np", "pmnist"], ["--summary"], ["--report", "x.zip"], ["--unlock"]])
def test_a_plan_removes_no_lock(folder, arguments):
    record(folder, ENDED, 1001)
    module.release_stale_locks(folder, arguments)
    assert len(module.lock_files(folder)) == 2


PROCESSES = {
    "living": {"host": HERE, "pid": LIVING, "process_started": STARTED},
    "on another host": {"host": "another", "pid": 1, "process_started": 1.0},
}


@pytest.mark.parametrize("process", PROCESSES)
def test_a_lock_stays_while_any_process_may_be_running(folder, process, capsys):
    record(folder, ENDED, 1001)
    record(folder, PROCESSES[process], 1002)
    module.release_stale_locks(folder, ["pmnist"])
    assert len(module.lock_files(folder)) == 2
    assert f"process {PROCESSES[process]['pid']} on {PROCESSES[process]['host']}" in capsys.readouterr().err


def test_a_lock_that_is_newer_than_every_record_stays(folder, capsys):
    """Its process may be running and may not have recorded itself yet."""
    record(folder, ENDED, 999)
    module.release_stale_locks(folder, ["pmnist"])
    assert len(module.lock_files(folder)) == 2
    assert "type: snakemake --unlock" in capsys.readouterr().err


def test_a_process_records_itself_and_removes_its_record(folder):
    module.record_process(folder)
    (path,) = (folder / module.RECORDS).iterdir()
    assert json.loads(path.read_text())["pid"] == os.getpid()
    module.remove_record(folder)
    assert not path.exists()
