import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hippo.lab.plan import experiment

from hippo.config import ConfigError, closest

PLAN = {
    "title": "t",
    "task": "classification",
    "dataset": {"name": "mnist"},
    "variants": {"a": {"label": "A"}, "b": {"label": "B", "dataset": {"permutation": "none"}}},
    "models": {"legs": {"label": "LegS"}, "wide": {"label": "GRU", "model": "gru", "training": {"epochs": 7}}},
    "hyperparameters": {"hidden_size": 8},
    "training": {"epochs": 3},
    "seeds": 2,
    "scales": {"quick": {"training": {"epochs": 2}, "models": {"wide": {"hyperparameters": {"hidden_size": 4}}}}},
}


def load(tmp_path, scale="paper", **changes):
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump({**PLAN, **changes}))
    return experiment.load(path, scale)


def test_trials_are_the_product_of_variants_models_and_seeds(tmp_path):
    names = [trial.name for trial in load(tmp_path).trials()]
    assert len(names) == len(set(names)) == 2 * 2 * 2
    assert "plan/b/wide/seed1" in names


def test_options_come_from_the_nearest_place_that_states_them(tmp_path):
    paper, quick = load(tmp_path), load(tmp_path, "quick")
    assert paper.trial("a", "legs", 0).training["epochs"] == 3
    assert paper.trial("a", "wide", 0).training["epochs"] == 7  # the row's own
    assert quick.trial("a", "legs", 0).training["epochs"] == 2  # the scale's
    assert quick.trial("a", "wide", 0).training["epochs"] == 7  # the row's own still wins
    assert paper.trial("a", "wide", 0).model["hidden_size"] == 8
    assert quick.trial("a", "wide", 0).model["hidden_size"] == 4
    assert paper.trial("a", "wide", 0).model["name"] == "gru"
    assert paper.trial("b", "legs", 0).dataset["permutation"] == "none"


def test_a_scale_leaves_out_what_it_sets_to_null(tmp_path):
    paper = {"source": "s", "values": {"b": {"wide": {"test_accuracy": 1.0}}}}
    scales = {"smoke": {"variants": {"b": None}, "models": {"wide": None}}}
    smoke = load(tmp_path, "smoke", scales=scales, paper=paper)
    assert [trial.name for trial in smoke.trials()] == ["plan/a/legs/seed0", "plan/a/legs/seed1"]
    assert len(load(tmp_path, "paper", scales=scales, paper=paper).trials()) == 8
    with pytest.raises(ConfigError, match="variants"):
        load(tmp_path, "smoke", scales={"smoke": {"variants": {"a": None, "b": None}}})


def test_a_trial_states_defaults_too(tmp_path):
    trial = load(tmp_path).trial("a", "legs", 0)
    assert trial.training["learning_rate"] == 1e-3 and trial.training["batch_size"] == 100
    assert trial.dataset["permutation"] == "bit-reversal"


def test_the_digest_changes_with_any_setting_and_only_then(tmp_path):
    digest = load(tmp_path).trial("a", "legs", 0).digest
    assert load(tmp_path, title="another").trial("a", "legs", 0).digest == digest
    assert load(tmp_path, training={"epochs": 4}).trial("a", "legs", 0).digest != digest
    assert load(tmp_path).trial("a", "legs", 1).digest != digest


def test_two_rows_of_one_label_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="two rows of 'models' have the label 'GRU'"):
        load(tmp_path, models={**PLAN["models"], "gru": {"label": "GRU"}})


def test_a_new_model_leaves_the_seeds_of_others_alone(tmp_path):
    before = load(tmp_path).trial("a", "legs", 1).entropy
    more = {"gru": {"label": "another GRU"}, **PLAN["models"]}
    assert load(tmp_path, models=more).trial("a", "legs", 1).entropy == before
    assert load(tmp_path).trial("b", "legs", 1).entropy != before
    assert load(tmp_path).trial("a", "legs", 0).entropy != before


def test_unknown_names_of_a_trial_are_answered_with_the_closest(tmp_path):
    with pytest.raises(ConfigError, match="no model 'legz'; did you mean 'legs'"):
        load(tmp_path).trial("a", "legz", 0)


def test_an_absent_file_is_answered_with_what_stands_beside_it(tmp_path):
    load(tmp_path)
    (tmp_path / "empty").mkdir()
    answers = {
        "plam.yaml": "plam.yaml: no such file; did you mean 'plan.yaml'",
        "other.txt": "other.txt: no such file; valid: plan.yaml",
        "empty/plan.yaml": f"no such file; there is no YAML file in {tmp_path}/empty; name another file",
        "absent/plan.yaml": f"no such file; nor is there a folder {tmp_path}/absent; start in the project's",
    }
    for name, answer in answers.items():
        with pytest.raises(ConfigError, match=re.escape(answer)):
            experiment.load(tmp_path / name, "quick")


def test_where_nothing_is_valid_nothing_is_listed():
    assert closest("pmnist", []) == "there is none to choose from"
    assert closest("pmnist", ["adding"]) == "valid: adding" and closest("admin", ["adding"]).startswith("did you mean")


def test_every_scale_of_every_shipped_experiment_is_valid():
    files = sorted((Path(__file__).parents[3] / "config/experiments").glob("*.yaml"))
    assert files
    for path in files:
        for scale in experiment.SCALES:
            assert experiment.load(path, scale).trials()


def test_reading_experiments_does_not_import_torch():
    code = (
        "import sys; from hippo.lab.plan.experiment import load;"
        "load('config/experiments/pmnist.yaml', 'quick'); load('config/experiments/timescale.yaml', 'quick');"
        "load('config/experiments/reconstruction.yaml', 'quick');"
        "heavy = {'torch', 'mlflow', 'sktime', 'pandas'} & set(sys.modules); assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_numbers_do_not_depend_on_how_many_threads_a_trial_was_given(tmp_path):
    trial = load(tmp_path).trial("a", "legs", 0)
    assert trial.model_copy(update={"threads": 7}).digest == trial.digest


def test_a_seed_beyond_the_plan_is_no_trial(tmp_path):
    with pytest.raises(ConfigError, match="no seed 2; seeds: 2 are numbered from 0"):
        load(tmp_path).trial("a", "legs", 2)
