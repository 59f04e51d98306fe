"""The folder of a trial: its files, restored outcomes, and interrupted deliveries."""

import json
import os
from dataclasses import replace

import pytest

from hippo import kernels, registry
from hippo.config import ConfigError
from hippo.data.errors import DataError
from hippo.lab.tracking.run import TrackedRun
from hippo.lab.training import run_trial as module
from hippo.lab.training.run_trial import run_trial
from hippo.lab.trials.checkpoints import Checkpoints
from tests.lab.training.trials import make_trial, separable_dataset

FILES = [".lock", "history.csv", "metrics.json", "outcome.json", "run.json", "trial.yaml"]
MNIST = registry.find("datasets", "mnist", "test")()


@pytest.fixture
def trial(tracking):
    """A trial of one epoch, on data that is said to be MNIST: trial.yaml must name a registered dataset."""
    return replace(make_trial(epochs=1), experiment=tracking.experiment, dataset_name="mnist", dataset=MNIST)


@pytest.fixture
def data(tmp_path, trial):
    replace(separable_dataset(), options=trial.dataset_settings).save(tmp_path / "data.npz")
    return tmp_path / "data.npz"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "trial"


def contents(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refuse_training(monkeypatch):
    """Let any training fail the test."""
    monkeypatch.setattr(module, "_run", lambda *_: pytest.fail("the trial is trained again"))


def test_a_finished_trial_leaves_its_files(tracking, trial, data, folder):
    metrics = run_trial(trial, data, folder)
    assert sorted(contents(folder)) == FILES
    assert json.loads((folder / "outcome.json").read_text()) == json.loads((folder / "metrics.json").read_text())
    assert metrics["precision"] == "float32" and metrics["kernels"] == kernels.backend().name
    assert metrics["trial"] == trial.digest and metrics["dataset"]["substitute"] is False
    process = json.loads((folder / "run.json").read_text())
    assert process["pid"] == os.getpid() and process["process_started"] > 0
    ((run, found),) = tracking.runs().items()
    assert run == metrics["run_id"] and found.info.status == "FINISHED"


def test_a_finished_trial_is_not_trained_again(tracking, trial, data, folder, monkeypatch):
    expected = run_trial(trial, data, folder)
    refuse_training(monkeypatch)
    before, runs = contents(folder), tracking.runs()
    assert run_trial(trial, data, folder) == expected
    assert contents(folder) == before
    (folder / "metrics.json").unlink()  # as Snakemake deletes the output of an incomplete job
    assert run_trial(replace(trial, threads=2), data, folder) == expected
    assert contents(folder) == before
    assert {run: found.to_dictionary() for run, found in tracking.runs().items()} == {
        run: found.to_dictionary() for run, found in runs.items()
    }


def test_a_finished_trial_is_trained_again_on_demand(tracking, trial, data, folder):
    first = run_trial(trial, data, folder)
    second = run_trial(trial, data, folder, force=True)
    assert second["run_id"] != first["run_id"] and second["test_loss"] == first["test_loss"]
    assert {run for run, found in tracking.runs().items() if "superseded" in found.data.tags} == {first["run_id"]}


def test_on_demand_it_is_trained_from_the_beginning(tracking, trial, data, folder, monkeypatch):
    """Also if the process died between the outcome and the removal of the checkpoints."""
    monkeypatch.setattr(Checkpoints, "clear", lambda self: None)
    run_trial(trial, data, folder)
    monkeypatch.undo()
    history = folder / "history.csv"
    expected = history.read_text().splitlines()
    assert list((folder / "checkpoints").glob("*.pt"))
    history.write_text("damaged")
    run_trial(trial, data, folder, force=True)
    assert len(history.read_text().splitlines()) == len(expected)
    assert not (folder / "checkpoints").exists()


def test_an_outcome_with_other_settings_or_data_is_trained_again(tracking, trial, data, folder):
    first = run_trial(trial, data, folder)
    other = replace(trial, training=trial.training.model_copy(update={"learning_rate": 0.01}))
    assert run_trial(other, data, folder)["trial"] == other.digest != first["trial"]
    replace(separable_dataset(), options=trial.dataset_settings, source="another").save(data)
    again = run_trial(other, data, folder)
    assert again["dataset"]["source"] == "another" and sorted(contents(folder)) == FILES


def test_an_outcome_is_kept_if_the_data_cannot_be_read(trial, data, folder):
    run_trial(trial, data, folder)
    before = contents(folder)
    data.write_bytes(b"damaged")
    with pytest.raises(DataError, match="damaged"):
        run_trial(trial, data, folder)
    assert {name: content for name, content in contents(folder).items() if name != "failure.json"} == before
    assert "damaged" in json.loads((folder / "failure.json").read_text())["reason"]


def test_data_of_other_options_is_refused(trial, data, folder):
    other = replace(trial, dataset=MNIST.model_copy(update={"split_seed": 7}))
    with pytest.raises(DataError, match="prepared with .* but e.* needs|prepared with"):
        run_trial(other, data, folder)
    assert not (folder / "metrics.json").exists()


@pytest.mark.parametrize("status", ["RUNNING", "KILLED"])
def test_an_outcome_that_was_not_delivered_is_delivered_without_training(
    tracking, trial, data, folder, monkeypatch, status
):
    """As after SIGKILL between the outcome and the end of the tracked run."""
    with monkeypatch.context() as killed:
        killed.setattr(TrackedRun, "finish", lambda *_: False)
        expected = run_trial(trial, data, folder)
    run = expected["run_id"]
    if status == "KILLED":
        tracking.client.set_terminated(run, "KILLED")
    (folder / "metrics.json").unlink()
    assert tracking.runs()[run].info.status == status and (folder / ".undelivered").exists()
    refuse_training(monkeypatch)
    assert run_trial(trial, data, folder) == expected
    ((found, delivered),) = tracking.runs().items()
    assert found == run and delivered.info.status == "FINISHED" and delivered.data.tags["outcome"] == "finished"
    assert tracking.steps(run) == [1] and sorted(contents(folder)) == FILES


def test_an_outcome_is_restored_although_the_store_is_away(trial, data, folder, monkeypatch, caplog):
    with monkeypatch.context() as killed:
        killed.setattr(TrackedRun, "finish", lambda *_: False)
        expected = run_trial(trial, data, folder)
    refuse_training(monkeypatch)
    (folder / "metrics.json").unlink()

    def away(*_):
        raise ConfigError("the store is away")

    monkeypatch.setattr(TrackedRun, "start_import", away)
    assert run_trial(trial, data, folder) == expected
    assert json.loads((folder / "metrics.json").read_text()) == expected
    assert "the store is away" in caplog.text and (folder / ".undelivered").exists()


def test_a_failure_is_recorded_and_raised(trial, data, folder, monkeypatch):
    monkeypatch.setattr("hippo.lab.training.trainer.Trainer.run", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run_trial(trial, data, folder)
    failure = json.loads((folder / "failure.json").read_text())
    assert failure == {"status": "failed", "reason": "ZeroDivisionError: division by zero", "trial": trial.digest}
    assert not (folder / "outcome.json").exists() and not (folder / "metrics.json").exists()


def test_bfloat16_is_recorded_as_what_the_processor_computes(trial, data, folder):
    trial = replace(trial, training=trial.training.model_copy(update={"precision": "bfloat16"}))
    emulated = next(name for name in kernels.runnable() if name.endswith("+emulated"))
    with kernels.use(emulated):
        metrics = run_trial(trial, data, folder)
    assert metrics["precision"] == "bfloat16" and metrics["kernels"] == emulated
    with kernels.use("baseline"):
        metrics = run_trial(trial, data, folder, force=True)
    assert metrics["precision"] == "float32" and metrics["kernels"] == "baseline"
