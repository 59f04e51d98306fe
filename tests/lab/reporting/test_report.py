"""The report's page: what it says, and what a real browser makes of it."""

import json
import re
import shutil
import subprocess

import pytest

from hippo.lab.reporting.figures.basis import basis_functions
from hippo.lab.reporting.figures.learning import learning_curves
from hippo.lab.reporting.figures.ranks import ranks
from hippo.lab.reporting.report import write_report
from tests.lab.outcomes import finish, finish_all, write_plan

CHROMIUM = shutil.which("chromium")
QUIET = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --dump-dom".split()
QUIET += "--disable-component-update --disable-sync --enable-logging=stderr --virtual-time-budget=5000".split()
QUIET += ["--host-resolver-rules=MAP * ~NOTFOUND"]
WIDE = {key: {"label": f"variant {key}"} for key in "ab"}
MEASURE = """<script>
document.querySelectorAll("details").forEach(block => block.open = true);
parent.postMessage(JSON.stringify({
  width: innerWidth, page: document.documentElement.scrollWidth,
  boxes: [...document.querySelectorAll(".scroll")].map(box => [box.clientWidth, box.scrollWidth]),
  pictures: [...document.images].map(picture => picture.naturalWidth),
}), "*");
</script></body>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    experiment = write_plan(folder, variants=WIDE)
    results = folder / "results/quick"
    finish_all(experiment, results / "trials", gru=0.4)
    finish(experiment, results / "trials", "lstm", 1, variant="b", status="diverged")
    learning_curves(experiment, results / "trials", results / "figures/demo_learning_curves.png")
    ranks(experiment, results / "trials", results / "figures/demo_ranks.png")
    basis_functions(results / "figures/basis_functions.png")
    benchmark = results / "benchmarks/train/demo/a/legs/seed0.tsv"
    benchmark.parent.mkdir(parents=True)
    benchmark.write_text("s\tmax_rss\n12.5\t345.6\n")
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.chdir(folder)  # a benchmark's figure in the project's results would be shown, too
        write_report([experiment], "quick", results, results / "report.html")
    return results / "report.html"


def test_the_page_has_verdicts_trials_settings_and_commands(page):
    text = page.read_text()
    for words in (
        "reproduced",
        "below",
        ", 1 diverged",
        "run-legs-0",
        "learning_rate: 0.001",
        "12.5",
        "345.6",
        40 * "c",
    ):
        assert words in text, words
    assert "snakemake --cores all --forcerun train -- results/quick/trials/demo/a/legs/seed0/metrics.json" in text
    assert "GRU θ=1_000 &amp; more" in text
    assert text.count("data:image/svg+xml;base64,") == 3


def test_the_page_names_no_host(page):
    addresses = re.findall(r"""(?:src|href)=["']([^"']*)|url\(([^)]*)\)|@import\s+(\S+)""", page.read_text())
    assert addresses and not [a for found in addresses for a in found if re.match(r"\s*[\"']?(\w+:)?//", a)]


def test_a_sweep_and_a_table_without_trials_have_their_place(tmp_path):
    sweep = {"block": "training", "key": "learning_rate", "label": "rate", "values": [0.001, 0.01]}
    plans = [write_plan(tmp_path), write_plan(tmp_path, name="rates", paper=None, sweep=sweep)]
    write_report(plans, "quick", tmp_path / "results", tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "no finished trial" in text and "marked is the value chosen" in text


def browse(page, width: int, folder) -> tuple[dict, str]:
    """What the page measured of itself in a frame of `width`, and what the browser wrote to its console."""
    copy = folder / "page.html"
    copy.write_text(page.read_text().replace("</body>", MEASURE))
    (folder / "frame.html").write_text(
        "<!doctype html><script>onmessage = said => document.title = said.data</script>"
        f'<iframe src="page.html" width="{width}" height="800" style="border:0"></iframe>'
    )
    where = [f"--user-data-dir={folder / 'user'}", "--window-size=1400,900", f"file://{folder}/frame.html"]
    done = subprocess.run([CHROMIUM, *QUIET, *where], capture_output=True, text=True, timeout=120)
    title = re.search(r"<title>(.*?)</title>", done.stdout).group(1)
    return json.loads(title), "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium: install Debian's package of that name")
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_shows_it_without_a_request_and_wide_tables_scroll_in_their_box(page, width, tmp_path):
    seen, console = browse(page, width, tmp_path)
    assert not console  # a refused request or a script's error would be written there
    assert seen["width"] == width and seen["page"] <= width
    assert all(size > 0 for size in seen["pictures"]) and len(seen["pictures"]) == 3
    if width < 600:
        assert any(inner > outer for outer, inner in seen["boxes"])


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium: install Debian's package of that name")
def test_the_browser_would_have_told_of_a_request(page, tmp_path):
    asking = tmp_path / "asking.html"
    asking.write_text(page.read_text().replace("<main>", '<main><img src="http://example.org/x.png">'))
    assert "example.org" in browse(asking, 1280, tmp_path)[1]
