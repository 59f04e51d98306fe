"""Page and figure of a sweep, and the sentences of tables about the values that sweeps choose."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from hippo.config import ConfigError
from hippo.lab.plan.experiment import load_experiment
from hippo.lab.plan.experiments import find_experiment
from hippo.lab.reporting.explain import explain
from hippo.lab.reporting.figures.sweep import plot_sweep
from hippo.lab.reporting.pages import format_page
from hippo.lab.reporting.sweep_page import write_sweep
from hippo.lab.results.results import collect_results
from tests.lab.swept import SCORES, SWEEP, finish, finish_all, write


@pytest.fixture
def experiment(tmp_path):
    return load_experiment(write(tmp_path, "window", SWEEP), "quick")


def page_of(experiment, tmp_path) -> str:
    """The page, with every sequence of spaces as one."""
    return " ".join(format_page(collect_results(experiment, tmp_path / "trials")).split())


def test_the_chosen_value_is_in_bold(experiment, tmp_path):
    finish_all(experiment, tmp_path / "trials")
    page = page_of(experiment, tmp_path)
    assert "| LegT | 50.0 | **80.0** | 70.0 |" in page and "| LMU | 50.0 | **80.0** | 70.0 |" in page
    assert "99" not in page and "end of the grid" not in page
    assert "the value with the best validation_accuracy on the validation part; the test part plays no role." in page


def test_the_files_hold_the_curve_and_every_trial(experiment, tmp_path):
    finish_all(experiment, tmp_path / "trials")
    write_sweep(collect_results(experiment, tmp_path / "trials"), tmp_path / "out.md")
    curve, seeds = pd.read_csv(tmp_path / "out.csv"), pd.read_csv(tmp_path / "out_seeds.csv")
    assert list(curve.loc[curve["chosen"], "value"]) == [200, 200] and set(curve["scale"]) == {"quick"}
    assert len(seeds) == 12 and set(seeds["model"]) == set(experiment.points)
    assert (tmp_path / "out.md").read_text().startswith("# Window · quick scale · data: MNIST\n")


def test_the_figure_shows_every_value_and_rings_the_chosen(experiment, tmp_path, monkeypatch):
    finish_all(experiment, tmp_path / "trials")
    curves, rings, errorbar, plot = {}, [], Axes.errorbar, Axes.plot

    def record_curve(axis, x, y, deviation, label, **style):
        curves[label] = list(zip(x, y, strict=True))
        return errorbar(axis, x, y, deviation, label=label, **style)

    def record_ring(axis, x, y, *form, **style):
        rings.extend(zip(x, y, strict=True) if style.get("ms") == 8 else ())
        return plot(axis, x, y, *form, **style)

    monkeypatch.setattr(Axes, "errorbar", record_curve)
    monkeypatch.setattr(Axes, "plot", record_ring)
    plot_sweep(collect_results(experiment, tmp_path / "trials"), tmp_path / "out")
    assert (tmp_path / "out.png").exists() and (tmp_path / "out.svg").exists()
    expected = [(value, 100 * validation) for value, (validation, _) in SCORES.items()]
    assert list(curves) == ["LegT", "LMU"]
    np.testing.assert_allclose([curves["LegT"], curves["LMU"]], [expected, expected])
    np.testing.assert_allclose(rings, [(200, 80)] * 2)


@pytest.mark.parametrize(("values", "scales"), [([0.0, 0.1, 0.2], []), ([0.1, 0.2], ["log"])])
def test_a_grid_with_a_zero_has_no_logarithmic_axis(tmp_path, monkeypatch, values, scales):
    found, set_xscale = [], Axes.set_xscale
    monkeypatch.setattr(Axes, "set_xscale", lambda axis, scale: found.append(scale) or set_xscale(axis, scale))
    grid = {"block": "hyperparameters", "key": "dropout", "label": "dropout", "values": values}
    models = {"gru": {"label": "GRU"}}
    experiment = load_experiment(write(tmp_path, "dropout", {**SWEEP, "models": models, "sweep": grid}), "quick")
    plot_sweep(collect_results(experiment, tmp_path / "trials"), tmp_path / "out")
    assert found == scales


def test_a_model_without_a_choice_is_named(experiment, tmp_path):
    for entry in experiment.points:
        if entry != "narrow.theta-20":
            for seed in (0, 1):
                finish(experiment, tmp_path / "trials", entry, seed)
    page = page_of(experiment, tmp_path)
    assert "No value is chosen where a trial is missing or all trials diverged: a, LMU." in page
    assert "0 of 2 (2 missing): a/narrow.theta-20." in page


def test_a_choice_at_the_end_of_the_grid_is_named(experiment, tmp_path):
    for entry in experiment.points:
        finish(experiment, tmp_path / "trials", entry, 0)
        finish(experiment, tmp_path / "trials", entry, 1, "diverged" if entry == "legt.theta-200" else "finished")
    assert "Chosen at the end of the grid: LegT. Values beyond it have not been tried." in page_of(experiment, tmp_path)


def test_a_value_without_all_seeds_has_their_number_or_the_reason(experiment, tmp_path):
    finish(experiment, tmp_path / "trials", "legt.theta-20", 0)
    finish(experiment, tmp_path / "trials", "legt.theta-200", 0, "diverged")
    finish(experiment, tmp_path / "trials", "legt.theta-200", 1, "diverged")
    assert "| LegT | 50.0 (1/2) | diverged | missing |" in page_of(experiment, tmp_path)


def test_synthetic_substitute_data_is_named_in_the_title(experiment, tmp_path):
    finish_all(experiment, tmp_path / "trials", source="pen strokes", substitute=True)
    title = format_page(collect_results(experiment, tmp_path / "trials")).splitlines()[0]
    assert title == "# Window · quick scale · SYNTHETIC SUBSTITUTE DATA, not the real recordings: pen strokes"


def test_a_sweep_over_names_has_them_as_headers(tmp_path):
    names = {"block": "training", "key": "precision", "label": "precision", "values": ["float32", "bfloat16"]}
    models = {"gru": {"label": "GRU"}}
    experiment = load_experiment(write(tmp_path, "names", {**SWEEP, "models": models, "sweep": names}), "quick")
    assert "| validation, %, at precision | float32 | bfloat16 |" in page_of(experiment, tmp_path)


def test_the_table_and_its_explanation_name_the_sweep_and_its_choice(experiment, tmp_path):
    def texts(theta) -> tuple[str, str]:
        model = {"label": "LegT", "hyperparameters": {"theta": theta}, "chosen_by": {"theta": "window"}}
        content = {key: value for key, value in SWEEP.items() if key != "sweep"} | {"models": {"legt": model}}
        table = find_experiment(str(write(tmp_path, "letters", content)), "quick")
        results = collect_results(table, tmp_path / "trials")
        return " ".join(format_page(results).split()), explain(results, "legt").splitlines()[1]

    page, explained = texts(200)
    assert "theta as chosen by window, which is not made at this scale: LegT 200." in page
    command = "snakemake window --cores all --config scale=quick"
    assert explained == f"theta = 200, as chosen by window, which is not made at this scale: {command}"
    finish_all(experiment, tmp_path / "trials")
    page, explained = texts(200)
    assert "theta as chosen by window: LegT 200." in page and explained == "theta = 200, as chosen by window"
    page, explained = texts(20)
    assert "theta as chosen by window: LegT 20 (but the sweep chooses 200)." in page
    assert explained == "theta = 20, as chosen by window, but the sweep chooses 200"


def test_a_choice_by_a_sweep_that_does_not_exist_is_refused(tmp_path):
    model = {"label": "LegT", "hyperparameters": {"theta": 200}, "chosen_by": {"theta": "windw"}}
    content = {key: value for key, value in SWEEP.items() if key != "sweep"} | {"models": {"legt": model}}
    with pytest.raises(ConfigError, match="'windw' is not a sweep over 'theta'"):
        find_experiment(str(write(tmp_path, "letters", content)), "quick")
