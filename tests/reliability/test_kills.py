"""Trials that are killed at random points of their progress, by every signal, end as if nothing had happened."""

import random
import signal

import pytest

from hippo.lab.trials.checkpoints import Checkpoints
from tests.reliability.laboratory import stop, wait_for

pytestmark = pytest.mark.reliability

KILLS = 3
STATUS = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGUSR1: 138, signal.SIGKILL: -9}
HANDLED_ALIKE = [pytest.param(number, marks=pytest.mark.slow) for number in (signal.SIGINT, signal.SIGUSR1)]


@pytest.mark.parametrize(
    "number",
    [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow), *HANDLED_ALIKE],
    ids=lambda number: number.name,
)
def test_a_trial_killed_again_and_again_ends_as_if_nothing_had_happened(undisturbed, laboratory, number, figure):
    """Each kill comes a random number of epochs after the one before, and long before the end."""
    points = random.Random(number)
    for _ in range(KILLS):
        with laboratory.running() as process:
            # A SIGKILL loses the epochs since the last checkpoint, which are trained again: rows are counted anew.
            laboratory.wait_for_epoch(laboratory.rows() + points.randint(0, 10))
            status, stderr = stop(process, number)
        assert status == STATUS[number], stderr
        assert "Traceback" not in stderr
        assert not (laboratory.place() / "metrics.json").exists()
        (run,) = laboratory.runs()
        assert run.info.status == ("RUNNING" if number == signal.SIGKILL else "KILLED")
        if number != signal.SIGKILL:
            assert run.data.tags["error"] == f"stopped by {number.name}"
    done = laboratory.train()
    assert done.returncode == 0, done.stderr
    assert laboratory.metrics() == undisturbed.metrics()
    assert laboratory.history() == undisturbed.history()
    (run,) = laboratory.runs()
    assert run.info.status == "FINISHED" and "error" not in run.data.tags
    steps = laboratory.steps()
    assert steps == list(range(1, laboratory.epochs + 1))
    assert laboratory.steps("seconds") == steps
    assert not list(laboratory.place().rglob("*.pt")) and not list(laboratory.place().rglob("*.partial"))
    figure(f"{number.name}: {KILLS} kills survived, 0 steps lost, 0 logged twice, 1 run")


def test_a_signal_loses_no_step(laboratory, figure):
    """A trial that is stopped inside an epoch resumes inside that epoch, at the next step."""
    with laboratory.running() as process:
        laboratory.wait_for_epoch(3)
        status, stderr = stop(process, signal.SIGTERM)
    assert status == 143, stderr
    identity = next(iter(laboratory.runs())).data.tags["identity"]
    saved = Checkpoints(laboratory.place() / "checkpoints", identity).load()
    state = saved["state"]
    assert state["epoch"] == len(saved["rows"]) + 1 == laboratory.rows() + 1
    steps = int(state["optimizer"]["moments"][0][0]["steps"])
    assert steps == (state["epoch"] - 1) * 15 + state["done"] // 4  # 60 samples in batches of 4
    figure(f"stopped by SIGTERM at optimizer step {steps}, saved at step {steps}")


@pytest.mark.parametrize("number", [signal.SIGTERM, *HANDLED_ALIKE], ids=lambda number: number.name)
def test_a_signal_after_the_outcome_is_written_changes_nothing(laboratory, number):
    with laboratory.running() as process:
        wait_for((laboratory.place() / "metrics.json").exists)
        status, stderr = stop(process, number)
    assert status == 0, stderr
    (run,) = laboratory.runs()
    assert run.info.status == "FINISHED"
    assert not list(laboratory.place().rglob("*.pt"))


def test_one_trial_has_one_process(laboratory):
    with laboratory.running() as process:
        second = laboratory.train()
        assert second.returncode == 1
        assert f"process {process.pid} on " in second.stderr and "is training or importing this trial" in second.stderr
        process.wait(60)
    assert laboratory.steps() == list(range(1, laboratory.epochs + 1))


def test_a_second_process_can_wait_for_the_first(laboratory):
    """As a job of a new Snakemake does, if a job of a killed one is still running."""
    with laboratory.running() as process:
        second = laboratory.run(*laboratory.command(), "--wait")
        assert process.wait(60) == 0 and second.returncode == 0, second.stderr
        assert "waiting until it ends" in second.stderr and "finished" in second.stdout
    (run,) = laboratory.runs()
    assert run.info.status == "FINISHED"
    assert laboratory.steps() == list(range(1, laboratory.epochs + 1))


def test_a_finished_trial_is_trained_again_only_by_force(undisturbed, tmp_path):
    laboratory = undisturbed.copy(tmp_path / "laboratory")
    before = (laboratory.place() / "metrics.json").read_bytes()
    (laboratory.place() / "metrics.json").unlink()  # as Snakemake does with an output of an interrupted job
    again = laboratory.train()
    assert again.returncode == 0 and (laboratory.place() / "metrics.json").read_bytes() == before
    assert len(laboratory.runs()) == 1
    forced = laboratory.run(*laboratory.command(), "--force")
    assert forced.returncode == 0, forced.stderr
    assert len(laboratory.runs()) == 2
