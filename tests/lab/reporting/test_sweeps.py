import json

import numpy as np
import pandas as pd
import pytest
import yaml
from hippo.lab.plan import experiments as plans
from matplotlib.axes import Axes
from mlflow import MlflowClient

from hippo.config import ConfigError
from hippo.lab.plan.experiment import load_experiment
from hippo.lab.reporting import explain as origin
from hippo.lab.reporting.figures.sweep import sweep_figure
from hippo.lab.results.sweeps import write_sweep
from hippo.lab.tracking import run as tracking
from hippo.lab.tracking import store
from hippo.lab.tracking.sweep_runs import record_sweep

SWEEP = {
    "title": "Window",
    "task": "classification",
    "dataset": {"name": "mnist"},
    "variants": {"a": {"label": "variant A"}},
    "models": {"legt": {"label": "LegT"}, "narrow": {"label": "LMU", "model": "lmu"}},
    "sweep": {"block": "hyperparameters", "key": "theta", "label": "θ", "values": [20, 200, 784]},
    "seeds": 2,
}
# validation and test accuracy at each value: test would choose otherwise
SCORES = {20: (0.5, 0.99), 200: (0.8, 0.6), 784: (0.7, 0.7)}


def write(folder, name, content):
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def experiment(tmp_path):
    return load_experiment(write(tmp_path, "window", SWEEP), "quick")


def finish(experiment, trials, row, seed, status="finished", source="MNIST", stand_in=False):
    trial = experiment.trial("a", row, seed)
    validation, test = SCORES[trial.sweep["value"]]
    scores = {"validation_accuracy": validation, "test_accuracy": test}
    folder = trials / trial.name
    folder.mkdir(parents=True)
    outcome = {"status": status, "trial": trial.digest, "dataset": {"source": source, "stand_in": stand_in}}
    (folder / "metrics.json").write_text(json.dumps(outcome | (scores if status == "finished" else {})))


def sweep(experiment, tmp_path) -> tuple[str, pd.DataFrame]:
    curve = write_sweep(experiment, tmp_path / "trials", tmp_path / "out")
    sweep_figure(experiment, curve, tmp_path / "out")
    record_sweep(experiment, curve, tmp_path / "out")
    assert (tmp_path / "out.png").exists() and (tmp_path / "out.svg").exists()
    return (tmp_path / "out.md").read_text(), pd.read_csv(tmp_path / "out.csv")


def test_every_model_is_tried_at_every_value(experiment):
    trials = experiment.trials()
    assert len(trials) == 2 * 3 * 2
    values = {(t.sweep["of"], t.model["name"], t.model["theta"], t.sweep["value"]) for t in trials}
    assert values == {(of, name, v, v) for of, name in (("legt", "legt"), ("narrow", "lmu")) for v in (20, 200, 784)}
    assert len({t.digest for t in trials}) == len(trials)


def test_validation_chooses_and_test_does_not(experiment, tmp_path):
    for row in experiment.points:
        for seed in (0, 1):
            finish(experiment, tmp_path / "trials", row, seed)
    page, curve = sweep(experiment, tmp_path)
    assert list(curve.loc[curve["chosen"], "value"]) == [200, 200]
    assert "**80.0**" in page and "**99" not in page and "end of the grid" not in page


def test_the_figure_shows_every_value_and_rings_the_chosen(experiment, tmp_path, monkeypatch):
    for row in experiment.points:
        for seed in (0, 1):
            finish(experiment, tmp_path / "trials", row, seed)
    curves, rings, errorbar, plot = {}, [], Axes.errorbar, Axes.plot

    def noted(axis, x, y, deviation, label, **look):
        curves[label] = list(zip(x, y, strict=True))
        return errorbar(axis, x, y, deviation, label=label, **look)

    def ringed(axis, x, y, *style, **look):
        rings.extend(zip(x, y, strict=True) if look.get("ms") == 8 else ())
        return plot(axis, x, y, *style, **look)

    monkeypatch.setattr(Axes, "errorbar", noted)
    monkeypatch.setattr(Axes, "plot", ringed)
    sweep(experiment, tmp_path)
    expected = [(value, 100 * validation) for value, (validation, _) in SCORES.items()]
    assert list(curves) == ["LegT", "LMU"]
    np.testing.assert_allclose([curves["LegT"], curves["LMU"]], [expected, expected])
    np.testing.assert_allclose(rings, [(200, 80)] * 2)


