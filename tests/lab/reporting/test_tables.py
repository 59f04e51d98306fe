import json
import shutil
import statistics
import subprocess
from importlib.metadata import version

import pandas as pd
import pytest

from hippo.lab.reporting.tables import write_table
from tests.lab.outcomes import finish, finish_all, write_plan

ACCURACIES = [0.91, 0.92, 0.96]


def has_booktabs() -> bool:
    found = shutil.which("pdflatex") and subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True)
    return bool(found) and found.returncode == 0


@pytest.fixture
def experiment(tmp_path):
    labels = {"legs": {"label": "LegS"}, "gru": {"label": "GRU"}}
    paper = {"source": "Someone 2020", "values": {"a": {"legs": {"test_accuracy": 90.0}}}}
    return write_plan(tmp_path, models=labels, paper=paper)


def table(experiment, tmp_path) -> tuple[str, pd.DataFrame]:
    write_table(experiment, tmp_path / "trials", tmp_path / "demo.md")
    return (tmp_path / "demo.md").read_text(), pd.read_csv(tmp_path / "demo.csv")


def line(page: str, label: str) -> str:
    return next(row for row in page.splitlines() if row.startswith(f"| {label}"))


def test_mean_deviation_and_difference(experiment, tmp_path):
    for row in ("legs", "gru"):
        for seed in range(3):
            finish(experiment, tmp_path / "trials", row, seed, test_accuracy=ACCURACIES[seed])
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
    finish(experiment, tmp_path / "trials", "legs", 0, test_accuracy=0.91)
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


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"test_accuracy": None}, "test_accuracy is None; expected a number"),
        ({"test_accuracy": float("nan")}, "test_accuracy is nan; expected a number"),
        ({"test_accuracy": "0.9"}, "test_accuracy is '0.9'; expected a number"),
        ({"status": "ended"}, "status is 'ended'; expected finished or diverged"),
    ],
)
def test_an_outcome_without_a_number_of_the_table_is_damaged_and_not_averaged(experiment, tmp_path, fault, words):
    for seed in range(3):
        finish(experiment, tmp_path / "trials", "legs", seed, test_accuracy=0.9)
    finish(experiment, tmp_path / "trials", "legs", 1, **fault)
    page, cells = table(experiment, tmp_path)
    cell = cells[(cells.model == "legs") & (cells.metric == "test_accuracy")].iloc[0]
    assert cell["verdict"] == "damaged" and cell["finished"] == 2 and cell["mean"] == pytest.approx(90)
    assert words in " ".join(page.split())


def test_trials_of_another_version_and_mixed_data_are_said_so(experiment, tmp_path):
    finish_all(experiment, tmp_path / "trials")
    assert "MIXED" not in table(experiment, tmp_path)[0] and "this is" not in table(experiment, tmp_path)[0]
    for trial in experiment.trials():
        finish(experiment, tmp_path / "trials", trial.model, trial.seed, versions={"hippo-lab": "0.0.1"})
    assert f"Made by hippo-lab 0.0.1; this is {version('hippo-lab')}." in table(experiment, tmp_path)[0]
    dataset = {"source": "MNIST (real)", "stand_in": False, "digest": "1"}
    finish(experiment, tmp_path / "trials", "legs", 0, dataset=dataset, kernels="torch")
    finish(experiment, tmp_path / "trials", "legs", 1, kernels="avx2")
    page = " ".join(table(experiment, tmp_path)[0].split())
    for mixed in (
        "versions of hippo-lab: 0.0.1, 0.1.0",
        "kernels: avx2, torch",
        "prepared datasets of one variant: 0, 1",
    ):
        assert f"MIXED: trials of several {mixed}." in page
    assert "MIXED" in (tmp_path / "demo.tex").read_text()


def test_what_is_not_ranked_is_said_so(tmp_path):
    experiment = write_plan(tmp_path, seeds=8)
    finish_all(experiment, tmp_path / "trials", gru=0.5)
    for seed in range(7):
        finish(experiment, tmp_path / "trials", "lstm", seed, status="diverged")
    (tmp_path / "trials" / experiment.trial("a", "gru", 7).name / "metrics.json").unlink()
    page = " ".join(table(experiment, tmp_path)[0].split())
    assert "Mean rank by test_accuracy over 7 pairs of variant and seed: LegS 1, GRU" in page
    assert "Not ranked, having a number in less than half of the pairs: LSTM." in page
    assert "1 pairs of variant and seed in which a ranked model has no number are left out." in page
    assert "tells apart: LegS and GRU" in page  # p = 2 / 2^7


def test_too_few_pairs_for_so_many_rows_are_said_so(tmp_path):
    rows = {name: {"label": name, "model": "gru"} for name in "abcdefgh"}
    experiment = write_plan(tmp_path, seeds=9, models=rows, paper=None)
    finish_all(experiment, tmp_path / "trials", **{name: 0.1 * k for k, name in enumerate(rows)})
    page = " ".join(table(experiment, tmp_path)[0].split())  # 28 comparisons: 28 * 2 / 2^9 = 0.11
    assert "9 pairs are too few for Wilcoxon's test with Holm's correction to tell any two rows apart." in page


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


def test_the_latex_table_has_booktabs_and_every_number(tmp_path):
    plan = write_plan(tmp_path)
    finish_all(plan, tmp_path / "trials")
    write_table(plan, tmp_path / "trials", tmp_path / "demo.md")
    text = (tmp_path / "demo.tex").read_text()
    assert all(rule in text for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"90.1 $\pm$ 0.1", "reproduced"))
    assert r"GRU $\theta$=1\_000 \& more" in text


@pytest.mark.skipif(not has_booktabs(), reason="no pdflatex with booktabs: install texlive-latex-recommended")
def test_the_latex_table_compiles(tmp_path):
    variants = {"a": {"label": "50 % of {x} → α_1 ~ 2^3 #\\"}}
    models = {"legs": {"label": "LegS, Δ ≥ ½ ☃"}, "gru": {"label": "[1] θ < 2"}, "lstm": {"label": "* LSTM | ό"}}
    plan = write_plan(tmp_path, title="Mackey–Glass & co.", variants=variants, models=models)
    finish_all(plan, tmp_path / "trials")
    write_table(plan, tmp_path / "trials", tmp_path / "demo.md")
    document = r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{demo}\end{document}"
    (tmp_path / "paper.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.pdf").stat().st_size > 10_000


def test_every_trial_has_a_line_in_the_seeds_file(tmp_path):
    plan = write_plan(tmp_path)
    finish(plan, tmp_path / "trials", "legs", 0, run_id="f00d", test_accuracy=0.875)
    write_table(plan, tmp_path / "trials", tmp_path / "demo.md")
    seeds = pd.read_csv(tmp_path / "demo_seeds.csv")
    assert len(seeds) == 9 and list(seeds["status"].value_counts()) == [8, 1]
    done = seeds[seeds["status"] == "finished"].iloc[0]
    assert (done["run_id"], done["test_accuracy"], done["folder"]) == ("f00d", 0.875, "demo/a/legs/seed0")
