"""Curves of sweeps, and the values that they choose."""

import pytest

from hippo.lab.plan.experiment import load_experiment
from hippo.lab.plan.experiments import find_experiment
from hippo.lab.results.results import collect_results
from tests.lab.outcomes import finish as finish_trial
from tests.lab.swept import SWEEP, finish, finish_all, write

TABLE = {key: value for key, value in SWEEP.items() if key != "sweep"}


@pytest.fixture
def experiment(tmp_path):
    return load_experiment(write(tmp_path, "window", SWEEP), "quick")


def chosen(experiment, trials) -> dict:
    """The chosen values by model."""
    curve = collect_results(experiment, trials).curve
    return {model: list(line.loc[line["chosen"], "value"]) for model, line in curve.groupby("model", sort=False)}


def test_the_validation_score_chooses_and_the_test_score_does_not(experiment, tmp_path):
    finish_all(experiment, tmp_path)
    assert chosen(experiment, tmp_path) == {"legt": [200], "narrow": [200]}


def test_the_curve_has_mean_and_deviation_of_every_value(experiment, tmp_path):
    finish_all(experiment, tmp_path)
    curve = collect_results(experiment, tmp_path).curve
    assert list(curve["label"].unique()) == ["LegT", "LMU"] and list(curve["value"]) == [20, 200, 784] * 2
    assert list(curve["validation_accuracy"]) == [50, 80, 70] * 2 and list(curve["test_accuracy"]) == [99, 60, 70] * 2
    assert (curve["validation_accuracy_std"] == 0).all() and (curve["finished"] == 2).all()


def test_a_label_with_a_comma_is_one_model(tmp_path):
    models = {"legt": {"label": "LegT, narrow"}, "narrow": {"label": "LegT, wide", "model": "lmu"}}
    experiment = load_experiment(write(tmp_path, "window", {**SWEEP, "models": models}), "quick")
    finish_all(experiment, tmp_path / "trials")
    curve = collect_results(experiment, tmp_path / "trials").curve
    assert list(curve["label"].unique()) == ["LegT, narrow", "LegT, wide"]


def test_an_incomplete_sweep_chooses_nothing(experiment, tmp_path):
    for entry in experiment.points:
        if entry != "narrow.theta-20":
            for seed in (0, 1):
                finish(experiment, tmp_path, entry, seed)
    assert chosen(experiment, tmp_path) == {"legt": [200], "narrow": []}


def test_a_value_that_diverges_cannot_be_chosen(experiment, tmp_path):
    for entry in experiment.points:
        finish(experiment, tmp_path, entry, 0)
        finish(experiment, tmp_path, entry, 1, "diverged" if entry == "legt.theta-200" else "finished")
    assert chosen(experiment, tmp_path) == {"legt": [784], "narrow": [200]}


def test_every_variant_has_a_choice_of_its_own(tmp_path):
    variants = {"a": {"label": "A"}, "b": {"label": "B"}}
    models = {"legt": {"label": "LegT"}}
    experiment = load_experiment(write(tmp_path, "window", {**SWEEP, "variants": variants, "models": models}), "quick")
    scores = {("a", 20): 0.9, ("a", 200): 0.5, ("a", 784): 0.6, ("b", 20): 0.3, ("b", 200): 0.2, ("b", 784): 0.4}
    for (variant, value), score in scores.items():
        for seed in (0, 1):
            entry = f"legt.theta-{value}"
            finish_trial(experiment, tmp_path / "trials", entry, seed, variant, validation_accuracy=score)
    curve = collect_results(experiment, tmp_path / "trials").curve
    assert [tuple(line) for line in curve.loc[curve["chosen"], ["variant", "value"]].to_numpy()] == [
        ("a", 20),
        ("b", 784),
    ]


def test_low_errors_are_chosen_where_low_is_good(tmp_path):
    """The error of a reconstruction: the best order is the one with the lowest."""
    sweep = {"block": "hyperparameters", "key": "order", "label": "N", "values": [8, 16]}
    models = {"legs": {"label": "LegS", "model": "memory"}}
    content = {"title": "Order", "dataset": {"name": "white_noise"}, "variants": {"a": {"label": "a"}}}
    experiment = load_experiment(write(tmp_path, "order", {**content, "models": models, "sweep": sweep}), "quick")
    for entry, mse in (("legs.order-8", 0.2), ("legs.order-16", 0.1)):
        finish_trial(experiment, tmp_path, entry, 0, mse=mse, optimal_mse=0.05, steps_per_second=1.0)
    assert chosen(experiment, tmp_path) == {"legs": [16]}


def test_choices_name_the_sweep_and_what_it_chooses(experiment, tmp_path):
    """Other names of a model are found in the sweep by the registered model."""
    models = {
        "legt": {"label": "LegT", "hyperparameters": {"theta": 20}},
        "window": {"label": "LMU", "model": "lmu", "hyperparameters": {"theta": 200}},
    }
    write(tmp_path, "letters", {**TABLE, "models": models, "chosen_by": {"theta": "window"}})
    table = find_experiment(str(tmp_path / "letters.yaml"), "quick")
    assert [choice.chosen for choice in collect_results(table, tmp_path / "trials").choices] == [(), ()]
    finish_all(experiment, tmp_path / "trials")
    one, other = collect_results(table, tmp_path / "trials").choices
    assert (one.model, one.key, one.value, one.sweep, one.chosen) == ("legt", "theta", 20, "window", (200,))
    assert (other.model, other.value, other.chosen) == ("window", 200, (200,))
    assert not one.agrees and other.agrees
    write(tmp_path, "window", {**SWEEP, "hyperparameters": {"hidden_size": 3}})  # the trials are of other settings
    assert [choice.chosen for choice in collect_results(table, tmp_path / "trials").choices] == [(), ()]


def test_a_sweep_without_the_scale_of_the_table_chooses_nothing(tmp_path):
    """The scale hour is optional: a table may state it where its sweep does not."""
    write(tmp_path, "window", SWEEP)
    scales = {**TABLE["scales"], "hour": {"training": {"epochs": 3}}}
    models = {"legt": {"label": "LegT", "hyperparameters": {"theta": 20}}}
    write(tmp_path, "letters", {**TABLE, "models": models, "scales": scales, "chosen_by": {"theta": "window"}})
    table = find_experiment(str(tmp_path / "letters.yaml"), "hour")
    (choice,) = collect_results(table, tmp_path / "trials").choices
    assert (choice.sweep, choice.chosen, choice.agrees) == ("window", (), True)
