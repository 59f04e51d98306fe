"""The datasets of the guide docs/add_a_dataset.md are registered and pass the contract tests."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.documentation.snippets import ROOT, blocks

GUIDE = ROOT / "docs/add_a_dataset.md"


def install(folder: Path, sha256: str) -> None:
    """Write the package of the guide, with the digest of a file of ours, and register its entry points."""
    found = blocks(GUIDE)
    for block in found:
        if block.file:
            path = folder / block.file
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text.replace('SHA256 = "0" * 64', f'SHA256 = "{sha256}"'))
    (declared,) = (block.text for block in found if block.language == "toml")
    lines = [line.replace('"', "") for line in declared.splitlines()[1:]]
    about = folder / "guide-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: guide\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("\n".join(["[hippo.datasets]", *lines, ""]))


def test_datasets_of_the_guide_pass_the_contract_tests(tmp_path):
    rng = np.random.default_rng(0)
    table = [f"{number % 5}," + ",".join(f"{value:.6f}" for value in rng.normal(size=20)) for number in range(80)]
    user = tmp_path / "user" / "beats"
    user.mkdir(parents=True)
    (user / "beats.csv").write_text("\n".join(table))
    install(tmp_path, hashlib.sha256((user / "beats.csv").read_bytes()).hexdigest())
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/contract/test_datasets.py"]
    done = subprocess.run(
        [*command, "-k", "parity or beats or majority"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "HIPPO_DATA_DIR": str(user.parent)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    passed, skipped = (int(number) for number in re.search(r"(\d+) passed, (\d+) skipped", done.stdout).groups())
    tests = (ROOT / "tests/contract/test_datasets.py").read_text().count("\ndef test_") - 1  # one names no dataset
    assert skipped == 3 and passed == 3 * (tests - 1), done.stdout[-500:]  # no experiment file uses any of the three
