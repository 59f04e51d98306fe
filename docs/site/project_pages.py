"""Hook of MkDocs: pages that are not files of docs/, and links that hold in the site as on a code-hosting page.

- Pages outside docs/, such as the README, become pages of the site.
- A line `api/<module>.md` of the navigation makes the reference page of that module.
- The page of `hippo demo` is at demo.html.
- A link to one of these pages, or to any other file of the project, leads to its place in the site.
"""

import os
import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File, Files

from hippo.lab.reporting.demo.page import render_demo

ROOT = Path(__file__).parents[2]
# Pages of the project outside docs/, and their addresses in the site.
PAGES = {
    "README.md": "index.md",
    "config/README.md": "config.md",
    "results/paper/README.md": "paper_tables.md",
    "results/hour/README.md": "hour_tables.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
SOURCES = {address: source for source, address in PAGES.items()}
LINK = re.compile(r"(\]\(|^\[[^\]^]+\]: +)([^)\s#]+)", re.MULTILINE)  # of [text](target) and of [name]: target
FENCED = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config) -> None:
    """Add the pages outside docs/, the interactive page and those of the API reference."""
    for source, address in PAGES.items():
        files.append(File.generated(config, address, abs_src_path=str(ROOT / source)))
    files.append(File.generated(config, "demo.html", content=render_demo()))
    for title, address in entries(config.nav):
        if address.startswith("api/"):
            module = address.removeprefix("api/").removesuffix(".md")
            text = f"# {title}\n\n::: {module}\n"
            files.append(File.generated(config, address, content=text))


def entries(nav: list | dict) -> list[tuple[str, str]]:
    """Return the titles and addresses of all pages of a navigation."""
    found = []
    for item in nav:
        for title, value in item.items():
            found += [(title, value)] if isinstance(value, str) else entries(value)
    return found


def on_page_markdown(markdown: str, page, config, files: Files) -> str:
    """Rewrite the links of a page that lead out of docs/, or into it from outside."""
    address = page.file.src_uri
    source = SOURCES.get(address, f"docs/{address}")
    if page.is_homepage:
        page.meta["hide"] = ["navigation"]  # it would be one line

    def rewritten(match: re.Match) -> str:
        return match[1] + site_address(match[2], source, address, files, config)

    # Code is left as it is: the text between two blocks is rewritten.
    position, parts = 0, []
    for block in FENCED.finditer(markdown):
        parts += [LINK.sub(rewritten, markdown[position : block.start()]), block[0]]
        position = block.end()
    return "".join([*parts, LINK.sub(rewritten, markdown[position:])])


def site_address(target: str, source: str, address: str, files: Files, config) -> str:
    """Return where a link leads in the site.

    Parameters
    ----------
    target : str
        The link, relative to the file `source` of the project; an address with a scheme is returned as it is.
    source, address : str
        The page: its file, relative to the root of the project, and its address in the site.
    files : Files
        Files of the site. A file of the project that is not a page is added to them if a page links to it.
    config : MkDocsConfig

    Returns
    -------
    str
        Relative to `address`. A link that leads to no file, or to Markdown that is not in `PAGES`, is returned as it
        is; MkDocs reports it.
    """
    if re.match(r"\w+:", target):
        return target
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    if path in PAGES:
        place = PAGES[path]
    elif path.startswith("docs/"):
        place = path.removeprefix("docs/")
    elif path.startswith("..") or path.endswith(".md") or not (ROOT / path).is_file():
        return target
    else:
        place = f"files/{path}"
        if files.get_file_from_path(place) is None:
            files.append(File.generated(config, place, abs_src_path=os.fspath(ROOT / path)))
    return posixpath.relpath(place, posixpath.dirname(address) or ".")
