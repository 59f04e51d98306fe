import json
import shutil
import statistics
import subprocess
from importlib.metadata import version

import pandas as pd
import pytest
import tabulate

from hippo.lab.reporting.summary import summarize
from hippo.lab.reporting.tables import write_table
from hippo.lab.results.results import collect_results
from tests.lab.outcomes import CONTENT, finish, finish_all, write_experiment

ACCURACIES = [0.91, 0.92, 0.96]


def has_booktabs() -> bool:
    found = shutil.which("pdflatex") and subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True)
    return bool(found) and found.returncode == 0


@pytest.fixture
def experiment(tmp_path):
    labels = {"legs": {"label": "LegS"}, "gru": {"label": "GRU"}}
    paper = {"source": "Someone 2020", "values": {"a": {"legs": {"test_accuracy": 90.0}}}}
    return write_experiment(tmp_path, models=labels, paper=paper)


def table(experiment, tmp_path) -> tuple[str, pd.DataFrame]:
    write_table(collect_results(experiment, tmp_path / "trials"), tmp_path / "demo.md")
    return (tmp_path / "demo.md").read_text(), pd.read_csv(tmp_path / "demo.csv")


def line(page: str, label: str) -> str:
    return next(row for row in page.splitlines() if row.startswith(f"| {label}"))


def test_mean_deviation_and_difference(experiment, tmp_path):
    for model in ("legs", "gru"):
        for seed in range(3):
            finish(experiment, tmp_path / "trials", model, seed, test_accuracy=ACCURACIES[seed])
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
    assert "1 of 3 (1 diverged, 1 outdated): a/legs." in page and "missing" not in page
    assert "91.0" in line(page, "LegS") and "1/3" in line(page, "LegS")
    assert "—" in line(page, "GRU") and "0/3" in line(page, "GRU")
    assert cells[cells.model == "gru"]["mean"].isna().all()


def test_a_synthetic_substitute_is_named_in_the_title(experiment, tmp_path):
    dataset = {"source": "pen strokes", "substitute": True, "digest": "0"}
    finish(experiment, tmp_path / "trials", "legs", 0, dataset=dataset)
    page, _ = table(experiment, tmp_path)
    assert "SYNTHETIC SUBSTITUTE DATA, not the real recordings: pen strokes" in page.splitlines()[0]


def test_a_table_without_any_trial_is_written(experiment, tmp_path):
    page, _ = table(experiment, tmp_path)
    assert "no finished trial" in page.splitlines()[0] and "None of the 6 trials has been run." in page


@pytest.mark.parametrize("content", ["", '{"trial"', "[]", "{}"])
def test_a_damaged_outcome_is_reported(experiment, tmp_path, content):
    folder = tmp_path / "trials" / experiment.trial("a", "legs", 0).name
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(content)
    page, _ = table(experiment, tmp_path)
    assert "0 of 3 (2 missing, 1 damaged): a/legs" in page and "0/3" in line(page, "LegS")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"test_accuracy": None}, "test_accuracy is None; expected a number"),
        ({"test_accuracy": float("nan")}, "test_accuracy is nan; expected a number"),
        ({"test_accuracy": "0.9"}, "test_accuracy is '0.9'; expected a number"),
        ({"status": "ended"}, "status is 'ended'; expected finished or diverged"),
    ],
)
def test_an_outcome_without_a_number_of_the_table_is_damaged_and_not_averaged(experiment, tmp_path, fault, message):
    for seed in range(3):
        finish(experiment, tmp_path / "trials", "legs", seed, test_accuracy=0.9)
    finish(experiment, tmp_path / "trials", "legs", 1, **fault)
    page, cells = table(experiment, tmp_path)
    cell = cells[(cells.model == "legs") & (cells.metric == "test_accuracy")].iloc[0]
    assert cell["verdict"] == "damaged" and cell["finished"] == 2 and cell["mean"] == pytest.approx(90)
    assert message in " ".join(page.split())


