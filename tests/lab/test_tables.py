import json
import statistics

import pandas as pd
import pytest
import yaml

from hippo.lab.experiment import load
from hippo.lab.tables import write_table

PLAN = {
    "title": "A table",
    "task": "classification",
    "dataset": {"name": "mnist"},
    "variants": {"a": {"label": "variant A"}},
    "models": {"legs": {"label": "LegS"}, "gru": {"label": "GRU"}},
    "training": {"epochs": 3},
    "seeds": 3,
    "paper": {"source": "Someone 2020", "values": {"a": {"legs": {"test_accuracy": 90.0}}}},
}
ACCURACIES = [0.91, 0.92, 0.96]


@pytest.fixture
def experiment(tmp_path):
    path = tmp_path / "demo.yaml"
    path.write_text(yaml.safe_dump(PLAN))
    return load(path, "quick")


def finish(experiment, trials, row, seed, **changes):
    trial = experiment.trial("a", row, seed)
    metrics = {
        "status": "finished",
        "validation_accuracy": 0.5,
        "test_accuracy": ACCURACIES[seed],
        "trial": trial.digest,
        "commit": "abc",
        "dataset": {"source": "MNIST (real)", "stand_in": False, "digest": "0"},
        **changes,
    }
    folder = trials / trial.name
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(metrics))


def table(experiment, tmp_path) -> tuple[str, pd.DataFrame]:
    write_table(experiment, tmp_path / "trials", tmp_path / "demo.md")
    return (tmp_path / "demo.md").read_text(), pd.read_csv(tmp_path / "demo.csv")


def line(page: str, label: str) -> str:
    return next(row for row in page.splitlines() if row.startswith(f"| {label}"))


def test_mean_deviation_and_difference(experiment, tmp_path):
    for row in ("legs", "gru"):
        for seed in range(3):
            finish(experiment, tmp_path / "trials", row, seed)
    page, cells = table(experiment, tmp_path)
    cell = cells[(cells.model == "legs") & (cells.metric == "test_accuracy")].iloc[0]
    assert cell["mean"] == pytest.approx(100 * statistics.mean(ACCURACIES))
    assert cell["std"] == pytest.approx(100 * statistics.stdev(ACCURACIES))
    assert cell["difference"] == pytest.approx(cell["mean"] - 90.0)
    assert cell["finished"] == cell["seeds"] == 3
    assert "93.0 ± 2.6" in line(page, "LegS") and "90.0" in line(page, "LegS")
    assert "90.0" not in line(page, "GRU")  # the paper prints none
    title = page.splitlines()[0]
    assert "A table" in title and "quick scale" in title and "MNIST (real)" in title


def test_a_cell_without_a_finished_trial_says_why(experiment, tmp_path):
    finish(experiment, tmp_path / "trials", "legs", 0)
    finish(experiment, tmp_path / "trials", "legs", 1, status="diverged")
    finish(experiment, tmp_path / "trials", "legs", 2, trial="another")
    page, cells = table(experiment, tmp_path)
    assert "1 of 3 (1 diverged, 1 outdated): a/legs." in page and "0 of 3 (3 missing): a/gru." in page
    assert "91.0" in line(page, "LegS") and "1/3" in line(page, "LegS")
    assert "—" in line(page, "GRU") and "0/3" in line(page, "GRU")
    assert cells[cells.model == "gru"]["mean"].isna().all()


def test_a_stand_in_is_named_in_the_title(experiment, tmp_path):
    dataset = {"source": "pen strokes", "stand_in": True, "digest": "0"}
    finish(experiment, tmp_path / "trials", "legs", 0, dataset=dataset)
    page, _ = table(experiment, tmp_path)
    assert "SYNTHETIC STAND-IN" in page.splitlines()[0]


def test_a_table_without_any_trial_is_written_and_says_so(experiment, tmp_path):
    page, _ = table(experiment, tmp_path)
    assert "no finished trial" in page.splitlines()[0] and "None of the 6 trials has been run." in page


@pytest.mark.parametrize("content", ["", '{"trial"', "[]", "{}"])
def test_a_damaged_outcome_is_said_so(experiment, tmp_path, content):
    folder = tmp_path / "trials" / experiment.trial("a", "legs", 0).name
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(content)
    page, _ = table(experiment, tmp_path)
    assert "0 of 3 (2 missing, 1 damaged): a/legs" in page and "0/3" in line(page, "LegS")


def test_a_trial_that_failed_is_counted_and_its_reason_told(experiment, tmp_path):
    for seed in (0, 1):
        finish(experiment, tmp_path / "trials", "legs", seed)
    trial = experiment.trial("a", "legs", 2)
    folder = tmp_path / "trials" / trial.name
    folder.mkdir(parents=True)
    failure = {"status": "failed", "reason": "OSError: No space left on device", "trial": trial.digest}
    (folder / "failure.json").write_text(json.dumps(failure))
    page, cells = table(experiment, tmp_path)
    assert "2 of 3 (1 failed): a/legs" in page and "2/3" in line(page, "LegS")
    assert "a, legs, seed 2: failed: OSError: No space left on device" in " ".join(page.split())
    (folder / "failure.json").write_text(json.dumps({**failure, "trial": "of other settings"}))
    assert "2 of 3 (1 missing): a/legs" in table(experiment, tmp_path)[0]
