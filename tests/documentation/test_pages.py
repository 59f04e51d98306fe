"""Pages of the documentation: languages of code blocks, line lengths, links."""

import re

import pytest
import yaml

from hippo import registry
from tests.documentation.snippets import LANGUAGES, PAGES, ROOT, blocks

EXPERIMENTS = sorted((ROOT / "config/experiments").glob("*.yaml"))
IDS = [str(page.relative_to(ROOT)) for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_code_blocks_state_a_known_language(page):
    unknown = [block.name for block in blocks(page) if block.language not in LANGUAGES]
    assert not unknown, f"blocks without a language, or of one that no test executes: {unknown}"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=[*IDS, "CHANGELOG.md"])
def test_lines_are_at_most_120_characters(page):
    lines = page.read_text(encoding="utf-8").splitlines()
    long = [n for n, line in enumerate(lines, 1) if len(line) > 120]
    assert not long, f"{page.name}: lines {long}"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_to_files_of_the_project(page):
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    missing = [t for t in targets if not t.startswith(("http://", "https://")) and not (page.parent / t).exists()]
    assert not missing, f"{page.name}: {missing}"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_to_what_the_site_can_show(page):
    """`make docs` refuses a link to a folder, and one to Markdown that is not a page of the site."""
    hook = (ROOT / "docs/site/project_pages.py").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    for target in targets:
        if not re.match(r"\w+:", target):
            path = (page.parent / target).resolve()
            assert path.is_file(), f"{page.name}: {target} is a folder"
            outside = path.suffix == ".md" and path.parent != ROOT / "docs"
            assert not outside or f'"{path.relative_to(ROOT)}": ' in hook, f"{page.name}: add {target} to `PAGES`"


def test_every_page_is_in_the_navigation_of_the_site():
    """A page that `nav` in mkdocs.yml does not name is a warning of `make docs`, and so an error."""
    listed = set(re.findall(r"^ +- [^:]+: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE))
    written = {page.name for page in (ROOT / "docs").glob("*.md")}
    written |= {f"tutorials/{script.stem}.md" for script in (ROOT / "docs/tutorials").glob("*.py")}
    assert not written - listed, "add a line to `nav` in mkdocs.yml"


def first_column(page: str, header: str) -> list[str]:
    """The names in code spans of the first column of the only table of a page with this first line."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    _, table = text.split(f"{header}\n")
    return [line.split("`")[1] for line in table.split("\n\n")[0].splitlines()[1:]]


def test_the_catalogue_of_experiments_has_every_file_tables_before_sweeps():
    listed = first_column("experiments.md", "| experiment | question | paper | data | minutes |")
    experiments = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in EXPERIMENTS}
    expected = sorted(experiments, key=lambda name: ("sweep" in experiments[name], name))
    assert listed == expected, "docs/experiments.md: one line for each file of config/experiments, in this order"


def test_the_minutes_of_the_catalogue_are_those_of_the_pages_of_results():
    text = (ROOT / "docs/experiments.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| \[`(\w+)`\].*\| ([\d./ ]*?) ?\|$", text, re.MULTILINE))
    times: dict[str, list[str]] = {}
    for page in ("docs/results.md", "results/paper/README.md"):
        contents = " ".join((ROOT / page).read_text(encoding="utf-8").split("\n## ")[0].split())
        for name, number, unit in re.findall(r"`(\w+)`, ([\d.]+) core-(hours|minutes)", contents):
            times.setdefault(name, []).append(f"{float(number) * (60 if unit == 'hours' else 1):g}")
    assert listed == {name: " / ".join(times.get(name, [])) for name in listed}


def test_the_catalogue_of_datasets_has_every_registered_one():
    header = "| dataset | what it is | source | license | without network | your files | substitute |"
    listed = first_column("datasets.md", header)
    assert sorted(listed) == registry.names("datasets"), "docs/datasets.md: one line for each registered dataset"


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120