def test_trials_of_another_version_and_mixed_data_are_reported(experiment, tmp_path):
    finish_all(experiment, tmp_path / "trials")
    assert "MIXED" not in table(experiment, tmp_path)[0] and "installed" not in table(experiment, tmp_path)[0]
    for trial in experiment.trials():
        finish(experiment, tmp_path / "trials", trial.model, trial.seed, versions={"hippo-lab": "0.0.1"})
    assert (
        f"Made by hippo-lab 0.0.1; the installed version is {version('hippo-lab')}." in table(experiment, tmp_path)[0]
    )
    dataset = {"source": "MNIST (real)", "substitute": False, "digest": "1"}
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


def test_models_that_are_not_ranked_are_named(tmp_path):
    experiment = write_experiment(tmp_path, seeds=8)
    finish_all(experiment, tmp_path / "trials", gru=0.5)
    for seed in range(7):
        finish(experiment, tmp_path / "trials", "lstm", seed, status="diverged")
    (tmp_path / "trials" / experiment.trial("a", "gru", 7).name / "metrics.json").unlink()
    page = " ".join(table(experiment, tmp_path)[0].split())
    assert "Mean rank by test, % over 7 pairs of variant and seed: LegS 1, GRU" in page
    assert "Not ranked, with a number in fewer than half of the pairs: LSTM." in page
    assert "Pairs of variant and seed that are left out because a ranked model has no number: 1." in page
    assert "tells apart: LegS and GRU" in page  # p = 2 / 2^7


def test_too_few_pairs_for_so_many_models_are_reported(tmp_path):
    models = {name: {"label": name, "model": "gru"} for name in "abcdefgh"}
    experiment = write_experiment(tmp_path, seeds=9, models=models, paper=None)
    finish_all(experiment, tmp_path / "trials", **{name: 0.1 * k for k, name in enumerate(models)})
    page = " ".join(table(experiment, tmp_path)[0].split())  # 28 comparisons: 28 * 2 / 2^9 = 0.11
    assert "9 pairs are too few for Wilcoxon's test with Holm's correction to tell any two models apart." in page


def test_few_pairs_have_mean_ranks_but_no_p_value(tmp_path):
    for seeds, found in ((4, "4 pairs of variant and seed are too few for a test of significance."), (5, "p 0.0")):
        experiment = write_experiment(tmp_path, seeds=seeds)
        finish_all(experiment, tmp_path / "trials", legs=0.9, gru=0.8, lstm=0.7)
        page = " ".join(table(experiment, tmp_path)[0].split())
        assert f"over {seeds} pairs of variant and seed: LegS 1, GRU θ=1_000 & more 2, LSTM 3." in page
        assert found in page and ("Friedman" in page) == (seeds == 5) and ("p 0" in page) == (seeds == 5)


def test_trials_of_one_model_at_several_precisions_are_reported(experiment, tmp_path):
    precisions = {"legs": "bfloat16", "gru": "float32"}
    for model, precision in precisions.items():
        finish(experiment, tmp_path / "trials", model, 0, precision=precision)
    assert "MIXED" not in table(experiment, tmp_path)[0]
    finish(experiment, tmp_path / "trials", "legs", 1, precision="float32")
    page = " ".join(table(experiment, tmp_path)[0].split())
    assert "MIXED: trials of several precisions of one model: bfloat16, float32." in page


def test_products_in_another_precision_than_asked_for_are_reported(tmp_path):
    models = {**CONTENT["models"], "legs": {"label": "LegS", "training": {"precision": "bfloat16"}}}
    experiment = write_experiment(tmp_path, models=models)
    found = {}
    for used in ("bfloat16", "float32"):
        for model in ("legs", "gru"):
            finish(experiment, tmp_path / "trials", model, 0, precision=used)
        found[used] = " ".join(table(experiment, tmp_path)[0].split())
    assert "asks for bfloat16" not in found["bfloat16"]
    assert "LegS: trials with products in float32, although the file asks for bfloat16" in found["float32"]
    assert found["float32"].count("asks for bfloat16") == 1


