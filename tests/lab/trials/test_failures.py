import json
import os
import platform
import subprocess
import sys

import pytest

from hippo.lab.trials.failures import KILLED, alive, failure


@pytest.fixture
def over():
    """The number of a process that was."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


HERE = platform.node()


def test_a_process_of_this_machine_is_asked_for(over):
    assert alive({"host": HERE, "pid": os.getppid()})
    assert not alive({"host": HERE, "pid": over})
    assert not alive({"host": HERE, "pid": str(over)})  # as MLflow's tags say it


def test_a_process_of_another_machine_may_live_unless_it_is_said_gone(over):
    assert alive({"host": "another", "pid": over})
    assert not alive({"host": "another", "pid": over}, gone=("another",))


@pytest.mark.parametrize("pid", [None, "none", "", -1, 0, 1.5, 10**30])
def test_what_names_no_process_is_over(pid):
    assert not alive({"host": HERE, "pid": pid})


def test_a_process_without_host_or_number_is_none():
    assert not alive({}) and not alive({"host": HERE}) and not alive({"host": "another"})
    assert not alive({"pid": os.getppid()})


def test_why_a_trial_has_no_outcome(tmp_path, over):
    assert failure(tmp_path, "settings") is None  # never started
    run = {"identity": "settings-data", "host": HERE, "pid": over}
    (tmp_path / "run.json").write_text(json.dumps(run))
    assert failure(tmp_path, "settings") == KILLED
    assert failure(tmp_path, "others") is None
    word = {"status": "failed", "reason": "OSError: no room", "trial": "settings"}
    (tmp_path / "failure.json").write_text(json.dumps(word))
    assert failure(tmp_path, "settings") == {"status": "failed", "reason": "OSError: no room"}
    (tmp_path / "failure.json").write_text("no JSON")
    (tmp_path / "run.json").write_text(json.dumps({**run, "pid": os.getppid()}))
    assert failure(tmp_path, "settings") is None  # it runs