def test_half_a_sweep_chooses_nothing(experiment, tmp_path):
    for row in experiment.points:
        if row != "narrow.theta-20":
            for seed in (0, 1):
                finish(experiment, tmp_path / "trials", row, seed)
    page, curve = sweep(experiment, tmp_path)
    assert list(curve.loc[curve["chosen"], "model"]) == ["legt"]
    assert "Nothing is chosen where a trial is missing, or all diverged: a, LMU." in page
    assert "0 of 2 (2 missing): a/narrow.theta-20." in page


def test_a_value_that_diverges_cannot_be_chosen(experiment, tmp_path):
    for row in experiment.points:
        finish(experiment, tmp_path / "trials", row, 0)
        finish(experiment, tmp_path / "trials", row, 1, "diverged" if row == "legt.theta-200" else "finished")
    page, curve = sweep(experiment, tmp_path)
    assert list(curve.loc[curve["chosen"], "value"]) == [784, 200]
    assert "Chosen at the end of the grid: LegT." in page


def test_a_table_names_the_sweep_that_chose(tmp_path):
    table = {k: v for k, v in SWEEP.items() if k != "sweep"}
    row = {"label": "LegT", "hyperparameters": {"theta": 200}, "chosen_by": {"theta": "window"}}
    write(tmp_path, "window", SWEEP)
    write(tmp_path, "letters", {**table, "models": {"legt": row}})
    settings, _, tables, _ = plans.read_plans({}, tmp_path)
    assert tables == ["letters"]  # a sweep is made where it is asked for
    assert plans.read_plans({"experiments": "sweeps"}, tmp_path)[2] == ["window"]
    for change, message in (
        ({"hyperparameters": {"theta": 201}}, "201.0 is not among"),
        ({"chosen_by": {"theta": "windoe"}}, "'windoe' is no sweep over 'theta'; did you mean 'window'"),
        ({"chosen_by": {"learning_rate": "window"}}, "'window' is no sweep over 'learning_rate'"),
        ({"model": "fout"}, "window does not sweep 'fout'"),
    ):
        write(tmp_path, "letters", {**table, "models": {"legt": {**row, **change}}})
        with pytest.raises(ConfigError, match=message):
            plans.read_plans({}, tmp_path)


def test_a_value_says_how_many_of_its_seeds_it_stands_on(experiment, tmp_path):
    finish(experiment, tmp_path / "trials", "legt.theta-20", 0)
    finish(experiment, tmp_path / "trials", "legt.theta-200", 0, "diverged")
    finish(experiment, tmp_path / "trials", "legt.theta-200", 1, "diverged")
    page, _ = sweep(experiment, tmp_path)
    (line,) = (line for line in page.splitlines() if line.startswith("| LegT"))
    assert [cell.strip() for cell in line.split("|")[2:5]] == ["50.0 (1/2)", "diverged", "missing"]


def test_a_sweep_says_what_it_was_made_from_and_keeps_every_trial(experiment, tmp_path):
    for row in experiment.points:
        for seed in (0, 1):
            finish(experiment, tmp_path / "trials", row, seed, source="pen strokes", stand_in=True)
    page, _ = sweep(experiment, tmp_path)
    assert "SYNTHETIC STAND-IN DATA, not the real recordings: pen strokes" in page.splitlines()[0]
    seeds = pd.read_csv(tmp_path / "out_seeds.csv")
    assert len(seeds) == 12 and set(seeds["row"]) == set(experiment.points)


