"""A copy of the workflow in a folder of its own."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


class Workspace:
    """A copy of the workflow in a folder of its own, and the commands that a user types there."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in ("config", "workflow", "profiles"):
            shutil.copytree(ROOT / name, folder / name)
        shutil.copy(ROOT / "Snakefile", folder)

    @classmethod
    def at(cls, folder: Path) -> "Workspace":
        """A workspace in a folder that exists already."""
        workspace = object.__new__(cls)
        workspace.folder = folder
        return workspace

    def run(self, *command: str, env: dict | None = None, timeout: float = 900) -> subprocess.CompletedProcess:
        return subprocess.run(
            command, cwd=self.folder, env=self.environment(env), capture_output=True, text=True, timeout=timeout
        )

    def environment(self, more: dict | None = None) -> dict:
        """Environment of commands: with `more`, and without the variables that are None there."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, **(more or {})}
        return {key: value for key, value in environment.items() if value is not None}

    def snakemake(self, *arguments: str, **how) -> subprocess.CompletedProcess:
        return self.run("snakemake", "--cores", "2", *arguments, **how)

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.folder / path
        text = file.read_text()
        assert text.count(old) >= 1, f"{path} does not contain {old!r}"
        file.write_text(text.replace(old, new, 1))

    def read_experiment(self, name: str) -> dict:
        return yaml.safe_load((self.folder / f"config/experiments/{name}.yaml").read_text())

    def write_experiment(self, name: str, content: dict) -> None:
        text = yaml.safe_dump(content, sort_keys=False)
        (self.folder / f"config/experiments/{name}.yaml").write_text(text)

    def remove_experiments(self, *kept: str) -> None:
        """Remove all experiment files but those `kept`."""
        for path in (self.folder / "config/experiments").glob("*.yaml"):
            if path.stem not in kept:
                path.unlink()

    def snapshot(self, *names: str) -> dict[str, tuple]:
        """Content and time of every file under the folders `names`."""
        files = (path for name in names for path in (self.folder / name).rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.folder)): (
                path.stat().st_mtime_ns,
                hashlib.sha256(path.read_bytes()).hexdigest(),
            )
            for path in files
        }


def pens(variants: tuple[str, ...] = ("100hz-to-200hz",), **keys) -> dict:
    """An experiment on pens with one epoch at the scale smoke: one GRU of 8 units on 60 samples."""
    content = yaml.safe_load((ROOT / "config/experiments/timescale.yaml").read_text())
    content["dataset"] |= {"uniform": True}
    content["variants"] = {variant: content["variants"][variant] for variant in variants}
    content["models"] = {"gru": {"label": "GRU"}}
    small = {"dataset": {"samples": 60}, "training": {"epochs": 1}, "hyperparameters": {"hidden_size": 8}}
    del content["paper"], content["claims"]
    return content | {"scales": {"smoke": small, "quick": small}, "seeds": 1} | keys
