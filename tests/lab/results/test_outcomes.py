"""Outcomes as they are read from trial folders, and their states."""

import json
from pathlib import Path

import pytest
import yaml

from hippo.lab.plan.experiment import load_experiment
from hippo.lab.results.outcomes import collect_outcomes
from hippo.lab.results.results import collect_results
from hippo.lab.results.settings import mapping_differences, trial_differences
from tests.lab.outcomes import finish, write_experiment

HISTORY = """\
epoch,train_loss,validation_accuracy,test_accuracy
1,0.5,0.625,0.5625
2,0.4,0.6875,0.59375
3,0.3,0.65625,0.5
"""
FIRST_RELEASE = Path(__file__).with_name("trial_of_first_release.yaml")  # as the first release wrote it
SCORES = {
    "validation_accuracy": 0.6875,
    "test_accuracy": 0.59375,
    "last_validation_accuracy": 0.65625,
    "last_test_accuracy": 0.5,
    "best_epoch": 2,
    "epochs": 3,
}


def outcome(tmp_path, history=HISTORY, **changes) -> dict:
    """The line of one trial whose scores are those of its history, apart from `changes`."""
    experiment = write_experiment(tmp_path)
    folder = finish(experiment, tmp_path / "trials", "legs", 0, **{**SCORES, **changes})
    (folder / "history.csv").write_bytes(history if isinstance(history, bytes) else history.encode())
    return collect_outcomes(experiment, tmp_path / "trials").iloc[0].to_dict()


def test_an_outcome_that_agrees_with_its_history_is_finished(tmp_path):
    found = outcome(tmp_path)
    assert found["status"] == "finished" and found["test_accuracy"] == 0.59375


@pytest.mark.parametrize(
    ("key", "recorded", "epoch"),
    [
        ("test_accuracy", 0.59375, 2),
        ("validation_accuracy", 0.6875, 2),
        ("last_test_accuracy", 0.5, 3),
        ("last_validation_accuracy", 0.65625, 3),
    ],
)
def test_an_outcome_edited_by_hand_is_damaged(tmp_path, key, recorded, epoch):
    found = outcome(tmp_path, **{key: 0.9999})
    assert found["status"] == "damaged"
    assert f"{key} is 0.9999, but history.csv says {recorded} at epoch {epoch}" in found["reason"]
    results = collect_results(write_experiment(tmp_path), tmp_path / "trials")
    assert results.cell("a", "legs", "test_accuracy")["finished"] == 0  # its numbers are not averaged


def test_an_edit_of_the_sixth_digit_is_noticed(tmp_path):
    assert outcome(tmp_path, test_accuracy=0.593751)["status"] == "damaged"


def test_another_best_epoch_is_noticed(tmp_path):
    assert outcome(tmp_path, best_epoch=1)["status"] == "damaged"


def test_an_edited_score_of_a_reconstruction_is_noticed(tmp_path):
    experiment = load_experiment("config/experiments/reconstruction.yaml", "smoke")
    trial = experiment.trials()[0]
    for mse, status in ((0.25, "finished"), (0.125, "damaged")):
        numbers = {"mse": mse, "optimal_mse": 0.1, "steps_per_second": 7.5, "epochs": 1}
        folder = finish(experiment, tmp_path, trial.model, trial.seed, trial.variant, **numbers)
        (folder / "history.csv").write_text("epoch,mse,optimal_mse,steps_per_second,seconds\n1,0.25,0.1,7.5,2.0\n")
        assert collect_outcomes(experiment, tmp_path).iloc[0]["status"] == status


@pytest.mark.parametrize("history", ["", "epoch\n", "epoch,test_accuracy\n2,\n", 'epoch\n"', b"\xff", HISTORY[:70]])
def test_a_history_that_cannot_be_compared_contradicts_nothing(tmp_path, history):
    assert outcome(tmp_path, history)["status"] == "finished"


def test_the_published_outcome_of_the_first_release_is_finished_and_agrees_with_its_history():
    experiment = load_experiment("config/experiments/timescale.yaml", "paper")
    found = collect_results(experiment, Path("results/paper/trials"))
    outcome = found.select("100hz-to-200hz", "legs").iloc[0]
    assert outcome["status"] == "finished" and outcome["substitute"] is False
    assert 100 * outcome["test_accuracy"] == pytest.approx(92.77, abs=0.005)


def test_an_outdated_outcome_names_the_settings_that_its_numbers_depend_on(tmp_path):
    finish(write_experiment(tmp_path), tmp_path / "trials", "legs", 0)
    now = write_experiment(tmp_path, scales={"quick": {"training": {"epochs": 5}, "resources": {"threads": 2}}})
    found = collect_outcomes(now, tmp_path / "trials").iloc[0]
    assert (found["status"], found["reason"]) == ("outdated", "made with training.epochs 3, now 5")


def test_settings_of_the_first_release_differ_only_in_what_was_changed(tmp_path):
    experiment = load_experiment("config/experiments/timescale.yaml", "paper")
    trial = experiment.trial("100hz-to-200hz", "legs", 0)
    first = yaml.safe_load(FIRST_RELEASE.read_text(encoding="utf-8"))
    assert "row" in first and "optimizer" not in first["training"]
    now = trial.to_mapping()
    assert trial_differences(first, now) == trial_differences(now, first) == {}
    now["training"] = {**now["training"], "optimizer": "adamw", "epochs": 7}
    epochs = first["training"]["epochs"]
    assert trial_differences(first, now) == {"training.epochs": (epochs, 7), "training.optimizer": (None, "adamw")}


def test_differences_of_mappings_have_dotted_keys_and_both_values():
    one, other = {"a": 1, "b": {"c": 2, "d": 3}}, {"a": 1, "b": {"c": 4}, "e": 5}
    assert mapping_differences(one, other) == {"b.c": (2, 4), "b.d": (3, None), "e": (None, 5)}


def test_an_outcome_that_snakemake_deleted_is_read_from_its_copy(tmp_path):
    experiment = write_experiment(tmp_path)
    folder = finish(experiment, tmp_path / "trials", "legs", 0)
    (folder / "metrics.json").rename(folder / "outcome.json")
    assert collect_outcomes(experiment, tmp_path / "trials").iloc[0]["test_accuracy"] == 0.9
    (folder / "outcome.json").write_text(json.dumps([]))
    assert collect_outcomes(experiment, tmp_path / "trials").iloc[0]["status"] == "damaged"