def test_the_table_and_its_explanation_say_who_chose(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(origin, "EXPERIMENTS", tmp_path)
    results = tmp_path / "results/quick"

    def table(theta):
        row = {"label": "LegT", "hyperparameters": {"theta": theta}, "chosen_by": {"theta": "window"}}
        write(tmp_path, "letters", {k: v for k, v in SWEEP.items() if k != "sweep"} | {"models": {"legt": row}})
        shown = origin.show(origin.find("letters", "quick"), results / "trials")
        explained = origin.explain(results / "tables/letters.md", "legt").splitlines()[1]
        return " ".join(shown.split()), explained

    shown, explained = table(200)
    assert "theta as chosen by window, which is not made at this scale: LegT 200." in shown
    assert explained.startswith("theta = 200, as chosen by window, which is not made at this scale: snakemake")
    for row in experiment.points:
        for seed in (0, 1):
            finish(experiment, results / "trials", row, seed)
    shown, explained = table(200)
    assert "theta as chosen by window: LegT 200." in shown
    assert explained == "theta = 200, as chosen by window"
    shown, explained = table(20)
    assert "theta as chosen by window: LegT 20 (WHICH CHOOSES 200)." in shown
    assert explained == "theta = 20, as chosen by window, WHICH CHOOSES 200"
    write(
        tmp_path, "window", {**SWEEP, "hyperparameters": {"hidden_size": 3}}
    )  # other trials than those that there are
    assert "not made at this scale" in table(200)[0]


def test_show_refuses_a_choice_by_no_sweep(tmp_path, monkeypatch):
    monkeypatch.setattr(origin, "EXPERIMENTS", tmp_path)
    row = {"label": "LegT", "hyperparameters": {"theta": 200}, "chosen_by": {"theta": "windw"}}
    write(tmp_path, "letters", {k: v for k, v in SWEEP.items() if k != "sweep"} | {"models": {"legt": row}})
    with pytest.raises(ConfigError, match="'windw' is no sweep over 'theta'"):
        origin.find("letters", "quick")


def test_every_value_of_a_grid_has_a_name_of_its_own(tmp_path):
    def rows(values, **models):
        grid = {**SWEEP["sweep"], "values": values}
        return load_experiment(write(tmp_path, "grid", {**SWEEP, "sweep": grid, **models}), "quick").points

    assert list(rows([1000000, 1000001]))[:2] == ["legt.theta-1000000", "legt.theta-1000001"]
    assert list(rows([0.1234561, 0.1234562]))[:2] == ["legt.theta-0.1234561", "legt.theta-0.1234562"]
    with pytest.raises(ConfigError, match="20 cannot name a trial, or stands twice"):
        rows([20, 20, 200])
    words = {"block": "training", "key": "precision", "label": "precision", "values": ["float32", "bfloat16"]}
    plan = {**SWEEP, "models": {"gru": {"label": "GRU"}}, "sweep": words}
    experiment = load_experiment(write(tmp_path, "words", plan), "quick")
    assert [experiment.trial("a", row, 0).training["precision"] for row in experiment.points] == words["values"]
    page, _ = sweep(experiment, tmp_path)
    assert "| validation, %, at precision | float32 | bfloat16 |" in " ".join(page.split())


def test_a_training_setting_can_be_chosen_by_a_sweep_too(tmp_path):
    rates = {"block": "training", "key": "learning_rate", "label": "rate", "values": [0.01, 0.1]}
    models = {"legt": {"label": "LegT", "hyperparameters": {"theta": 20}}}
    write(tmp_path, "rate", {**SWEEP, "models": models, "sweep": rates})
    row = {**models["legt"], "training": {"learning_rate": 0.01}, "chosen_by": {"learning_rate": "rate"}}
    table = {k: v for k, v in SWEEP.items() if k != "sweep"}
    write(tmp_path, "letters", {**table, "models": {"legt": row}})
    plans.read_plans({}, tmp_path)
    write(tmp_path, "letters", {**table, "models": {"legt": {**row, "training": {"learning_rate": 0.02}}}})
    with pytest.raises(ConfigError, match="0.02 is not among"):
        plans.read_plans({}, tmp_path)


def test_trials_of_a_sweep_are_nested_under_one_run(experiment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        store, "EMBEDDED", f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    )  # MLflow keeps one store per address
    data = {"digest": "0" * 64, "source": "MNIST", "stand_in": False}
    parents = {}
    for number, row in enumerate(("legt.theta-20", "legt.theta-200", "narrow.theta-20")):
        run = tracking.TrackedRun(experiment.trial("a", row, 0), data, f"i{number}", tmp_path)
        run.start(resumed=False)
        parents[row] = MlflowClient(store.EMBEDDED).get_run(run.id).data.tags["mlflow.parentRunId"]
    assert parents["legt.theta-20"] == parents["legt.theta-200"] != parents["narrow.theta-20"]
    for row in experiment.points:
        for seed in (0, 1):
            finish(experiment, tmp_path / "trials", row, seed)
    for _ in range(2):  # what is there already is not put there twice
        sweep(experiment, tmp_path)
    client = MlflowClient(store.EMBEDDED)
    parent = client.get_run(parents["legt.theta-20"])
    assert parent.data.tags["chosen"] == "200" and parent.data.tags["values"] == "20, 200, 784"
    curve = client.get_metric_history(parent.info.run_id, "validation_accuracy")
    assert [(point.step, point.value) for point in curve] == [(0, 0.5), (1, 0.8), (2, 0.7)]
    assert {file.path for file in client.list_artifacts(parent.info.run_id)} == {"out.png", "out.csv"}
