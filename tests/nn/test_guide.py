"""The cells of the guide docs/add_a_cell.md are registered and pass the tests that the guide names."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documentation.snippets import ROOT, blocks

GUIDE = ROOT / "docs/add_a_cell.md"


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """The package of the guide with its entry points."""
    folder = tmp_path_factory.mktemp("guide")
    for block in blocks(GUIDE):
        if block.file:
            path = folder / block.file
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text)
    (declared,) = (block.text for block in blocks(GUIDE) if block.language == "toml")
    lines = [line.replace('"', "") for line in declared.splitlines()[1:]]
    about = folder / "guide-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: guide\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("\n".join(["[hippo.models]", *lines, ""]))
    return folder


def run_tests(package: Path, *arguments: str) -> int:
    """Run tests with the package installed; return the number of tests that passed, none failed or skipped."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{package}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    summary = re.search(r"^(\d+) passed(, \d+ deselected)? in ", done.stdout, flags=re.MULTILINE)
    assert summary, done.stdout[-500:]
    return int(summary[1])


def test_cells_of_the_guide_pass_the_contract_tests(package):
    of_three = run_tests(package, "tests/contract/test_models.py", "-k", "leaky or (gru and not gru_d)")
    assert of_three % 3 == 0  # as many tests of each of the guide's two cells as of GRU


def test_the_engine_s_tests_find_the_cell_of_the_guide(package):
    of_two = run_tests(package, "tests/nn/test_engine.py", "-k", "fast_leaky or mgu")
    assert of_two % 2 == 0  # as many tests of the guide's cell as of MGU
