"""The Slurm job of a trial returns to the queue only while it runs."""

import pytest

from hippo.lab.trials.requeue import requeue_job

SCONTROL = """#!/bin/sh
echo "$@" >> {folder}/asked
case $1 in
  show) echo "JobId=7 JobName=a JobState={state} Reason={reason}" ;;
  requeue) {requeue} ;;
esac
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A function that makes a `scontrol` whose job is in a state; it returns what was asked."""

    def make(state, requeue="exit 0", reason="None"):
        script = tmp_path / "scontrol"
        script.write_text(SCONTROL.format(folder=tmp_path, state=state, requeue=requeue, reason=reason))
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        monkeypatch.setenv("SLURM_JOB_ID", "7")
        return lambda: (tmp_path / "asked").read_text().splitlines()

    return make


def test_a_running_job_is_requeued(slurm):
    asked = slurm("RUNNING")
    assert requeue_job()
    assert asked() == ["show job --oneliner 7", "requeue 7"]


def test_a_job_that_has_reached_its_time_limit_is_requeued(slurm):
    asked = slurm("COMPLETING", reason="TimeLimit")
    assert requeue_job()
    assert asked() == ["show job --oneliner 7", "requeue 7"]


@pytest.mark.parametrize("state", ["COMPLETING", "CANCELLED", "PENDING", "TIMEOUT"])
def test_a_job_that_is_cancelled_or_requeued_already_is_left_alone(slurm, state):
    asked = slurm(state)
    assert not requeue_job()
    assert asked() == ["show job --oneliner 7"]


def test_a_refusal_is_a_warning(slurm, caplog):
    slurm("RUNNING", "echo 'requeue is disabled' >&2; exit 1")
    assert not requeue_job()
    assert "Slurm job 7 cannot be requeued (requeue is disabled)" in caplog.text


def test_without_slurm_nothing_is_asked(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert not requeue_job()
