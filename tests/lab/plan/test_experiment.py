import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hippo.config import ConfigError, closest
from hippo.lab.plan.experiment import load_experiment, scales_of
from hippo.lab.plan.experiments import read_experiments
from hippo.lab.plan.schema import SCALES
from hippo.lab.plan.trial_spec import TrialSpec
from tests.lab.plan.files import CONTENT, EXPERIMENTS, load


def test_trials_are_the_product_of_variants_models_and_seeds(tmp_path):
    names = [trial.name for trial in load(tmp_path).trials()]
    assert len(names) == len(set(names)) == 2 * 2 * 2
    assert "demo/b/wide/seed1" in names


def test_options_come_from_the_most_specific_place_that_states_them(tmp_path):
    paper, quick = load(tmp_path), load(tmp_path, "quick")
    assert paper.trial("a", "legs", 0).training.epochs == 3
    assert paper.trial("a", "wide", 0).training.epochs == 7  # of the model
    assert quick.trial("a", "legs", 0).training.epochs == 2  # of the scale
    assert quick.trial("a", "wide", 0).training.epochs == 7  # the model's precedes the scale's
    assert paper.trial("a", "wide", 0).model_options.hidden_size == 8
    assert quick.trial("a", "wide", 0).model_options.hidden_size == 4
    assert paper.trial("a", "wide", 0).model_name == "gru" and paper.trial("a", "wide", 0).model == "wide"
    assert paper.trial("a", "legs", 0).dataset.permutation == "bit-reversal"
    assert paper.trial("b", "legs", 0).dataset.permutation == "none"


def test_a_variant_may_set_hyperparameters_of_its_own(tmp_path):
    plain = load(tmp_path)
    variants = {"a": {"label": "A"}, "b": {"label": "B", "hyperparameters": {"hidden_size": 5, "order": 3}}}
    models = {"legs": {"label": "LegS"}, "gru": {"label": "GRU"}, "fixed": {"label": "F", "model": "gru"}}
    models["fixed"]["hyperparameters"] = {"hidden_size": 6}
    experiment = load(tmp_path, variants=variants, models=models, scales=None)
    sizes = {(v, m): experiment.trial(v, m, 0).model_options.hidden_size for v in "ab" for m in models}
    assert sizes == {
        ("a", "legs"): 8, ("a", "gru"): 8, ("a", "fixed"): 6,
        ("b", "legs"): 5, ("b", "gru"): 5, ("b", "fixed"): 6,  # the model's own precede
    }  # fmt: skip
    assert experiment.trial("b", "legs", 0).model_options.order == 3  # which the GRU does not have
    assert experiment.trial("a", "legs", 0).digest == plain.trial("a", "legs", 0).digest
    for wrong, message in (
        ({"hiden_size": 5}, "unknown key 'variants.b.hyperparameters.hiden_size'; did you mean 'hidden_size'"),
        ({"hidden_size": 0}, "variants.b.hyperparameters: hidden_size = 0"),
    ):
        variants["b"]["hyperparameters"] = wrong
        with pytest.raises(ConfigError, match=re.escape(message)):
            load(tmp_path, variants=variants, models=models, scales=None)


def test_a_variant_may_name_another_dataset_of_the_task(tmp_path):
    variants = {"a": {"label": "A"}, "b": {"label": "B", "dataset": {"name": "copying", "length": 70}}}
    experiment = load(tmp_path, variants=variants)
    assert experiment.dataset_names == {"a": "mnist", "b": "copying"}
    trial = experiment.trial("b", "legs", 0)
    assert trial.dataset_name == "copying" and trial.dataset.length == 70
    assert trial.dataset.train_samples != 900  # an option of the table's dataset, which does not apply
    assert experiment.trial("a", "legs", 0).digest == load(tmp_path).trial("a", "legs", 0).digest
    assert TrialSpec.from_mapping(trial.to_mapping(), "trial.yaml") == trial
    same = {"a": {"label": "A", "dataset": {"name": "mnist"}}}
    assert load(tmp_path, variants=same).trial("a", "legs", 0).dataset.train_samples == 900
    for dataset, message in (
        ({"name": "copyng"}, "variants.b.dataset.name: unknown dataset 'copyng'; did you mean 'copying'"),
        ({"name": 3}, "variants.b.dataset.name = 3: expected the name of a registered dataset"),
        ({"name": "copying", "lenght": 70}, "variants.b.dataset: unknown key 'lenght'; did you mean 'length'"),
        ({"name": "adding"}, "'adding' is a dataset of the task regression, 'mnist' of the task classification"),
    ):
        variants["b"]["dataset"] = dataset
        with pytest.raises(ConfigError, match=re.escape(message)):
            load(tmp_path, variants=variants)


