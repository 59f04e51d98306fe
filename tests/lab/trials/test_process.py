import json
import os
import platform
import subprocess
import sys
import threading
import time

import psutil
import pytest

from hippo.lab.trials.process import is_alive, is_running, this_process, written_at

HERE = platform.node()


@pytest.fixture
def ended():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def living():
    """A process that waits; its record."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield {"host": HERE, "pid": process.pid, "process_started": psutil.Process(process.pid).create_time()}
    process.communicate()


def test_a_process_is_recorded_as_another_process_finds_it():
    code = "import json; from hippo.lab.trials.process import this_process; print(json.dumps(this_process())); input()"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    record = json.loads(child.stdout.readline())
    assert record["pid"] == child.pid and is_alive(record)
    child.communicate("\n")
    assert not is_alive(record)


def test_a_process_with_the_recorded_start_time_is_alive(living):
    assert is_alive(living)
    assert is_alive({key: str(value) for key, value in living.items()})  # as MLflow's tags hold it


@pytest.mark.parametrize("seconds", [-3600, -10, 10, 3600])
def test_a_process_with_another_start_time_has_only_the_same_number(living, seconds):
    assert not is_alive({**living, "process_started": living["process_started"] + seconds})


def test_a_record_without_start_time_is_judged_by_the_time_at_which_it_was_written(living):
    old = {"host": HERE, "pid": living["pid"]}
    assert is_alive(old)
    assert is_alive(old, written=time.time() + 60)
    assert not is_alive(old, written=living["process_started"] - 60)  # the number was given to a later process


def test_an_ended_process_is_not_alive(ended):
    assert not is_alive({"host": HERE, "pid": ended})
    assert not is_alive({"host": HERE, "pid": str(ended)})


def test_a_process_that_ended_but_was_not_waited_for_is_not_alive():
    process = subprocess.Popen([sys.executable, "-c", ""])
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert not is_alive({"host": HERE, "pid": process.pid})
    process.wait()


def test_the_number_of_a_thread_is_no_process():
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    try:
        os.kill(thread.native_id, 0)  # succeeds: the system answers for threads too
        assert not is_alive({"host": HERE, "pid": thread.native_id})
    finally:
        release.set()
        thread.join()


def test_a_process_of_another_host_may_be_alive_unless_the_host_is_gone(ended):
    assert is_alive({"host": "another", "pid": ended})
    assert not is_alive({"host": "another", "pid": ended}, gone=("another",))


@pytest.mark.parametrize("pid", [None, "none", "", -1, 0, 1.5, 10**30])
def test_what_is_no_process_number_is_not_alive(pid):
    assert not is_alive({"host": HERE, "pid": pid})


def test_a_record_without_host_or_number_names_no_process():
    assert not is_alive({}) and not is_alive({"host": HERE}) and not is_alive({"host": "another"})
    assert not is_alive({"pid": os.getppid()})


def test_this_process_is_no_other_process():
    assert not is_alive(this_process())


def test_a_damaged_start_time_counts_as_missing(living):
    assert is_alive({**living, "process_started": "yesterday"})


@pytest.mark.parametrize("outcome", ["outcome.json", "metrics.json"])
def test_a_trial_with_an_outcome_is_over_whatever_process_lives(tmp_path, living, outcome):
    (tmp_path / "run.json").write_text(json.dumps(living))
    assert is_running(tmp_path)
    (tmp_path / outcome).write_text("{}")
    assert not is_running(tmp_path)


def test_a_folder_whose_old_record_is_older_than_the_process_does_not_run(tmp_path, living):
    run = tmp_path / "run.json"
    run.write_text(json.dumps({"host": HERE, "pid": living["pid"]}))
    assert is_running(tmp_path) and written_at(run) == run.stat().st_mtime
    long_ago = living["process_started"] - 1000
    os.utime(run, (long_ago, long_ago))
    assert not is_running(tmp_path) and not is_running(tmp_path / "absent")
