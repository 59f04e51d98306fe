"""Requests for a run that the client repeats because the answer was late: the trial has one run in the end."""

import pytest
from mlflow.exceptions import MlflowException

from tests.lab.tracked import make_run, make_sweep_trial, make_trial, rows


@pytest.fixture
def repeated(tracking, tmp_path, monkeypatch):
    """A trial whose requests for a run reach the store twice, and the list of what the first of them are to do yet."""
    run, late = make_run(make_trial(tracking.experiment), tmp_path / "trial"), []
    create = run.client.create_run

    def create_twice(*arguments, **how):
        late.append(lambda: create(*arguments, **how))
        return create(*arguments, **how)

    monkeypatch.setattr(run.client, "create_run", create_twice)
    return run, late


def test_a_repeated_request_leaves_one_run(tracking, repeated):
    run, late = repeated
    create = run.client.create_run
    run.client.create_run = lambda *arguments, **how: (create(*arguments, **how), late.pop()())[0]
    run.start(resumed=False)
    assert list(tracking.runs()) == [run.id]


def test_a_request_that_arrives_after_its_repetition_leaves_one_run(tracking, repeated):
    run, late = repeated
    run.start(resumed=False)
    late.pop()()
    assert len(tracking.runs()) == 2
    assert run.finish(rows(3), {"status": "finished", "seconds": 1.0})
    assert list(tracking.runs()) == [run.id] and tracking.steps(run.id) == [1, 2, 3]


@pytest.mark.parametrize("resumed", [False, True])
def test_the_next_process_removes_what_is_left_of_a_repeated_request(tracking, repeated, tmp_path, resumed):
    run, late = repeated
    run.start(resumed=False)
    late.pop()()
    run.deliver(rows(1))
    following = make_run(run.trial, tmp_path / "trial")
    following.start(resumed)
    assert following.id == run.id
    assert following.finish(rows(3), {"status": "finished", "seconds": 1.0})
    assert list(tracking.runs()) == [run.id] and tracking.steps(run.id) == [1, 2, 3]


def test_a_run_that_may_not_be_deleted_is_superseded(tracking, repeated, monkeypatch):
    run, late = repeated
    run.start(resumed=False)
    other = late.pop()().info.run_id

    def refuse(_):
        raise MlflowException("permission denied")

    monkeypatch.setattr(run.client, "delete_run", refuse)
    assert run.finish(rows(3), {"status": "finished", "seconds": 1.0})
    found = tracking.runs()
    assert set(found) == {run.id, other}
    assert (found[other].info.status, found[other].data.tags["superseded"]) == ("KILLED", "true")
    assert (found[run.id].info.status, "superseded" in found[run.id].data.tags) == ("FINISHED", False)


def test_two_trials_of_equal_settings_keep_their_runs(tracking, tmp_path):
    """Two clones of the project with one store: neither is a repetition of the other."""
    trial = make_trial(tracking.experiment)
    first, second = make_run(trial, tmp_path / "clone1"), make_run(trial, tmp_path / "clone2")
    for run in (first, second):
        run.start(resumed=False)
        assert run.finish(rows(3), {"status": "finished", "seconds": 1.0})
    assert set(tracking.runs()) == {first.id, second.id}


def test_a_sweep_has_one_run_of_its_own(tracking, tmp_path, monkeypatch):
    run = make_run(make_sweep_trial(tracking.experiment), tmp_path / "trial")
    create = run.client.create_run
    monkeypatch.setattr(run.client, "create_run", lambda *a, **how: [create(*a, **how), create(*a, **how)][0])
    run.start(resumed=False)
    found = tracking.runs()
    assert len(found) == 2 and found[run.id].data.tags["mlflow.parentRunId"] in found