def test_a_variant_may_set_training_options_of_its_own(tmp_path):
    variants = {"a": {"label": "A"}, "b": {"label": "B", "training": {"epochs": 11, "batch_size": 5}}}
    experiment = load(tmp_path, variants=variants)
    trained = {(v, m): experiment.trial(v, m, 0).training for v in "ab" for m in ("legs", "wide")}
    assert {key: one.epochs for key, one in trained.items()} == {
        ("a", "legs"): 3, ("a", "wide"): 7, ("b", "legs"): 11, ("b", "wide"): 7,  # the model's own precede
    }  # fmt: skip
    assert trained["b", "wide"].batch_size == 5
    assert experiment.trial("a", "legs", 0).digest == load(tmp_path).trial("a", "legs", 0).digest
    quick = load(
        tmp_path, "quick", variants=variants, scales={"quick": {"variants": {"b": {"training": {"epochs": 1}}}}}
    )
    assert quick.trial("b", "legs", 0).training.epochs == 1 and quick.trial("b", "legs", 0).training.batch_size == 5
    assert quick.is_reduced("b", "legs") and not quick.is_reduced("a", "legs")
    with pytest.raises(ConfigError, match=re.escape("variants.b.training: unknown key 'epoch'; did you mean 'epochs'")):
        load(tmp_path, variants={"b": {"label": "B", "training": {"epoch": 1}}})
    memory = {"dataset": {"name": "white_noise"}, "hyperparameters": None, "training": None, "scales": None}
    memory |= {"models": {"legs": {"label": "LegS", "model": "memory"}}}
    with pytest.raises(ConfigError, match="do not read the key 'training'"):
        load(tmp_path, variants={"b": {"label": "B", "training": {"epochs": 1}}}, **memory)


def test_options_of_the_dataset_are_stated_beside_its_name(tmp_path):
    assert {trial.dataset.train_samples for trial in load(tmp_path).trials()} == {900}
    assert {trial.dataset.train_samples for trial in load(tmp_path, "smoke").trials()} == {20}
    with pytest.raises(ConfigError, match="dataset.options: state each option of the dataset beside its name"):
        load(tmp_path, dataset={"name": "mnist", "options": {"train_samples": 900}})


def test_a_scale_removes_entries_that_it_sets_to_null(tmp_path):
    paper = {"source": "s", "values": {"b": {"wide": {"test_accuracy": 1.0}}}}
    scales = {"smoke": {"variants": {"b": None}, "models": {"wide": None}}}
    smoke = load(tmp_path, "smoke", scales=scales, paper=paper)
    assert [trial.name for trial in smoke.trials()] == ["demo/a/legs/seed0", "demo/a/legs/seed1"]
    assert len(load(tmp_path, "paper", scales=scales, paper=paper).trials()) == 8
    with pytest.raises(ConfigError, match="variants"):
        load(tmp_path, "smoke", scales={"smoke": {"variants": {"a": None, "b": None}}})


def test_a_scale_may_set_an_option_to_null(tmp_path):
    models = {"s4": {"label": "S4", "hyperparameters": {"measure": "legs", "learning_rate_A": 0.1}}}
    for given in (models, {"s4": {"label": "S4"}}):
        null = {"models": {"s4": {"hyperparameters": {"learning_rate_A": None}}}}
        smoke = load(tmp_path, "smoke", models=given, hyperparameters={}, scales={"smoke": null})
        assert smoke.trial("a", "s4", 0).model_options.learning_rate_A is None


def test_a_value_that_only_a_scale_sweeps_is_reduced(tmp_path):
    sweep = {"block": "training", "key": "epochs", "label": "epochs", "values": [2, 3]}
    scales = {"smoke": {"sweep": {"values": [1, 2]}}}
    smoke = load(tmp_path, "smoke", sweep=sweep, scales=scales)
    assert [smoke.is_reduced("a", f"legs.epochs-{epochs}") for epochs in (1, 2)] == [True, False]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.1, "1e-3"], "YAML reads 1e-3 as text; write it without quotes, and 1e-3 as 1.0e-3"),
        ([20, "20"], "YAML reads 20 as text"),
    ],
)
def test_numbers_that_yaml_reads_as_text_are_refused(tmp_path, values, message):
    sweep = {"block": "training", "key": "learning_rate", "label": "rate", "values": values}
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, sweep=sweep)


@pytest.mark.parametrize("name", ["demo_seeds", "demo_pairs"])
def test_the_names_of_other_files_of_a_table_are_refused(tmp_path, name):
    load(tmp_path)
    (path,) = tmp_path.glob("*.yaml")
    path.rename(tmp_path / f"{name}.yaml")
    with pytest.raises(ConfigError, match="cannot end in _seeds or _pairs"):
        read_experiments({}, tmp_path)


