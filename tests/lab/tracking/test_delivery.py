"""How often epochs are delivered to the store, and which epochs of a long training."""

import math
from types import SimpleNamespace

import pytest
from mlflow.exceptions import MlflowException

from hippo.lab.tracking import delivery as module
from tests.lab.tracked import make_run, make_trial, rows


class Clock:
    """A clock, and a store to which a write takes `cost` seconds; it fails if the store is `unreachable`."""

    def __init__(self, cost: float, unreachable: bool = False):
        self.now, self.cost, self.unreachable, self.writes = 1000.0, cost, unreachable, []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def log_batch(self, *_, **__) -> None:
        self.writes.append(self.now)
        self.now += self.cost
        if self.unreachable:
            raise MlflowException("refused")

    def get_metric_history(self, *_) -> list:
        return []

    def train(self, run, epochs: int, seconds: float) -> float:
        """Deliver epochs of some `seconds` each to `run`; the time that all took, deliveries included."""
        started, history = self.now, rows(epochs)
        for epoch in range(1, epochs + 1):
            self.now += seconds
            run.deliver(history[:epoch])
        return self.now - started


def make_clocked_run(tracking, tmp_path, monkeypatch, **how) -> tuple:
    clock, run = Clock(**how), make_run(make_trial(tracking.experiment, epochs=1000), tmp_path / "trial")
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock.monotonic, time=clock.time))
    run.id, run.delivery = "run", module.Delivery(clock, "run", epochs=1000, logged=0)
    return clock, run


@pytest.mark.parametrize("cost", [0.001, 0.02, 0.5])
def test_logging_takes_its_fraction_of_the_time_and_no_more(tracking, tmp_path, monkeypatch, cost):
    """A delivery of d seconds is followed by a pause of d / f: a fraction d / (d + d / f), plus one delivery at most.

    A batch holds 20 epochs; epochs that waited longer take more writes of `cost`.
    """
    clock, run = make_clocked_run(tracking, tmp_path, monkeypatch, cost=cost)
    took = clock.train(run, epochs=1000, seconds=0.2)
    spent = cost * len(clock.writes)
    fraction = module.LOGGING_FRACTION / (1 + module.LOGGING_FRACTION)
    largest = cost * math.ceil(1000 / module.EPOCHS_PER_BATCH)
    assert spent <= fraction * took + largest
    assert len(clock.writes) >= min(1000 / module.EPOCHS_PER_BATCH / 2, fraction * took / cost / 2)


@pytest.mark.parametrize(
    ("cost", "pause"),
    [(2.85, module.RETRY_SECONDS), (40.0, 40.0 / module.RETRY_FRACTION)],
    ids=["refused", "hanging"],
)
def test_an_unreachable_store_is_tried_again(tracking, tmp_path, monkeypatch, cost, pause):
    """A pause of half a minute after each attempt, longer after a slow one, until the next epoch of one second ends."""
    clock, run = make_clocked_run(tracking, tmp_path, monkeypatch, cost=cost, unreachable=True)
    clock.train(run, epochs=1000, seconds=1.0)
    gaps = [later - earlier - cost for earlier, later in zip(clock.writes, clock.writes[1:], strict=False)]
    assert len(gaps) >= 2
    assert all(pause - 1e-6 <= gap <= pause + 1.0 + 1e-6 for gap in gaps)  # sums of floats


@pytest.mark.parametrize(("epochs", "every"), [(3, 1), (1000, 1), (1001, 2), (2500, 3)])
def test_a_long_training_is_thinned_to_a_thousand_steps(tracking, tmp_path, epochs, every):
    """Every ⌈epochs / 1000⌉-th epoch and the last, in one attempt or several."""
    trial = make_trial(tracking.experiment, epochs=epochs)
    history = rows(epochs)
    run = make_run(trial, tmp_path / "trial")
    run.start(resumed=False)
    run.stop(history[: epochs // 2 + 1], "KILLED", "stopped")
    expected = {epoch for epoch in range(1, epochs + 1) if epoch % every == 0}
    assert tracking.steps(run.id) == sorted(epoch for epoch in expected if epoch <= epochs // 2 + 1)
    run = make_run(trial, tmp_path / "trial")
    run.start(resumed=True)
    run.deliver(history[:-1])
    run.finish(history, {"status": "finished", "seconds": 1.0})
    steps = tracking.steps(run.id)
    assert steps == sorted(expected | {epochs}) and len(steps) <= 1000
