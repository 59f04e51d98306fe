"""The report: its content, cell by cell, and its layout in a browser."""

import re
from html.parser import HTMLParser

import pytest
import yaml

from hippo.lab.plan.experiments import find_experiment
from hippo.lab.reporting.figure import find_figure, plot_figure
from hippo.lab.reporting.report import write_report
from hippo.lab.results.results import collect_results
from tests.browser import NEEDS_BROWSER, run_page
from tests.lab.outcomes import finish, finish_all, write_experiment

WIDE = {key: {"label": f"variant {key}"} for key in "ab"}
MEASURE = """
document.querySelectorAll("details").forEach(block => block.open = true);
parent.postMessage(JSON.stringify({
  width: innerWidth, page: document.documentElement.scrollWidth,
  boxes: [...document.querySelectorAll(".scroll")].map(box => [box.clientWidth, box.scrollWidth]),
  pictures: [...document.images].map(picture => picture.naturalWidth),
}), "*");
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    experiment = write_experiment(folder, variants=WIDE)
    results = folder / "results/quick"
    finish_all(experiment, results / "trials", gru=0.4)
    finish(experiment, results / "trials", "lstm", 1, variant="b", status="diverged")
    found = collect_results(experiment, results / "trials")
    for name in ("learning_curves", "ranks"):
        plot_figure(name, found, results / f"figures/demo_{name}.png")
    plot_figure("basis_functions", None, results / "figures/basis_functions.png")
    benchmark = results / "benchmarks/train/demo/a/legs/seed0.tsv"
    benchmark.parent.mkdir(parents=True)
    benchmark.write_text("s\tmax_rss\n12.5\t345.6\n")
    write_report([found], "quick", results, results / "report.html")
    return results / "report.html"


class Sections(HTMLParser):
    """Content of each section of the page: tables (cells by line), list items, preformatted text, captions."""

    def __init__(self, page):
        super().__init__()
        self.sections, self.id, self.text = {}, None, None
        self.feed(page.read_text())

    def handle_starttag(self, tag, attributes):
        if tag == "section":
            self.id = dict(attributes)["id"]
            self.sections[self.id] = {"table": [], "li": [], "pre": [], "figcaption": [], "p": [], "h2": []}
        elif self.id and tag == "table":
            self.sections[self.id]["table"].append([])
        elif self.id and tag == "tr":
            self.sections[self.id]["table"][-1].append([])
        elif tag in ("td", "th", "li", "pre", "figcaption", "p", "h2"):
            self.text = ""

    def handle_data(self, data):
        if self.text is not None:
            self.text += data

    def handle_endtag(self, tag):
        if self.id is None or self.text is None:
            return
        text = " ".join(self.text.split()) if tag != "pre" else self.text
        if tag in ("td", "th"):
            self.sections[self.id]["table"][-1][-1].append(text)
        elif tag in self.sections[self.id]:
            self.sections[self.id][tag].append(text)
        else:
            return
        self.text = None


@pytest.fixture(scope="module")
def sections(page):
    return Sections(page).sections


GRU = "GRU θ=1_000 & more"


def test_the_tables_have_every_number_with_its_verdict(sections):
    """Legs has 90.0, 90.1 and 90.2 against the paper's 90.0 within 1.5; the GRU has 40.1 against 50.0."""
    header = ["model", "validation, %", "test, %", "paper", "diff.", "verdict", "n"]
    first, *_, second = [table for table in sections["demo"]["table"] if table[0][0] == "model"]
    assert first == [
        header,
        ["LegS", "50.0 ± 0.0", "90.1 ± 0.1", "90.0", "+0.1", "✓ reproduced", "3"],
        [GRU, "50.0 ± 0.0", "40.1 ± 0.1", "50.0", "−9.9", "↓ below", "3"],
        ["LSTM", "50.0 ± 0.0", "90.1 ± 0.1", "", "", "", "3"],
    ]
    assert second[0] == ["model", "validation, %", "test, %", "n"]  # the paper prints nothing of variant b
    assert [line[-1] for line in second[1:]] == ["3", "3", "2/3"]


def test_the_summary_counts_trials_and_verdicts_and_names_the_best_models(sections):
    summary = sections["summary"]
    assert "18 trials: 17 finished, 1 diverged." in summary["p"]
    assert any(text.startswith("Quick scale: less data, smaller models") for text in summary["p"])
    assert "The papers print 2 of these numbers:" in summary["p"]
    assert summary["li"] == [
        "✓ 1 reproduced: within the tolerance",
        "↓ 1 below the paper's value by more than the tolerance",
    ]
    assert summary["table"] == [
        [
            ["table", "best model", "score", "paper’s best", "score"],
            ["A table variant a · test, %", "LegS", "90.1 ± 0.1", "LegS", "90.0"],
        ]
    ]


