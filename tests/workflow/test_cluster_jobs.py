"""What Snakemake does inside a Slurm job, without Slurm: the command is the one that the executor plugin sends."""

import os
import subprocess
import sys

import pytest

from tests.documentation.snippets import ROOT
from tests.workspace import Workspace, pens

# Bash reads this file first: `hippo train` only records its environment, and fails.
STUB = """
exec() { "$@"; }
hippo() {
  grep -E '^Sig(Blk|Ign)' /proc/$BASHPID/status | tr '\\n' ' ' >> called
  echo "requeue=${HIPPO_REQUEUE:-} warning=${SBATCH_SIGNAL:-}" >> called
  return 1
}
"""
JOB = "train:scale=smoke,experiment=pens,variant=100hz-to-200hz,model=gru,seed="
OPTIONS = "--allowed-rules train --attempt 1 --force --retries 0 --nolock --ignore-incomplete --mode remote"


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path / "workspace")
    workspace.remove_experiments()
    workspace.write_experiment("pens", pens(seeds=3))
    (workspace.folder / "stub.sh").write_text(STUB)
    for path in ("data/smoke/pens/100hz-to-200hz.npz", "mlruns/store.json"):
        (workspace.folder / path).parent.mkdir(parents=True)
        (workspace.folder / path).touch()
    return workspace


def run(workspace, *arguments, **environment) -> list[str]:
    """Run Snakemake with a stub of `hippo`; what the stub recorded."""
    env = {"BASH_ENV": str(workspace.folder / "stub.sh"), "SLURM_JOB_ID": None, **environment}
    done = workspace.run(sys.executable, "-m", "snakemake", *arguments, env=env)
    assert done.returncode != 0
    called = workspace.folder / "called"
    assert called.exists(), done.stderr
    return called.read_text().splitlines()


def test_a_failed_trial_is_tried_once_in_its_job(workspace):
    """Retries are those of the Snakemake outside: in two Snakemakes inside the job, they would multiply."""
    (line,) = run(workspace, "--target-jobs", f"{JOB}0", "--cores", "1", *OPTIONS.split(), SLURM_JOB_ID="7")
    assert "requeue=1" in line
    masks = dict(part.split(":\t") for part in line.split(" ")[:2])
    usr1 = 1 << (10 - 1)
    assert int(masks["SigBlk"], 16) & usr1 and int(masks["SigIgn"], 16) & usr1


def test_a_local_trial_is_tried_as_often_as_the_settings_say(workspace):
    outcome = "results/smoke/trials/pens/100hz-to-200hz/gru/seed0/metrics.json"
    called = run(workspace, outcome, "--cores", "1", "--config", "retries=2")
    assert len(called) == 3 and all("requeue= warning=USR1@120" in line for line in called)


PREEMPTED = "JobId=7 JobState=RUNNING Reason=None PreemptTime=2026-01-01T00:00:00"


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("end", ["true", "exit 3"])
@pytest.mark.parametrize(
    "job, requeued",
    [
        (PREEMPTED, True),
        (PREEMPTED.replace("RUNNING", "CANCELLED"), False),
        ("JobId=7 JobState=RUNNING Reason=None PreemptTime=None", False),
        ("", False),
    ],
    ids=["preempted", "canceled", "not preempted", "no answer"],
)
def test_a_job_that_ends_in_the_grace_time_of_a_preemption_is_requeued(tmp_path, shell, end, job, requeued):
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/called\n[ "$1" = requeue ] || echo "{job}"\n')
    scontrol.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "7"}
    done = subprocess.run([shell, "-c", f". profiles/slurm/job.sh && {end}"], cwd=ROOT, env=env, capture_output=True)
    assert done.returncode == (0 if end == "true" else 3)
    assert ("requeue 7" in (tmp_path / "called").read_text().splitlines()) == requeued


def test_account_partition_and_options_reach_the_jobs(workspace):
    settings = ("slurm_account=physics", "slurm_partition=long", "slurm_extra=--constraint=avx512")
    done = workspace.run("snakemake", "-n", "pens", "--quiet", "host", "--config", "scale=smoke", *settings)
    assert done.returncode == 0, done.stderr
    assert "slurm_account=physics, slurm_partition=long, slurm_extra=--constraint=avx512" in done.stdout + done.stderr
    done = workspace.run("snakemake", "-n", "pens", "--quiet", "host", "--config", "scale=smoke")
    assert "slurm_" not in done.stdout + done.stderr


def test_a_server_that_does_not_answer_ends_the_workflow_before_the_first_trial(workspace):
    server = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    done = workspace.run("snakemake", "pens", "--cores", "1", "--config", "scale=smoke", env=server)
    assert done.returncode != 0
    assert "tracking store http://127.0.0.1:9" in done.stderr and "check MLFLOW_TRACKING_URI" in done.stderr
    assert not (workspace.folder / "results").exists()
    assert not list((workspace.folder / ".snakemake/locks").glob("*.lock"))
