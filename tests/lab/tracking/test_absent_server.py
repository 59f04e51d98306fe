"""A server that does not answer when a trial starts: the trial trains, and its run begins later."""

import pytest
from mlflow.exceptions import MlflowException

from hippo.config import ConfigError
from hippo.lab.tracking import run as runs
from hippo.lab.tracking import store
from hippo.lab.tracking.import_runs import import_trials
from hippo.lab.trials.outcome import UNDELIVERED, read_json
from tests.lab.tracked import make_run, make_trial, rows, write_folder


@pytest.fixture
def server(tracking, monkeypatch):
    """A function that says whether the store, which counts as a server here, answers from now on."""
    original = store.experiment_id
    monkeypatch.setattr(runs, "is_server", lambda: True)

    def answer(does: bool) -> None:
        def find(*arguments):
            if not does:
                raise MlflowException("connection refused")
            return original(*arguments)

        monkeypatch.setattr(store, "experiment_id", find)

    return answer


def test_the_run_begins_when_the_server_answers(tracking, server, tmp_path):
    server(False)
    run = make_run(make_trial(tracking.experiment), tmp_path / "trial")
    run.start(resumed=False)
    record = read_json(tmp_path / "trial/run.json")
    assert run.id is None and record["run_id"] is None and record["pid"]
    server(True)
    run.deliver(rows(1))  # too early to ask again
    assert run.id is None and not tracking.runs()
    run._try_again = 0.0
    run.deliver(rows(2))
    assert read_json(tmp_path / "trial/run.json")["run_id"] == run.id
    run.deliver(rows(3))
    assert run.finish(rows(3), {"status": "finished", "seconds": 1.0})
    assert tracking.steps(run.id) == [1, 2, 3]
    (only,) = tracking.runs().values()
    assert only.info.status == "FINISHED"


def test_a_resumed_trial_continues_its_own_run(tracking, server, tmp_path):
    trial = make_trial(tracking.experiment)
    first = make_run(trial, tmp_path / "trial")
    first.start(resumed=False)
    first.deliver(rows(1))
    first.stop(rows(1), "KILLED", "stopped by SIGUSR1")
    server(False)
    second = make_run(trial, tmp_path / "trial")
    second.start(resumed=True)
    assert read_json(tmp_path / "trial/run.json")["run_id"] == first.id  # still named
    server(True)
    assert second.reach() == first.id
    second.deliver(rows(3))
    assert tracking.steps(first.id) == [1, 2, 3] and len(tracking.runs()) == 1


def test_a_trial_that_ends_without_the_server_is_not_delivered(tracking, server, tmp_path):
    server(False)
    run = make_run(make_trial(tracking.experiment), tmp_path / "trial")
    run.start(resumed=False)
    run.deliver(rows(1))
    assert run.reach() is None
    assert not run.finish(rows(3), {"status": "finished", "seconds": 1.0})
    assert not tracking.runs()


def test_a_store_that_is_no_server_must_answer(tracking, server, tmp_path, monkeypatch):
    server(False)
    monkeypatch.setattr(runs, "is_server", lambda: False)
    with pytest.raises(ConfigError, match="connection refused"):
        make_run(make_trial(tracking.experiment), tmp_path / "trial").start(resumed=False)


@pytest.mark.parametrize("identity", ["the same", "another"])
def test_a_second_training_without_the_server_has_a_run_of_its_own(tracking, server, tmp_path, identity):
    """It supersedes the run of the first training, whether the settings changed or not."""
    trial, folder = make_trial(tracking.experiment), tmp_path / "trials/t"
    first = make_run(trial, folder)
    first.start(resumed=False)
    assert first.finish(rows(3), {"status": "finished", "seconds": 1.0, "test": 0.1})
    server(False)
    second = make_run(trial, folder)
    if identity == "another":
        second.identity = "other data"
    second.start(resumed=False)
    record = read_json(folder / "run.json")
    assert record["run_id"] is None and record["started"]
    server(True)
    imported = make_run(trial, folder)
    imported.identity = second.identity
    assert not imported.is_complete()
    imported.start_import()
    found = tracking.runs()
    assert len(found) == 2 and "superseded" in found[first.id].data.tags
    assert imported.id != first.id and "superseded" not in found[imported.id].data.tags


def test_what_a_server_missed_is_delivered_alone(tracking, tmp_path):
    """An import of undelivered trials leaves every other trial alone."""
    folders = []
    for seed in (0, 1):
        trial = make_trial(tracking.experiment, seed=seed)
        folders.append(write_folder(tmp_path / f"trials/seed{seed}", trial, run_id=f"unknown{seed}"))
    (folders[1] / UNDELIVERED).touch()
    (imported,) = import_trials(tmp_path / "trials", undelivered=True)
    assert imported.state == "imported" and len(tracking.runs()) == 1
    assert not (folders[1] / UNDELIVERED).exists()
    assert not list(import_trials(tmp_path / "trials", undelivered=True))