def test_a_table_changes_no_other_users_tabulate(experiment, tmp_path):
    table(experiment, tmp_path)
    assert tabulate.MIN_PADDING == 2  # tabulate's own default


def test_numbers_are_aligned_to_the_right_whatever_their_header(experiment, tmp_path):
    finish_all(experiment, tmp_path / "trials")
    page, _ = table(experiment, tmp_path)
    lines = [row for row in page.splitlines() if row.startswith("|")]
    assert len({len(row) for row in lines}) == 1
    cells = [row.split("|")[1:-1] for row in lines if not row.startswith("|-")]
    models, validation, _, paper, _, verdicts, count = zip(*cells, strict=True)
    assert all(cell.startswith(" ") and not cell.startswith("  ") for cell in (*models, *verdicts[:2], *count))
    assert all(cell.endswith(" ") and not cell.endswith("  ") for cell in (*validation, *paper[:2]))


def test_a_failed_trial_is_counted_with_its_reason(experiment, tmp_path):
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
    page, _ = table(experiment, tmp_path)
    assert "of 3 (" not in page and "2 of 3 seeds" in line(page, "LegS")


def test_the_latex_table_has_booktabs_and_every_number(tmp_path):
    plan = write_experiment(tmp_path)
    finish_all(plan, tmp_path / "trials")
    write_table(collect_results(plan, tmp_path / "trials"), tmp_path / "demo.md")
    text = (tmp_path / "demo.tex").read_text()
    assert all(rule in text for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"90.1 $\pm$ 0.1", "reproduced"))
    assert r"GRU $\theta$=1\_000 \& more" in text


@pytest.mark.skipif(not has_booktabs(), reason="no pdflatex with booktabs: install texlive-latex-recommended")
def test_the_latex_table_compiles(tmp_path):
    variants = {"a": {"label": "50 % of {x} → α_1 ~ 2^3 #\\"}}
    models = {"legs": {"label": "LegS, Δ ≥ ½ ☃"}, "gru": {"label": "[1] θ < 2"}, "lstm": {"label": "* LSTM | ό"}}
    plan = write_experiment(tmp_path, title="Mackey–Glass & co.", variants=variants, models=models)
    finish_all(plan, tmp_path / "trials")
    write_table(collect_results(plan, tmp_path / "trials"), tmp_path / "demo.md")
    document = r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{demo}\end{document}"
    (tmp_path / "paper.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.pdf").stat().st_size > 10_000


def test_every_trial_has_a_line_in_the_seeds_file(tmp_path):
    plan = write_experiment(tmp_path)
    finish(plan, tmp_path / "trials", "legs", 0, run_id="f00d", test_accuracy=0.875)
    write_table(collect_results(plan, tmp_path / "trials"), tmp_path / "demo.md")
    seeds = pd.read_csv(tmp_path / "demo_seeds.csv")
    assert len(seeds) == 9 and list(seeds["status"].value_counts()) == [8, 1]
    done = seeds[seeds["status"] == "finished"].iloc[0]
    assert (done["run_id"], done["test_accuracy"], done["folder"]) == ("f00d", 0.875, "demo/a/legs/seed0")


def test_values_that_no_paper_prints_have_their_own_heading(tmp_path):
    values = {"a": {"legs": {"test_accuracy": 90.0}}}
    paper = {"source": "computed twice", "heading": "floor", "values": values, "tolerance": {"test_accuracy": 1}}
    experiment = write_experiment(tmp_path, models={"legs": {"label": "LegS"}}, paper=paper)
    page, _ = table(experiment, tmp_path)
    assert "| floor |" in page.replace("  ", "") and "paper" not in page.lower()
    assert "Floor: computed twice." in page and "within 1 (test, %) of the value under “floor”" in page
    summary = summarize([collect_results(experiment, tmp_path / "trials")], pd.DataFrame({"status": []}), "quick")
    assert summary.compared == 0 and summary.headlines[0].paper_model == ""
