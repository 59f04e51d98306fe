"""A copy of the workflow in a folder of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


class Workspace:
    """A copy of the workflow in a folder of its own, and the commands run there as a person would."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in ("config", "workflow", "profiles"):
            shutil.copytree(ROOT / name, folder / name)
        shutil.copy(ROOT / "Snakefile", folder)

    def run(self, *command: str, env: dict | None = None, timeout: float = 900) -> subprocess.CompletedProcess:
        binaries = Path(sys.executable).parent
        environment = {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}", **(env or {})}
        environment = {key: value for key, value in environment.items() if value is not None}
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=timeout
        )

    def snakemake(self, *arguments: str, **how) -> subprocess.CompletedProcess:
        return self.run("snakemake", "--cores", "2", *arguments, **how)

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.folder / path
        text = file.read_text()
        assert text.count(old) >= 1, f"{path} does not contain {old!r}"
        file.write_text(text.replace(old, new, 1))
