import re

import pytest

from hippo.config import ConfigError
from hippo.lab.plan.experiments import check_choices
from tests.lab.plan.files import load

SWEEP = {"block": "training", "key": "learning_rate", "label": "rate", "values": [1e-3, 1e-2]}


def sweep(tmp_path, models=("legs", "gru"), **changes):
    models = {model: {"label": model} for model in models}
    return load(tmp_path, name="rates", models=models, sweep={**SWEEP, **changes})


def table(tmp_path, **changes):
    models = {"legs": {"label": "L"}, "wide": {"label": "W", "model": "gru", "training": {"learning_rate": 1e-2}}}
    return load(tmp_path, **{"models": models, "scales": None, **changes})


def test_a_choice_of_the_table_holds_for_every_model(tmp_path):
    experiment = table(tmp_path, chosen_by={"learning_rate": "rates"})
    assert experiment.chosen_by("legs") == experiment.chosen_by("wide") == {"learning_rate": "rates"}
    check_choices(experiment, {"rates": sweep(tmp_path)})


def test_a_choice_of_the_table_holds_only_for_models_that_have_the_setting(tmp_path):
    models = {"legs": {"label": "L"}, "lmu": {"label": "M", "hyperparameters": {"theta": 9}}}
    experiment = table(tmp_path, models=models, chosen_by={"theta": "thetas"})
    assert experiment.chosen_by("lmu") == {"theta": "thetas"} and experiment.chosen_by("legs") == {}
    with pytest.raises(ConfigError, match="chosen_by: no model has a setting 'thetta'; did you mean 'theta'"):
        table(tmp_path, models=models, chosen_by={"thetta": "thetas"})


def test_a_choice_of_a_model_replaces_that_of_the_table(tmp_path):
    models = {"legs": {"label": "L", "chosen_by": {"learning_rate": "others"}}, "gru": {"label": "G"}}
    experiment = table(tmp_path, models=models, chosen_by={"learning_rate": "rates"})
    assert experiment.chosen_by("legs") == {"learning_rate": "others"}
    assert experiment.chosen_by("gru") == {"learning_rate": "rates"}


@pytest.mark.parametrize(
    ("choice", "swept", "answer"),
    [
        ({"learning_rate": "rate"}, {}, "chosen_by.learning_rate: 'rate' is not a sweep over 'learning_rate'; did you"),
        ({"batch_size": "rates"}, {}, "'rates' is not a sweep over 'batch_size'"),
        ({"learning_rate": "rates"}, {"models": ["legs"]}, "models.wide.chosen_by.learning_rate: rates does not sweep"),
        ({"learning_rate": "rates"}, {"values": [0.1, 0.2]}, "0.001 is not among [0.1, 0.2], the values of rates"),
    ],
)
def test_a_choice_that_no_sweep_made_is_refused(tmp_path, choice, swept, answer):
    with pytest.raises(ConfigError, match=re.escape(answer)):
        check_choices(table(tmp_path, chosen_by=choice), {"rates": sweep(tmp_path, **swept)})


def test_a_sweep_is_one_entry_per_model_and_value(tmp_path):
    experiment = sweep(tmp_path)
    entries = ["legs.learning_rate-0.001", "legs.learning_rate-0.01", "gru.learning_rate-0.001"]
    assert list(experiment.spec.models)[:3] == entries and len(experiment.models) == 4
    trial = experiment.trial("a", "gru.learning_rate-0.01", 1)
    assert trial.training.learning_rate == 0.01 and trial.model_name == "gru"
    assert (trial.sweep.model, trial.sweep.key, trial.sweep.value) == ("gru", "learning_rate", 0.01)
    assert experiment.spec.models[trial.model].label == "gru, rate = 0.01"


@pytest.mark.parametrize("values", [[0.1, 0.1], ["a/b", "c"], ["..", 300 * "x"], [1]])
def test_values_that_cannot_name_a_folder_are_refused(tmp_path, values):
    with pytest.raises(ConfigError, match=r"sweep\.values"):
        sweep(tmp_path, values=values)
