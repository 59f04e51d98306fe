"""Snakemake killed or interrupted while trials run: the same command continues, and no finished trial is lost."""

import contextlib
import json
import os
import signal
import subprocess

import psutil
import pytest

from tests.reliability.laboratory import Laboratory, wait_for

pytestmark = pytest.mark.reliability

TRIAL = "results/smoke/trials/pens/100hz-to-200hz/gru/seed0"
COMMAND = ("snakemake", f"{TRIAL}/metrics.json", "--cores", "1")


@pytest.fixture
def laboratory(tmp_path):
    return Laboratory(tmp_path / "laboratory", epochs=60)


@contextlib.contextmanager
def workflow(laboratory):
    """A Snakemake process with a trial that has trained an epoch; both are killed at the end of the context."""
    process = subprocess.Popen(
        COMMAND,
        cwd=laboratory.folder,
        env=laboratory.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(lambda: process.poll() is not None or laboratory.rows() >= 1)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def again(laboratory) -> subprocess.CompletedProcess:
    """The same command once more."""
    done = laboratory.run(*COMMAND)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def assert_one_run(laboratory) -> None:
    (run,) = laboratory.runs()
    assert run.info.status == "FINISHED" and "superseded" not in run.data.tags
    assert laboratory.steps() == list(range(1, laboratory.epochs + 1))


def test_a_trial_that_ends_after_its_snakemake_was_killed_is_kept(laboratory, figure):
    with workflow(laboratory) as process:
        process.kill()
        process.wait()
        wait_for(lambda: (laboratory.place() / "metrics.json").exists())
        wait_for(lambda: not psutil.pid_exists(laboratory.trainer()))
    before = json.loads((laboratory.place() / "metrics.json").read_text())
    assert list((laboratory.folder / ".snakemake/locks").glob("*.lock"))
    done = again(laboratory)
    assert "removed the lock of a Snakemake process that was killed" in done.stderr
    assert json.loads((laboratory.place() / "metrics.json").read_text()) == before
    assert_one_run(laboratory)
    figure("snakemake killed: the lock removed, the trial that ended afterwards kept, 1 run")


def test_a_trial_that_still_runs_when_snakemake_starts_again_is_waited_for(laboratory, figure):
    with workflow(laboratory) as process:
        process.kill()
        process.wait()
        trainer = laboratory.trainer()
        assert psutil.pid_exists(trainer) and laboratory.rows() < laboratory.epochs
        again(laboratory)
        assert laboratory.trainer() == trainer
    assert_one_run(laboratory)
    figure("snakemake killed and started again while its trial ran: the trial waited for, not failed, 1 run")


def test_a_trial_that_ends_while_snakemake_is_interrupted_is_kept(laboratory):
    """Ctrl-C reaches Snakemake and the trial, which had just written its outcome."""
    with workflow(laboratory) as process:
        wait_for(lambda: (laboratory.place() / "outcome.json").exists())
        os.killpg(process.pid, signal.SIGINT)
        process.wait(120)
    before = json.loads((laboratory.place() / "outcome.json").read_text())
    again(laboratory)
    assert json.loads((laboratory.place() / "metrics.json").read_text()) == before
    assert_one_run(laboratory)


def test_an_interrupted_trial_resumes(laboratory):
    """If the trial ends before Snakemake has seen the signal, Snakemake restarts it, as it does after a failure."""
    with workflow(laboratory) as process:
        trainer = laboratory.trainer()
        os.killpg(process.pid, signal.SIGINT)
        process.wait(120)
    again(laboratory)
    assert laboratory.trainer() != trainer
    assert_one_run(laboratory)


@pytest.mark.slow
def test_a_forced_trial_is_trained_again(laboratory):
    again(laboratory)
    (first,) = laboratory.runs()
    done = laboratory.run(*COMMAND, "--forcerun", "train")
    assert done.returncode == 0, done.stderr
    assert len(laboratory.runs()) == 2
    again(laboratory)
    assert len(laboratory.runs()) == 2
    assert json.loads((laboratory.place() / "metrics.json").read_text())["run_id"] != first.info.run_id


def test_the_lock_of_a_living_snakemake_is_respected(laboratory):
    with workflow(laboratory) as process:
        second = laboratory.run(*COMMAND)
        assert second.returncode != 0 and process.poll() is None
        assert f"Snakemake runs here already (process {process.pid} on " in second.stderr
        assert list((laboratory.folder / ".snakemake/locks").glob("*.lock"))


def test_the_lock_of_an_unknown_process_is_explained(laboratory):
    locks = laboratory.folder / ".snakemake/locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text(f"{TRIAL}/metrics.json\n")
    done = laboratory.run(*COMMAND)
    assert done.returncode != 0 and "if none runs here, type: snakemake --unlock" in done.stderr
    assert laboratory.run("snakemake", "--unlock").returncode == 0
    assert laboratory.run(*COMMAND, "-n").returncode == 0
