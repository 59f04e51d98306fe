"""Published numbers are what the trials say: the claims of README.md, and the page of the committed trials."""

import re
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from hippo.cli.commands import hippo as main
from hippo.lab.plan.experiment import load_experiment
from hippo.lab.plan.experiments import experiment_files
from hippo.lab.reporting.claims import MARKS, brief
from hippo.lab.results.results import collect_results
from hippo.lab.results.verdicts import paper_value
from tests.documentation.snippets import ROOT

REMEDY = "run `hippo claims --write README.md` with the trials of the quick scale at hand"


def published() -> dict[str, list[str]]:
    """The verdicts of README.md, by headline: at the quick and at the paper scale."""
    table = (ROOT / "README.md").read_text(encoding="utf-8").split(MARKS[0])[1].split(MARKS[1])[0]
    _, _, *lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()]
    return {headline: verdicts for headline, *verdicts in lines}


def headlines(scale: str):
    """Every claim that has a headline, with the results that it belongs to."""
    for path in experiment_files(ROOT / "config/experiments"):
        results = collect_results(load_experiment(path, scale), ROOT / "results" / scale / "trials")
        yield from ((results, claim) for claim in results.claims if claim.spec.headline)


def test_the_paper_scale_is_that_of_the_committed_trials():
    found = {claim.spec.headline: brief(results, claim) for results, claim in headlines("paper")}
    assert {headline: paper for headline, (_, paper) in published().items()} == found, REMEDY


@pytest.mark.parametrize("claim", [claim for _, claim in headlines("paper")], ids=lambda claim: claim.spec.headline)
def test_the_quick_scale_is_that_of_the_results_page(claim):
    page = " ".join((ROOT / "docs/results.md").read_text(encoding="utf-8").split())
    note = re.search(rf"\*\*(\w+)\*\*: {re.escape(claim.spec.sentence)} \([^)]*\) (.*?)(?= - \*\*| #)", page)
    verdict, _, value = published()[claim.spec.headline][0].partition(": ")
    assert verdict == (note[1] if note else "undecided"), REMEDY
    assert not value or f"{value} (" in note[2], REMEDY


def epochs_of_timescale() -> list[str]:
    """Lines of the table of docs/papers.md, from the histories of the committed trials."""
    experiment, lines = load_experiment(ROOT / "config/experiments/timescale.yaml", "paper"), []
    for trial in experiment.trials():
        path = ROOT / "results/paper/trials" / trial.name / "history.csv"
        if trial.seed == 0 and path.exists() and len(history := pd.read_csv(path)) == 100:
            accuracy = 100 * history["test_accuracy"]
            late, best = accuracy[49:], accuracy[history["validation_accuracy"].idxmax()]
            rates = experiment.spec.variants[trial.variant].label.removeprefix("trained at ").split(", tested at ")
            paper = paper_value(experiment, trial.variant, trial.model, "test_accuracy")
            label, span = experiment.spec.models[trial.model].label, (late.min(), late.median(), late.max())
            spans = ", ".join(f"{value:.1f}" for value in span)
            numbers = f"{best:.1f} | {accuracy.iloc[-1]:.1f} | {spans} | {'' if paper is None else paper}"
            lines.append(f"| {' → '.join(rates)} | {label} | {numbers} |")
    return lines


def test_the_table_of_epochs_is_that_of_the_committed_histories():
    page = (ROOT / "docs/papers.md").read_text(encoding="utf-8")
    assert "\n" + "\n".join(epochs_of_timescale()) + "\n\n" in page, epochs_of_timescale()


def test_the_readme_counts_the_tables_with_trials_at_the_paper_scale():
    tables = [load_experiment(path, "paper") for path in experiment_files(ROOT / "config/experiments")]
    tables = [table for table in tables if not table.spec.sweep]
    begun = [table for table in tables if (ROOT / "results/paper/trials" / table.name).exists()]
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"{len(begun)} of {len(tables)} tables have trials at the paper scale" in readme


@pytest.mark.parametrize("scale", ["hour", "paper"])
def test_the_page_of_a_scale_shows_the_committed_trials(scale, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    page = Path(f"results/{scale}/README.md")
    done = CliRunner().invoke(main, ["results", "--scale", scale, "--out", str(tmp_path / "page.md")])
    assert done.exit_code == 0, done.output
    written, published = (path.read_text(encoding="utf-8").split("\n## ") for path in (tmp_path / "page.md", page))
    assert written[1:] == published[1:], f"run `hippo results --scale {scale} --out {page}`"
