"""The differences that `hippo compare` reports between two folders that a test made differ in one thing."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from hippo.cli.commands import hippo as main
from hippo.config import ConfigError
from hippo.lab.plan.experiment import load_experiment
from hippo.lab.reporting.diff import compare
from hippo.lab.reporting.tables import write_table
from hippo.lab.results.results import collect_results
from tests.lab.outcomes import finish, finish_all, write_experiment


def results(folder: Path, experiment, **scores) -> Path:
    """A folder of results: every trial finished, and the table made."""
    finish_all(experiment, folder / "trials", **scores)
    write_table(collect_results(experiment, folder / "trials"), folder / "tables/demo.md")
    return folder


@pytest.fixture
def pair(tmp_path):
    """Two equal folders."""
    one = results(tmp_path / "one", write_experiment(tmp_path))
    return one, Path(shutil.copytree(one, tmp_path / "other"))


def change(table: Path, model: str, of: str | None = None, **values) -> None:
    """Write `values` into the lines of one model, or of its metric `of`."""
    cells = pd.read_csv(table, dtype={"verdict": object})
    lines = (cells["model"] == model) & (of is None or cells["metric"] == of)
    assert lines.any()
    for key, value in values.items():
        cells.loc[lines, key] = value
    cells.to_csv(table, index=False)


def table_lines(text: str) -> list[list[str]]:
    """The lines of the tables in the text, split at spaces."""
    return [line.split() for line in text.splitlines() if line.startswith(("gru ", "legs ", "lstm ", "long"))]


def test_equal_folders_have_no_differences(pair):
    one, other = pair
    assert compare(one, other).splitlines() == [f"A {one}", f"B {other}", "", "6 numbers in both, 0 differ"]


@pytest.mark.parametrize(
    ("changed", "line", "numbers"),
    [
        ({"mean": 70.1}, "legs test_accuracy 90.1 70.1 -20", 1),
        ({"std": 0.3}, "legs test_accuracy, std 0.1 0.3 +0.2", 1),
        ({"verdict": "below"}, "legs test_accuracy, verdict reproduced below", 1),
        ({"verdict": None}, "legs test_accuracy, verdict reproduced —", 1),
        ({"mean": None}, "legs test_accuracy 90.1 —", 1),
    ],
)
def test_each_aspect_of_a_number_is_compared(pair, changed, line, numbers):
    change(pair[1] / "tables/demo.csv", "legs", "test_accuracy", **changed)
    text = compare(*pair)
    assert table_lines(text) == [line.split()] and "demo/a" in text.splitlines()
    assert f"6 numbers in both, {numbers} differ" in text


def test_small_deviations_of_small_numbers_are_compared(pair):
    for folder, std in zip(pair, (1e-9, 2e-9), strict=True):
        change(folder / "tables/demo.csv", "legs", "validation_accuracy", mean=1e-6, std=std)
    assert table_lines(compare(*pair)) == ["legs validation_accuracy, std 1e-09 2e-09 +1e-09".split()]


def test_finished_seeds_are_reported_once_for_a_model(pair):
    change(pair[1] / "tables/demo.csv", "legs", finished=1)
    text = compare(*pair)
    assert table_lines(text) == ["legs finished 3 of 3 1 of 3".split()]
    assert "6 numbers in both, 2 differ" in text  # both numbers of the model are of other seeds


def test_of_a_time_only_the_verdict_is_compared(pair):
    for folder in pair:
        change(folder / "tables/demo.csv", "lstm", "validation_accuracy", metric="steps_per_second", verdict="above")
    change(pair[1] / "tables/demo.csv", "lstm", "steps_per_second", mean=7.0, std=2.0)
    assert "6 numbers in both, 0 differ" in compare(*pair)
    change(pair[1] / "tables/demo.csv", "lstm", "steps_per_second", verdict="below")
    assert table_lines(compare(*pair)) == ["lstm steps_per_second, verdict above below".split()]


def test_models_of_only_one_folder_are_named(pair):
    table = pair[0] / "tables/demo.csv"
    cells = pd.read_csv(table)
    cells[cells["model"] != "gru"].to_csv(table, index=False)
    text = compare(*pair)
    assert "4 numbers in both, 0 differ" in text and "only in B: demo/a/gru" in text.splitlines()


def test_settings_that_differ_are_reported_once_for_all_trials(tmp_path, pair):
    (tmp_path / "changed").mkdir()
    changed = write_experiment(tmp_path / "changed", training={"epochs": 3, "learning_rate": 0.01})
    text = compare(pair[0], results(tmp_path / "third", changed, legs=0.7))
    assert table_lines(text) == [  # and the deviations, equal but for the rounding of their last bit, are no difference
        "legs test_accuracy 90.1 70.1 -20".split(),
        "legs test_accuracy, verdict reproduced below".split(),
    ]
    assert "6 numbers in both, 1 differ" in text
    assert "training.learning_rate: 0.001 in A, 0.01 in B (demo/a/gru/seed0 and 8 more)" in text.splitlines()


def test_the_origin_of_the_numbers_is_compared(tmp_path, pair):
    one, other = pair
    substitute = {"source": "synthetic pen strokes", "substitute": True, "digest": "1"}
    made = {"dataset": substitute, "versions": {"hippo-lab": "0.2.0"}, "commit": 40 * "d", "kernels": "reference"}
    experiment = write_experiment(tmp_path)
    for trial in experiment.trials():
        finish(experiment, other / "trials", trial.model, trial.seed, **made)
    finish(experiment, other / "trials", "lstm", 2, **made, device="NVIDIA H100")
    expected = f"""
        data: MNIST (real) in A, synthetic pen strokes in B (demo/a/gru/seed0 and 8 more)
        hippo-lab: 0.1.0 in A, 0.2.0 in B (demo/a/gru/seed0 and 8 more)
        kernels: None in A, reference in B (demo/a/gru/seed0 and 8 more)
        commit: {40 * "c"}-dirty in A, {40 * "d"} in B (demo/a/gru/seed0 and 8 more)
        device: None in A, NVIDIA H100 in B (demo/a/lstm/seed2)
    """
    behind = compare(one, other).split("differ\n")[1]
    assert " ".join(behind.split()) == " ".join(expected.split())


def test_data_of_one_name_but_other_content_differ(tmp_path, pair):
    dataset = {"source": "MNIST (real)", "substitute": False, "digest": "1"}
    finish(write_experiment(tmp_path), pair[1] / "trials", "legs", 0, dataset=dataset)
    assert compare(*pair).splitlines()[-1] == "digest of the data: 0 in A, 1 in B (demo/a/legs/seed0)"


@pytest.mark.parametrize("content", ["", "training: {epochs: 3", "- 3", "a: 1\na: 2", b"\xff"])
def test_damaged_settings_are_a_note_and_no_error(pair, content):
    for seed in (0, 1):
        path = pair[1] / f"trials/demo/a/legs/seed{seed}/trial.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    text = compare(*pair)
    assert "6 numbers in both, 0 differ" in text
    assert text.splitlines()[-1] == (
        "DAMAGED in B: trial.yaml; settings are not compared (demo/a/legs/seed0 and 1 more)"
    )


@pytest.mark.parametrize("content", ["", "[]", '{"status"', "{}"])
def test_a_damaged_outcome_is_a_note_and_an_absent_one_is_none(pair, content):
    (pair[0] / "trials/demo/a/legs/seed0/metrics.json").write_text(content)
    (pair[0] / "trials/demo/a/legs/seed1/metrics.json").unlink()  # the table reports it
    assert compare(*pair).splitlines()[4:] == [
        "DAMAGED in A: metrics.json; data and versions are not compared (demo/a/legs/seed0)"
    ]


HEADER = "experiment,scale,variant,model,metric,mean,std,finished,seeds,verdict\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (HEADER, "a header without any line"),
        ("", "or damaged"),
        ("model,accuracy\nlegs,0.9\n", "written by another version"),
        (HEADER + "demo,quick,a,legs,test_accuracy,90.1,0.1,3", "or damaged"),  # the disk was full
        (HEADER + "demo,quick,a,legs,test_accuracy,ninety,0.1,3,3,\n", "or damaged"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(pair, content, reason):
    table = pair[1] / "tables/demo.csv"
    table.write_text(content)
    with pytest.raises(ConfigError, match=f"{table}: .*{reason}.*make it again"):
        compare(*pair)


def test_folders_without_numbers_are_refused(tmp_path, pair):
    results(tmp_path / "results/quick", write_experiment(tmp_path))
    for folder, reason in ((tmp_path / "results", "name one of them, such as"), (tmp_path / "nowhere", "no tables")):
        with pytest.raises(ConfigError, match=reason):
            compare(pair[0], folder)


SWEEP = {"block": "training", "key": "learning_rate", "label": "rate", "values": [0.001, 0.01]}


@pytest.fixture
def sweeps(tmp_path):
    """Two folders of one sweep: in the other one, validation chooses another rate for LegS."""
    experiment = write_experiment(tmp_path, name="rates", paper=None, sweep=SWEEP, models={"legs": {"label": "LegS"}})
    folders = tmp_path / "one", tmp_path / "other"
    for folder, (slow, fast) in zip(folders, ((0.5, 0.6), (0.5, 0.4)), strict=True):
        for seed in range(3):
            finish(experiment, folder / "trials", "legs.learning_rate-0.001", seed, validation_accuracy=slow)
            finish(experiment, folder / "trials", "legs.learning_rate-0.01", seed, validation_accuracy=fast)
        made = ["sweep", experiment.path, "--trials", folder / "trials", "--out", folder / "sweeps/rates.md"]
        assert CliRunner().invoke(main, list(map(str, made))).exit_code == 0
        (folder / "sweeps/rates_seeds.csv").write_text("folder,seed\n")  # not of the sweep's columns
    return folders


def test_sweeps_and_their_choices_are_compared(sweeps):
    text = compare(*sweeps)
    assert "rates/a" in text.splitlines() and "4 numbers in both, 2 differ" in text
    assert table_lines(text) == [
        "legs at 0.001 validation_accuracy, verdict not chosen chosen".split(),
        "legs at 0.01 validation_accuracy 60 40 -20".split(),
        "legs at 0.01 validation_accuracy, verdict chosen not chosen".split(),
    ]
    assert "0 differ" in compare(sweeps[0], sweeps[0])


def test_diverged_seeds_of_a_sweep_differ_from_missing_ones(sweeps):
    path = sweeps[1] / "sweeps/rates.csv"
    shutil.copy(sweeps[0] / "sweeps/rates.csv", path)
    curve = pd.read_csv(path)
    curve.loc[curve["value"] == 0.001, "diverged"] = 2
    curve.to_csv(path, index=False)
    assert "3 of 3, others" in compare(*sweeps) and "2 differ" in compare(*sweeps)


def test_a_sweep_may_state_its_scale(sweeps):
    for folder, scale in zip(sweeps, ("quick", "paper"), strict=True):
        curve = pd.read_csv(folder / "sweeps/rates.csv").assign(scale=scale)
        curve.to_csv(folder / "sweeps/rates.csv", index=False)
    assert "DIFFERENT SCALES: A is quick, B is paper" in compare(*sweeps)
    curve.drop(columns="scale").to_csv(sweeps[1] / "sweeps/rates.csv", index=False)
    text = compare(*sweeps)
    assert "SCALE" not in text and "2 differ" in text  # the scale of one is not known
    curve.drop(columns="chosen").to_csv(sweeps[1] / "sweeps/rates.csv", index=False)
    with pytest.raises(ConfigError, match="rates.csv: written by another version"):
        compare(*sweeps)


def test_long_names_and_values_fit_100_columns(tmp_path):
    long = "long-name-of-a-model-that-nobody-would-want-to-type"
    models = {long: {"label": "L", "model": "legs"}, "gru": {"label": "GRU"}}
    experiment = write_experiment(tmp_path, models=models, paper=None)
    one = results(tmp_path / "one", experiment)
    other = Path(shutil.copytree(one, tmp_path / "other"))
    table = other / "tables/demo.csv"
    verdict = "of another scale and synthetic substitute data"
    change(table, long, "test_accuracy", mean=-1.234567e-5, std=1.234567e-5, verdict=verdict)
    change(table, long, "validation_accuracy", metric="last_validation_accuracy_of_a_part", mean=1)
    change(one / "tables/demo.csv", long, "validation_accuracy", metric="last_validation_accuracy_of_a_part")
    for path in (other / "trials").rglob("trial.yaml"):
        made = yaml.safe_load(path.read_text())
        path.write_text(yaml.safe_dump({**made, "dataset": {"name": "mnist", "permutation": "random " * 40}}))
        metrics = json.loads((path.parent / "metrics.json").read_text())
        metrics["dataset"]["source"] = "a long description of where the recordings come from " * 4
        (path.parent / "metrics.json").write_text(json.dumps(metrics))
    lines = compare(one, other).splitlines()[2:]
    assert len(lines) > 10 and max(map(len, lines)) <= 100


def test_a_sweep_over_names_is_compared_too(sweeps):
    for folder in sweeps:
        curve = pd.read_csv(folder / "sweeps/rates.csv").assign(value=["float32", "bfloat16"])
        curve.to_csv(folder / "sweeps/rates.csv", index=False)
    assert "legs at bfloat16" in compare(*sweeps)


def test_a_number_without_a_mean_is_compared_without_a_warning(pair, recwarn):
    for folder in pair:
        change(folder / "tables/demo.csv", "legs", "test_accuracy", mean=None, std=None)
    assert "6 numbers in both, 0 differ" in compare(*pair)
    change(pair[1] / "tables/demo.csv", "legs", "test_accuracy", std=0.5)
    assert table_lines(compare(*pair)) == ["legs test_accuracy, std — 0.5".split()]
    assert not [warning for warning in recwarn if issubclass(warning.category, RuntimeWarning)]


def test_trials_of_the_first_release_have_the_same_settings(tmp_path, pair):
    """The published trial has the first release's keys, and none of the options that were added later."""
    first = Path("tests/lab/results/trial_of_first_release.yaml")
    trial = load_experiment("config/experiments/timescale.yaml", "paper").trial("100hz-to-200hz", "legs", 0)
    for folder, text in zip(pair, (first.read_text(), trial.to_yaml()), strict=True):
        (folder / "trials" / trial.name).mkdir(parents=True)
        (folder / "trials" / trial.name / "trial.yaml").write_text(text)
    assert compare(*pair).splitlines()[-1] == "6 numbers in both, 0 differ"