@pytest.mark.parametrize("scale", ["smoke", "quick"])
@pytest.mark.parametrize("scales", [None, {}, {"smoke": {}, "quick": {}}])
def test_a_scale_that_overrides_nothing_is_refused(tmp_path, scale, scales):
    expected = f"scales.{scale} overrides nothing, so the {scale} scale would train at the full size of the paper"
    with pytest.raises(ConfigError, match=re.escape(expected)):
        load(tmp_path, scale, scales=scales)
    assert load(tmp_path, "paper", scales=scales).trials()


def test_a_scale_of_a_task_that_trains_nothing_may_override_nothing(tmp_path):
    changes = {"dataset": {"name": "white_noise"}, "hyperparameters": None, "training": None, "scales": None}
    memory = {"legs": {"label": "LegS", "model": "memory"}}
    experiment = load(tmp_path, "quick", variants={"a": {"label": "A"}}, models=memory, **changes)
    assert [trial.training for trial in experiment.trials()] == [None, None] and experiment.unreduced is None


def test_the_key_task_is_refused_with_its_reason(tmp_path):
    with pytest.raises(ConfigError, match="unknown key 'task': the task follows from the dataset; remove the key"):
        load(tmp_path, task="classification")


def test_a_model_is_reduced_if_the_scale_changes_a_setting_that_its_numbers_depend_on(tmp_path):
    quick = load(tmp_path, "quick", scales={"quick": {"training": {"epochs": 2}, "resources": {"threads": 4}}})
    assert quick.is_reduced("a", "legs")
    assert not quick.is_reduced("a", "wide")  # it states its epochs itself
    assert not load(tmp_path, "paper").is_reduced("a", "legs")


def test_two_models_with_one_label_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="two entries of 'models' have the label 'GRU'"):
        load(tmp_path, models={**CONTENT["models"], "gru": {"label": "GRU"}})


def test_a_new_model_changes_the_seeds_of_no_other(tmp_path):
    before = load(tmp_path).trial("a", "legs", 1).entropy
    more = {"gru": {"label": "another GRU"}, **CONTENT["models"]}
    assert load(tmp_path, models=more).trial("a", "legs", 1).entropy == before
    assert load(tmp_path).trial("b", "legs", 1).entropy != before
    assert load(tmp_path).trial("a", "legs", 0).entropy != before


def test_numbers_do_not_depend_on_the_threads_of_a_trial(tmp_path):
    trial = load(tmp_path).trial("a", "legs", 0)
    assert replace(trial, threads=7).digest == trial.digest


@pytest.mark.parametrize(
    ("axes", "answer"),
    [
        (("a", "legz", 0), "no model 'legz'; did you mean 'legs'"),
        (("c", "legs", 0), "no variant 'c'; valid: a, b"),
        (("a", "legs", 2), "no seed 2; there are 2, numbered from 0"),
        (("a", "legs", -1), "no seed -1; there are 2, numbered from 0"),
    ],
)
def test_a_trial_that_does_not_exist_is_refused(tmp_path, axes, answer):
    with pytest.raises(ConfigError, match=re.escape(answer)):
        load(tmp_path).trial(*axes)


def test_a_file_that_does_not_exist_suggests_those_that_do(tmp_path):
    load(tmp_path)
    (tmp_path / "empty").mkdir()
    answers = {
        "dema.yaml": "dema.yaml: no such file; did you mean 'demo.yaml'",
        "other.txt": "other.txt: no such file; valid: demo.yaml",
        "empty/demo.yaml": f"no such file; {tmp_path}/empty holds no YAML file; name another file",
        "absent/demo.yaml": f"no such file; the folder {tmp_path}/absent does not exist either; start in the project's",
    }
    for name, answer in answers.items():
        with pytest.raises(ConfigError, match=re.escape(answer)):
            load_experiment(tmp_path / name, "quick")


def test_without_valid_names_none_is_suggested():
    assert closest("pmnist", []) == "there are no valid names"
    assert closest("pmnist", ["adding"]) == "valid: adding" and closest("admin", ["adding"]).startswith("did you mean")


@pytest.mark.parametrize("name", [300 * "x", "../x", "a b", "", ".x", "x/y", "x;y", "é", "x\n"])
@pytest.mark.parametrize("table", ["variants", "models"])
def test_a_name_that_cannot_be_a_folder_is_refused_in_one_short_line(tmp_path, table, name):
    with pytest.raises(ConfigError) as error:
        load(tmp_path, **{table: {name: {"label": "X"}}}, scales=None)
    (line,) = str(error.value).splitlines()
    assert f"{table}: name " in line and "use letters, digits" in line and "at most 64 characters" in line
    assert len(line) < len(str(tmp_path)) + 250