def test_every_number_has_its_trials_settings_and_command(sections):
    origins = [table for table in sections["demo"]["table"] if table[0][0] == "seed"]
    assert len(origins) == 2 * 3
    assert origins[0] == [
        ["seed", "status", "validation, %", "test, %", "trial", "tracked run"],
        *([f"{k}", "finished", "50.0", f"90.{k}", f"demo/a/legs/seed{k}", f"run-legs-{k}"] for k in range(3)),
    ]
    assert origins[5][2][1] == "diverged"
    targets = " ".join(f"results/quick/trials/demo/a/legs/seed{k}/metrics.json" for k in range(3))
    command, settings, *_, last = sections["demo"]["pre"]
    assert command == f"snakemake {targets} --cores all --forcerun train"
    assert yaml.safe_load(settings)["training"]["learning_rate"] == 0.001
    assert last == "snakemake demo --cores all --config scale=quick"


def test_figures_have_their_declared_captions(sections):
    captions = [find_figure(name).caption for name in ("learning_curves", "ranks")]
    assert sections["demo"]["figcaption"] == captions
    assert sections["shared"]["figcaption"] == [find_figure("basis_functions").caption]


def test_times_and_origins_are_those_of_the_trials(sections, page):
    (times,) = sections["times"]["table"]
    assert times[1] == ["train", "demo", "1", "12.5", "12.5", "345.6"]
    assert re.search(rf"<dt>commit</dt><dd>{40 * 'c'}-dirty</dd>", page.read_text())


def test_tables_are_in_the_order_of_their_positions(tmp_path):
    names = ["adding", "reconstruction", "missing", "pmnist", "timescale", "copying"]
    found = [collect_results(find_experiment(name, "quick"), tmp_path) for name in names]
    write_report(found, "quick", tmp_path, tmp_path / "report.html")
    order = ["pmnist", "timescale", "missing", "reconstruction", "copying", "adding"]
    sections = Sections(tmp_path / "report.html").sections
    assert [name for name in sections if name in names] == order
    assert [line[1] for line in sections["summary"]["table"][0][1:]] == ["—"] * 6  # no trial, no best model


def test_synthetic_substitute_data_is_named_in_the_summary(tmp_path):
    experiment = write_experiment(tmp_path)
    for trial in experiment.trials():
        dataset = {"source": "pen strokes", "substitute": True, "digest": "1"}
        finish(experiment, tmp_path / "trials", trial.model, trial.seed, dataset=dataset)
    write_report([collect_results(experiment, tmp_path / "trials")], "quick", tmp_path, tmp_path / "report.html")
    summary = Sections(tmp_path / "report.html").sections["summary"]
    assert "Made from synthetic substitute data, not from the real recordings: A table." in summary["p"]
    assert summary["li"] == ["– 2 not judged: made from synthetic substitute data"]


def test_the_page_names_no_host(page):
    addresses = re.findall(r"""(?:src|href)=["']([^"']*)|url\(([^)]*)\)|@import\s+(\S+)""", page.read_text())
    assert addresses and not [a for found in addresses for a in found if re.match(r"\s*[\"']?(\w+:)?//", a)]


def test_a_sweep_and_a_table_without_trials_have_their_sections(tmp_path):
    sweep = {"block": "training", "key": "learning_rate", "label": "rate", "values": [0.001, 0.01]}
    experiments = [write_experiment(tmp_path), write_experiment(tmp_path, name="rates", paper=None, sweep=sweep)]
    found = [collect_results(experiment, tmp_path / "trials") for experiment in experiments]
    write_report(found, "quick", tmp_path / "results", tmp_path / "report.html")
    sections = Sections(tmp_path / "report.html").sections
    assert list(sections) == ["summary", "demo", "rates", "shared", "times", "origins"]
    assert sections["demo"]["p"][0] == sections["rates"]["p"][0] == "no finished trial"
    missing = [[label, "missing", "missing"] for label in ("LegS", GRU, "LSTM")]
    assert sections["rates"]["table"] == [[["model", "0.001", "0.01"], *missing]]


@NEEDS_BROWSER
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_shows_it_without_a_request_and_wide_tables_scroll_in_their_box(page, width, tmp_path):
    seen, console = run_page(page.read_text(), MEASURE, tmp_path, width)
    assert not console  # a refused request or an error of a script would be written there
    assert seen["width"] == width and seen["page"] <= width
    assert all(size > 0 for size in seen["pictures"]) and len(seen["pictures"]) == 3
    if width < 600:
        assert any(inner > outer for outer, inner in seen["boxes"])


@NEEDS_BROWSER
def test_the_browser_reports_a_request(page, tmp_path):
    asking = page.read_text().replace("<main>", '<main><img src="http://example.org/x.png">')
    assert "example.org" in run_page(asking, MEASURE, tmp_path)[1]
