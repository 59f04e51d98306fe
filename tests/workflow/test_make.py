"""`make` in a clone that was moved or copied: its environment holds the path of another folder."""

import shutil
import subprocess

import pytest

from tests.workspace import ROOT


@pytest.mark.parametrize("clone", ["here", "moved or copied"])
def test_make_rebuilds_the_environment_of_another_folder(tmp_path, clone):
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "CMakeLists.txt"):
        shutil.copy(ROOT / name, tmp_path)
    built_for = tmp_path if clone == "here" else "/elsewhere/original"
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/pyvenv.cfg").write_text(
        f"home = /usr/bin\ncommand = /usr/bin/python3 -m venv {built_for}/.venv\n"
    )
    (tmp_path / ".venv/installed").touch()  # newer than all that the environment is built from
    planned = subprocess.run(["make", "-n", "tables"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert ("pip install" in planned) == (clone != "here")
    if clone != "here":
        assert "was built for /elsewhere/original: building it again" in planned
