"""Trials killed at random moments, by every signal, end as if nothing had happened."""

import random
import signal
import time

import pytest

from tests.reliability.laboratory import stop

KILLS = 3
STATUS = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGUSR1: 138, signal.SIGKILL: -9}


@pytest.mark.parametrize("number", STATUS, ids=lambda number: number.name)
def test_a_trial_killed_again_and_again_ends_as_if_nothing_had_happened(undisturbed, laboratory, number, figure):
    moments = random.Random(number)
    for _ in range(KILLS):
        with laboratory.living() as life:
            time.sleep(moments.uniform(0, undisturbed.seconds / (KILLS + 1)))
            status, said = stop(life, number)
        assert status == STATUS[number], said
        assert "Traceback" not in said
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
    """What a signal stops inside an epoch goes on inside that epoch, at the step after."""
    from hippo.lab.trials.checkpoints import Checkpoints

    with laboratory.living() as life:
        while laboratory.rows() < 2:
            time.sleep(0.01)
        time.sleep(0.1)
        status, said = stop(life, signal.SIGTERM)
    assert status == 143, said
    identity = next(iter(laboratory.runs())).data.tags["identity"]
    saved = Checkpoints(laboratory.place() / "checkpoints", identity).load()
    state = saved["state"]
    assert state["epoch"] == len(saved["rows"]) + 1 == laboratory.rows() + 1
    steps = int(state["optimizer"]["moments"][0][0]["steps"])
    assert steps == (state["epoch"] - 1) * 15 + state["done"] // 4  # 60 samples in batches of 4
    figure(f"stopped by SIGTERM at optimiser step {steps}, saved at step {steps}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1], ids=lambda number: number.name)
def test_a_signal_after_the_outcome_is_written_changes_nothing(laboratory, number):
    with laboratory.living() as life:
        while not (laboratory.place() / "metrics.json").exists():
            time.sleep(0.001)
        status, said = stop(life, number)
    assert status == 0, said
    (run,) = laboratory.runs()
    assert run.info.status == "FINISHED"
    assert not list(laboratory.place().rglob("*.pt"))


def test_one_trial_has_one_process(laboratory):
    with laboratory.living() as life:
        second = laboratory.train()
        assert second.returncode == 1
        assert f"process {life.pid} on " in second.stderr and "is training this trial" in second.stderr
        life.wait(60)
    assert laboratory.steps() == list(range(1, laboratory.epochs + 1))
