"""Who may write a run, how much of a trial's time that takes, and what of a long training is logged."""

import math
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from mlflow.exceptions import MlflowException

from hippo.config import ConfigError
from hippo.lab.tracking import run as module
from hippo.lab.tracking.import_runs import reconcile
from hippo.lab.trials.failures import read_json
from tests.lab.tracked import DATA, HERE, LIVING, made_up, rows, tracked


@pytest.fixture
def over():
    """The number of a process that was."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("host", [HERE, "another"], ids=["here", "elsewhere"])
def test_a_run_whose_process_may_live_is_left_to_it(tracking, tmp_path, host):
    """Two clones of the project with one store."""
    trial = made_up(tracking.experiment)
    first, second = tracked(trial, tmp_path / "clone1"), tracked(trial, tmp_path / "clone2")
    first.start(resumed=False)
    first.deliver(rows(2))
    tracking.belongs_to(first.id, host, LIVING)
    second.start(resumed=False)
    second.deliver(rows(3))
    first._not_before = 0.0
    first.deliver(rows(3))
    assert first.id != second.id
    assert tracking.steps(first.id) == tracking.steps(second.id) == [1, 2, 3]
    runs = tracking.runs()
    assert {run.info.status for run in runs.values()} == {"RUNNING"}
    assert not any("superseded" in run.data.tags for run in runs.values())


def test_a_run_whose_process_is_gone_is_taken_over(tracking, tmp_path, over):
    trial = made_up(tracking.experiment)
    first, second = tracked(trial, tmp_path / "clone1"), tracked(trial, tmp_path / "clone2")
    first.start(resumed=False)
    first.deliver(rows(2))
    tracking.belongs_to(first.id, HERE, over)
    second.start(resumed=False)
    second.deliver(rows(3))
    assert second.id == first.id and tracking.steps(second.id) == [1, 2, 3]
    assert tracking.runs()[second.id].data.tags["pid"] == str(os.getpid())


def test_a_folder_goes_on_with_its_own_run_on_another_host(tracking, tmp_path):
    """As on a cluster, where the node that trained it cannot be asked."""
    trial = made_up(tracking.experiment)
    first = tracked(trial, tmp_path / "shared")
    first.start(resumed=False)
    tracking.belongs_to(first.id, "another", 1)
    second = tracked(trial, tmp_path / "shared")
    second.start(resumed=True)
    assert second.id == first.id


def test_a_folder_prefers_its_own_run_to_an_equal_one(tracking, tmp_path):
    trial = made_up(tracking.experiment)
    first, second = tracked(trial, tmp_path / "clone1"), tracked(trial, tmp_path / "clone2")
    first.start(resumed=False)
    tracking.belongs_to(first.id, HERE, LIVING)
    second.start(resumed=False)
    for run in (first, second):
        run.stop([], "KILLED", "stopped")
    again = tracked(trial, tmp_path / "clone1")
    again.start(resumed=True)
    assert again.id == first.id


def test_a_start_from_scratch_supersedes_what_no_process_writes(tracking, tmp_path, over):
    older, other = made_up(tracking.experiment, batch_size=1), made_up(tracking.experiment, batch_size=2)
    killed, living = tracked(older, tmp_path / "one"), tracked(other, tmp_path / "two")
    killed.start(resumed=False)
    tracking.belongs_to(killed.id, HERE, LIVING)
    living.start(resumed=False)
    tracking.belongs_to(killed.id, HERE, over)
    tracking.belongs_to(living.id, HERE, LIVING)
    newest = tracked(made_up(tracking.experiment), tmp_path / "three")
    newest.start(resumed=False)
    runs = tracking.runs()
    assert (runs[killed.id].info.status, runs[killed.id].data.tags.get("superseded")) == ("KILLED", "true")
    assert (runs[living.id].info.status, runs[living.id].data.tags.get("superseded")) == ("RUNNING", None)
    assert "superseded" not in runs[newest.id].data.tags


def no_room(*_, **__):
    raise MlflowException("no room")


def test_a_start_that_fails_half_way_is_mended_by_the_next(tracking, tmp_path, monkeypatch):
    trial = made_up(tracking.experiment)
    half = tracked(trial, tmp_path / "trial")
    monkeypatch.setattr(half.client, "log_batch", no_room)
    with pytest.raises(ConfigError, match="no room"):
        half.start(resumed=False)
    (left,) = tracking.runs().values()
    assert left.info.status == "RUNNING" and not left.data.params
    assert (left.data.tags["host"], left.data.tags["pid"]) == (HERE, str(os.getpid()))
    again = tracked(trial, tmp_path / "trial")
    again.start(resumed=False)
    (run,) = tracking.runs().values()
    assert run.info.run_id == left.info.run_id
    assert run.data.params["training.epochs"] == "3"
    assert run.inputs.dataset_inputs[0].dataset.digest == DATA["digest"][:36]


def test_a_start_that_fails_half_way_can_be_reconciled(tracking, tmp_path, monkeypatch):
    half = tracked(made_up(tracking.experiment), tmp_path / "trial")
    monkeypatch.setattr(half.client, "log_inputs", no_room)
    with pytest.raises(ConfigError):
        half.start(resumed=False)
    (run,) = tracking.runs()
    assert any(run in line for line in reconcile(tmp_path / "results"))
    assert tracking.runs()[run].info.status == "KILLED"


class Clock:
    """Time as a test tells it; what writes to the store takes `cost` seconds, and fails where `away`."""

    def __init__(self, cost: float, away: bool = False):
        self.now, self.cost, self.away, self.writes = 1000.0, cost, away, []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def log_batch(self, *_, **__) -> None:
        self.writes.append(self.now)
        self.now += self.cost
        if self.away:
            raise MlflowException("refused")

    def get_metric_history(self, *_) -> list:
        return []

    def train(self, run, epochs: int, seconds: float) -> float:
        """Epochs of some `seconds` each, every one told to `run`; the time that they took with all that."""
        started, history = self.now, rows(epochs)
        for epoch in range(1, epochs + 1):
            self.now += seconds
            run.deliver(history[:epoch])
        return self.now - started


def clocked(tracking, tmp_path, monkeypatch, **how) -> tuple:
    clock, run = Clock(**how), tracked(made_up(tracking.experiment, epochs=1000), tmp_path / "trial")
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock.monotonic, time=clock.time))
    run.client, run.id, run._delivered = clock, "run", 0
    return clock, run


@pytest.mark.parametrize("cost", [0.001, 0.02, 0.5])
def test_logging_takes_its_share_of_the_time_and_no_more(tracking, tmp_path, monkeypatch, cost):
    """After a delivery of d seconds, d / SHARE pass: a share of d / (d + d / SHARE), and one delivery at most beyond.

    A batch holds 20 epochs, so that what has waited longer takes as many writes of `cost`.
    """
    clock, run = clocked(tracking, tmp_path, monkeypatch, cost=cost)
    took = clock.train(run, epochs=1000, seconds=0.2)
    spent, share = cost * len(clock.writes), module.SHARE / (1 + module.SHARE)
    largest = cost * math.ceil(1000 / module.ROWS)
    assert spent <= share * took + largest
    assert len(clock.writes) >= min(1000 / module.ROWS / 2, share * took / cost / 2)  # nor does it wait for ever


@pytest.mark.parametrize(
    ("cost", "pause"),
    [(2.85, module.PATIENCE), (40.0, 40.0 / module.AWAY)],
    ids=["refused", "hanging"],
)
def test_a_store_that_is_away_is_tried_again(tracking, tmp_path, monkeypatch, cost, pause):
    """A pause after each attempt, up to the next epoch of one second: half a minute, more where attempts take long."""
    clock, run = clocked(tracking, tmp_path, monkeypatch, cost=cost, away=True)
    clock.train(run, epochs=1000, seconds=1.0)
    gaps = [later - earlier - cost for earlier, later in zip(clock.writes, clock.writes[1:], strict=False)]
    assert len(gaps) >= 2
    assert all(pause - 1e-6 <= gap <= pause + 1.0 + 1e-6 for gap in gaps)  # sums of floats


@pytest.mark.parametrize(("epochs", "every"), [(3, 1), (1000, 1), (1001, 2), (2500, 3)])
def test_a_long_training_is_thinned_to_a_thousand_steps(tracking, tmp_path, epochs, every):
    """Every ⌈epochs / 1000⌉-th epoch and the last, however many lives the trial had; a part of it leaves no other."""
    trial = made_up(tracking.experiment, epochs=epochs)
    history = rows(epochs)
    run = tracked(trial, tmp_path / "trial")
    run.start(resumed=False)
    run.stop(history[: epochs // 2 + 1], "KILLED", "stopped")
    expected = {epoch for epoch in range(1, epochs + 1) if epoch % every == 0}
    assert tracking.steps(run.id) == sorted(epoch for epoch in expected if epoch <= epochs // 2 + 1)
    run = tracked(trial, tmp_path / "trial")
    run.start(resumed=True)
    run.deliver(history[:-1])
    run.finish(history, {"status": "finished", "seconds": 1.0})
    steps = tracking.steps(run.id)
    assert steps == sorted(expected | {epochs}) and len(steps) <= 1000


def test_the_run_tells_when_it_began(tracking, tmp_path):
    run = tracked(made_up(tracking.experiment), tmp_path / "trial")
    run.start(resumed=False)
    assert read_json(tmp_path / "trial/run.json")["started"] == tracking.runs()[run.id].info.start_time
