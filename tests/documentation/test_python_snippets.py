"""The Python, YAML and TOML blocks of a page are executed together, in their order, as a reader would."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.documentation.snippets import PAGES, ROOT, Block, blocks

WITH_CODE = [page for page in PAGES if any(b.language in ("python", "yaml", "toml") for b in blocks(page))]


def entry_points(block: Block) -> str:
    """The entry points that a TOML block declares, in the form of an installed package's entry_points.txt."""
    declared = tomllib.loads(block.text).get("project", {}).get("entry-points", {})
    sections = [
        [f"[{group}]", *(f"{key} = {value}" for key, value in names.items())] for group, names in declared.items()
    ]
    return "\n".join(line for section in sections for line in section)


def install(page: Path, folder: Path) -> list[str]:
    """Write the files that a page shows into `folder`, register its entry points; return the code to execute."""
    code, registered = [], []
    for block in blocks(page):
        if block.file and block.language in ("python", "yaml"):
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text + "\n")
        elif block.language == "python":
            code.append(block.text)
        elif block.language == "toml":
            registered.append(entry_points(block))
    package = folder / "documented-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: documented\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("\n".join(registered) + "\n")
    return code


@pytest.mark.parametrize("page", WITH_CODE, ids=[str(page.relative_to(ROOT)) for page in WITH_CODE])
def test_python_blocks_run(page, tmp_path):
    code = install(page, tmp_path)
    (tmp_path / "main.py").write_text("\n\n".join(code) + "\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "main.py"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


EXPERIMENTS = [
    block
    for page in PAGES
    for block in blocks(page)
    if block.language == "yaml" and block.text.lstrip("# ").find("title:") >= 0
]


@pytest.mark.parametrize("block", EXPERIMENTS, ids=[block.name for block in EXPERIMENTS])
def test_experiment_files_are_valid_at_every_scale(block, tmp_path, monkeypatch):
    from hippo.lab.plan.experiment import load_experiment

    page_folder = tmp_path / "page"
    page_folder.mkdir()
    install(block.page, page_folder)
    monkeypatch.syspath_prepend(str(page_folder))
    _forget_registered(monkeypatch)
    path = tmp_path / "documented.yaml"
    path.write_text(block.text)
    assert yaml.safe_load(block.text)["title"]
    for scale in ("smoke", "quick", "paper"):
        assert load_experiment(path, scale).trials()


def _forget_registered(monkeypatch):
    """Entry points are read once per process: read them again, with those of the page."""
    from hippo import registry

    registry._registered.cache_clear()
    monkeypatch.setattr(registry._registered, "__wrapped__", registry._registered.__wrapped__, raising=False)
