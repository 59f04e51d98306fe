"""Which process may write a run, and which run a trial continues."""

import os
import subprocess
import sys

import psutil
import pytest
from mlflow.exceptions import MlflowException

from hippo.config import ConfigError
from hippo.lab.tracking.import_runs import reconcile
from hippo.lab.trials.outcome import read_json
from tests.lab.tracked import DATA, HERE, LIVING, make_run, make_trial, rows


@pytest.fixture
def ended():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("host", [HERE, "another"], ids=["here", "elsewhere"])
def test_a_run_whose_process_may_be_running_is_not_continued(tracking, tmp_path, host):
    """Two clones of the project with one store."""
    trial = make_trial(tracking.experiment)
    first, second = make_run(trial, tmp_path / "clone1"), make_run(trial, tmp_path / "clone2")
    first.start(resumed=False)
    first.deliver(rows(2))
    tracking.set_process(first.id, host, LIVING)
    second.start(resumed=False)
    second.deliver(rows(3))
    first.delivery.log(rows(3))
    assert first.id != second.id
    assert tracking.steps(first.id) == tracking.steps(second.id) == [1, 2, 3]
    runs = tracking.runs()
    assert {run.info.status for run in runs.values()} == {"RUNNING"}
    assert not any("superseded" in run.data.tags for run in runs.values())


def test_a_run_whose_process_has_ended_is_continued(tracking, tmp_path, ended):
    trial = make_trial(tracking.experiment)
    first, second = make_run(trial, tmp_path / "clone1"), make_run(trial, tmp_path / "clone2")
    first.start(resumed=False)
    first.deliver(rows(2))
    tracking.set_process(first.id, HERE, ended)
    second.start(resumed=False)
    second.deliver(rows(3))
    assert second.id == first.id and tracking.steps(second.id) == [1, 2, 3]
    assert tracking.runs()[second.id].data.tags["pid"] == str(os.getpid())


def test_a_run_whose_process_number_is_used_again_is_continued(tracking, tmp_path):
    """A living process with the recorded number, which started at another time, is another process."""
    trial = make_trial(tracking.experiment)
    first, second = make_run(trial, tmp_path / "clone1"), make_run(trial, tmp_path / "clone2")
    first.start(resumed=False)
    tracking.set_process(first.id, HERE, LIVING, psutil.Process(LIVING).create_time() - 3600)
    second.start(resumed=False)
    assert second.id == first.id
    tracking.set_process(first.id, HERE, LIVING, psutil.Process(LIVING).create_time())
    third = make_run(trial, tmp_path / "clone3")
    third.start(resumed=False)
    assert third.id != first.id


def test_a_folder_continues_its_own_run_on_another_host(tracking, tmp_path):
    """On a cluster, the node that trained it cannot be asked."""
    trial = make_trial(tracking.experiment)
    first = make_run(trial, tmp_path / "shared")
    first.start(resumed=False)
    tracking.set_process(first.id, "another", 1)
    second = make_run(trial, tmp_path / "shared")
    second.start(resumed=True)
    assert second.id == first.id


def test_a_folder_prefers_its_own_run_to_an_equal_one(tracking, tmp_path):
    trial = make_trial(tracking.experiment)
    first, second = make_run(trial, tmp_path / "clone1"), make_run(trial, tmp_path / "clone2")
    first.start(resumed=False)
    tracking.set_process(first.id, HERE, LIVING)
    second.start(resumed=False)
    for run in (first, second):
        run.stop([], "KILLED", "stopped")
    again = make_run(trial, tmp_path / "clone1")
    again.start(resumed=True)
    assert again.id == first.id


def test_a_start_from_scratch_supersedes_runs_that_no_process_writes(tracking, tmp_path, ended):
    older, other = make_trial(tracking.experiment, batch_size=1), make_trial(tracking.experiment, batch_size=2)
    killed, living = make_run(older, tmp_path / "one"), make_run(other, tmp_path / "two")
    killed.start(resumed=False)
    tracking.set_process(killed.id, HERE, LIVING)
    living.start(resumed=False)
    tracking.set_process(killed.id, HERE, ended)
    tracking.set_process(living.id, HERE, LIVING)
    newest = make_run(make_trial(tracking.experiment), tmp_path / "three")
    newest.start(resumed=False)
    runs = tracking.runs()
    assert (runs[killed.id].info.status, runs[killed.id].data.tags.get("superseded")) == ("KILLED", "true")
    assert (runs[living.id].info.status, runs[living.id].data.tags.get("superseded")) == ("RUNNING", None)
    assert "superseded" not in runs[newest.id].data.tags


def no_room(*_, **__):
    raise MlflowException("no room")


def test_a_start_that_fails_is_completed_by_the_next(tracking, tmp_path, monkeypatch):
    trial = make_trial(tracking.experiment)
    half = make_run(trial, tmp_path / "trial")
    monkeypatch.setattr(half.client, "log_batch", no_room)
    with pytest.raises(ConfigError, match="no room"):
        half.start(resumed=False)
    (left,) = tracking.runs().values()
    assert left.info.status == "RUNNING" and not left.data.params
    assert (left.data.tags["host"], left.data.tags["pid"]) == (HERE, str(os.getpid()))
    again = make_run(trial, tmp_path / "trial")
    again.start(resumed=False)
    (run,) = tracking.runs().values()
    assert run.info.run_id == left.info.run_id
    assert run.data.params["training.epochs"] == "3"
    assert run.inputs.dataset_inputs[0].dataset.digest == DATA["digest"][:36]


def test_a_start_that_fails_can_be_reconciled(tracking, tmp_path, monkeypatch):
    half = make_run(make_trial(tracking.experiment), tmp_path / "trial")
    monkeypatch.setattr(half.client, "log_inputs", no_room)
    with pytest.raises(ConfigError):
        half.start(resumed=False)
    (run,) = tracking.runs()
    assert any(run in str(line) for line in reconcile(tmp_path / "results"))
    assert tracking.runs()[run].info.status == "KILLED"


def test_run_json_holds_the_start_of_the_run(tracking, tmp_path):
    run = make_run(make_trial(tracking.experiment), tmp_path / "trial")
    run.start(resumed=False)
    assert read_json(tmp_path / "trial/run.json")["started"] == tracking.runs()[run.id].info.start_time
