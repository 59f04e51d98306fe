"""The documentation site: built without a warning, every tutorial executed, no request and no dead link, its search.

HIPPO_SITE names a site that `make docs` has built already; otherwise the tests build one.
"""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

from tests.browser import NEEDS_BROWSER, add_script, run_frame
from tests.documentation.snippets import ROOT

pytestmark = pytest.mark.slow
TUTORIALS = sorted((ROOT / "docs/tutorials").glob("*.py"))
SEEN = ["index.html", "tutorials/remember_a_signal.html", "api/hippo.memory.html", "results.html"]
LOOK = """
addEventListener("load", () => setTimeout(() => parent.postMessage(JSON.stringify({
  width: innerWidth, page: document.documentElement.scrollWidth, title: document.querySelector("h1").textContent,
  pictures: [...document.images].map(picture => picture.naturalWidth),
}), "*"), 500));
"""
SEARCH = """
// The query is entered again until there is an answer: the page may not listen yet.
const searching = setInterval(() => {
  const query = document.querySelector("[data-md-component=search-query]");
  query.focus();
  query.value = "OnlineMemory";
  for (const kind of ["input", "keyup"]) query.dispatchEvent(new Event(kind, { bubbles: true }));
  const found = [...document.querySelectorAll(".md-search-result__link")].map(link => link.getAttribute("href"));
  if (!found.length) return;
  clearInterval(searching);
  parent.postMessage(JSON.stringify(found), "*");
}, 500);
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    built = os.environ.get("HIPPO_SITE")
    if built:
        return ROOT / built
    pytest.importorskip("material", reason="the extra `docs` is not installed")
    folder = tmp_path_factory.mktemp("site") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr[-4000:]
    return folder


class Page(HTMLParser):
    """What a page of the site requests, where it links to, its anchors, and its blocks of output."""

    def __init__(self, path: Path):
        super().__init__()
        self.requests, self.links, self.anchors, self.outputs, self.figures = [], [], set(), 0, []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes.get("id"), attributes.get("name")} - {None}
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
        elif tag == "link" and attributes.get("rel") not in ("canonical", "next", "prev"):
            self.requests.append(attributes["href"])
        self.requests += [
            attributes[key] for key in ("src", "srcset", "poster", "data", "action") if attributes.get(key)
        ]
        self.requests += re.findall(r"url\(([^)]*)\)", attributes.get("style") or "")
        classes = (attributes.get("class") or "").split()
        self.outputs += tag == "div" and "output" in classes
        if tag == "img" and "plot" in classes:
            self.figures.append(attributes["src"])


@pytest.fixture(scope="module")
def pages(site):
    return {path.relative_to(site).as_posix(): Page(path) for path in site.rglob("*.html")}


def test_every_tutorial_was_executed(site, pages):
    assert len(TUTORIALS) >= 6
    for script in TUTORIALS:
        page = pages[f"tutorials/{script.stem}.html"]
        assert page.outputs, f"{script.name}: the page shows no output"
        assert page.figures or "plt." not in script.read_text(encoding="utf-8")
        assert all((site / "tutorials" / figure).stat().st_size > 1000 for figure in page.figures)
        assert (site / "tutorials" / script.name).read_bytes() == script.read_bytes()


def test_no_page_requests_anything_from_outside(site, pages):
    requests = {(name, request) for name, page in pages.items() for request in page.requests}
    for style in site.rglob("*.css"):
        found = re.findall(r"url\(\s*[\"']?([^)\"']*)|@import\s+[\"']([^\"']*)", style.read_text(encoding="utf-8"))
        requests |= {(style.name, "".join(one)) for one in found}
    outside = {(name, request) for name, request in requests if re.match(r"\s*(\w+:)?//", request)}
    assert requests and not outside
    assert all("Content-Security-Policy" in (site / name).read_text(encoding="utf-8") for name in pages)


def test_every_link_inside_the_site_leads_to_a_place(site, pages):
    missing, count = set(), 0
    for name, page in pages.items():
        for link in page.links:
            target, anchor = urldefrag(unquote(link))
            if re.match(r"\w+:|/", target) or name == "404.html":  # that page is served at any address
                continue
            count += 1
            path = (site / name).parent / target if target else site / name
            path = path / "index.html" if path.is_dir() else path
            if not path.is_file():
                missing.add((name, link))
            elif anchor and path.suffix == ".html":
                address = path.resolve().relative_to(site.resolve()).as_posix()
                if anchor not in pages[address].anchors and anchor != "__skip":
                    missing.add((name, link))
    assert count > 1000 and not missing


def opened(site: Path, folder: Path, name: str, script: str, width: int = 1280) -> tuple:
    """Show a page of a copy of the site from the disk, with a script at its end (`run_frame`)."""
    copy = folder / "site"
    if not copy.exists():
        shutil.copytree(site, copy)
    page = copy / name
    page.write_text(add_script(page.read_text(encoding="utf-8"), script), encoding="utf-8")
    return run_frame(f"site/{name}", folder, width)


@NEEDS_BROWSER
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", SEEN)
def test_a_browser_shows_the_pages_without_a_request(site, tmp_path, name, width):
    seen, console = opened(site, tmp_path, name, LOOK, width)
    assert not console  # a refused request or an error of a script would be written there
    assert seen["width"] == width and seen["page"] <= width and seen["title"]
    assert all(seen["pictures"])


@NEEDS_BROWSER
def test_the_search_works_on_a_page_that_is_opened_from_the_disk(site, tmp_path):
    found, console = opened(site, tmp_path, "index.html", SEARCH)
    assert not console
    assert any(link.split("?")[0].endswith("api/hippo.memory.html") for link in found), found