def test_the_longest_name_is_accepted(tmp_path):
    models = {64 * "x": {"label": "X", "model": "gru"}}
    assert load(tmp_path, models=models, scales={"smoke": {"seeds": 1}}).trial("a", 64 * "x", 0).model == 64 * "x"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"seeds": 10**9}, "seeds"),
        ({"seeds": 0}, "seeds"),
        ({"training": {"epochs": 10**18}}, "training.epochs"),
        ({"training": {"batch_size": 10**12}}, "training.batch_size"),
        ({"training": {"learning_rate": float("inf")}}, "training.learning_rate"),
        ({"training": {"warmup_steps": -1}}, "training.warmup_steps"),
        ({"training": {"gradient_clip": 0}}, "training.gradient_clip"),
        ({"training": {"early_stopping": 0}}, "training.early_stopping"),
        ({"training": {"optimizer": "sgd"}}, "training.optimizer"),
        ({"training": {"schedule": "linear"}}, "training.schedule"),
        ({"training": {"weight_decay": 0.1}}, "training: weight_decay needs optimizer: adamw"),
        ({"resources": {"threads": 10**9}}, "resources.threads"),
        ({"resources": {"gpu": 1000}}, "resources.gpu"),
    ],
)
def test_sizes_out_of_range_are_refused(tmp_path, changes, path):
    with pytest.raises(ConfigError, match=re.escape(f"demo.yaml: {path}")):
        load(tmp_path, **changes)


def test_training_options_reach_every_trial_and_a_model_may_replace_them(tmp_path):
    training = {"optimizer": "adamw", "weight_decay": 0.1, "schedule": "cosine", "warmup_steps": 5, "early_stopping": 2}
    models = {"legs": {"label": "L", "training": {"gradient_clip": 1.0, "weight_decay": 0.0}}, "gru": {"label": "G"}}
    experiment = load(tmp_path, training=training, models=models, scales=None)
    legs, gru = (experiment.trial("a", model, 0).training for model in ("legs", "gru"))
    assert (legs.optimizer, legs.weight_decay, legs.gradient_clip) == ("adamw", 0.0, 1.0)
    assert (gru.weight_decay, gru.gradient_clip, gru.schedule, gru.warmup_steps) == (0.1, None, "cosine", 5)


def test_every_shipped_experiment_is_valid_at_every_scale():
    assert len(EXPERIMENTS) > 10
    for path in EXPERIMENTS:
        for scale in scales_of(path):
            assert load_experiment(path, scale).trials()


def test_every_shipped_table_has_a_position_of_its_own():
    specs = [load_experiment(path, "paper").spec for path in EXPERIMENTS]
    positions = [spec.position for spec in specs if not spec.sweep]
    assert None not in positions and len(set(positions)) == len(positions)


def test_the_position_of_a_table_changes_no_digest(tmp_path):
    without, second = load(tmp_path), load(tmp_path, position=2)
    assert (without.spec.position, second.spec.position) == (None, 2)
    assert [trial.digest for trial in without.trials()] == [trial.digest for trial in second.trials()]
    assert without.spec.model_dump_json() == second.spec.model_dump_json()  # a parameter of the table's rule


def test_the_hour_scale_is_optional(tmp_path):
    with pytest.raises(ConfigError, match="no scale hour; state its settings under scales.hour, or choose smoke, qui"):
        load(tmp_path, "hour")
    (path,) = tmp_path.glob("*.yaml")
    assert scales_of(path) == ["smoke", "quick", "paper"]
    assert (path.stem, "hour") not in read_experiments({}, tmp_path)
    assert read_experiments({"scale": "hour"}, tmp_path).requested == []
    with pytest.raises(ConfigError, match=f"{path}: no scale hour"):
        read_experiments({"scale": "hour", "experiments": [path.stem]}, tmp_path)
    experiment = load(tmp_path, "hour", scales={**CONTENT["scales"], "hour": {"training": {"epochs": 7}}})
    assert experiment.trial("a", "legs", 0).epochs == 7 and experiment.is_reduced("a", "legs")
    assert scales_of(path) == list(SCALES)
    found = read_experiments({"scale": "hour"}, tmp_path)
    assert found.requested == [path.stem] and (path.stem, "hour") in found


def test_reading_experiments_imports_no_heavy_package():
    code = (
        "import sys; from hippo.lab.plan.experiments import read_experiments; read_experiments({});"
        "import hippo.lab.trials.up_to_date, hippo.lab.trials.failures;"
        "heavy = {'torch', 'mlflow', 'sktime', 'pandas', 'sklearn', 'matplotlib'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
