import json
import os
import platform
import shutil
import subprocess
import sys
from collections import namedtuple

import psutil
import pytest
from click.testing import CliRunner

from hippo.cli.commands import hippo as main
from hippo.data import places
from hippo.kernels import backend
from hippo.lab import doctor
from hippo.lab.workflow import snakemake_lock
from tests.workspace import ROOT


@pytest.fixture(autouse=True)
def somewhere(tmp_path, monkeypatch):
    """An empty folder, an empty cache, no data, and no download."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HIPPO_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("HIPPO_DATA_DIR", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(places, "download", lambda *_: pytest.fail("doctor downloads"))
    backend.cache_clear()
    yield
    backend.cache_clear()


def examine(*flags: str) -> tuple[dict[str, tuple[str, str]], int]:
    """State and text of each check, and the exit status."""
    done = CliRunner().invoke(main, ["doctor", *flags])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert all(len(line) <= doctor.WIDTH for line in done.output.splitlines())
    found, check = {}, ""
    for line in done.output.splitlines():
        if line.startswith(" "):
            found[check] = (found[check][0], f"{found[check][1]} {line.strip()}")
        else:
            state, check, words = line.split(maxsplit=2)
            found[check] = (state, words)
    return found, done.exit_code


def test_every_check_has_its_line_and_no_file_is_written(tmp_path):
    found, _ = examine()
    assert list(found) == [
        *("source", "compiler", "kernels", "threads", "versions", "imports"),
        *("data", "tracking", "workflow", "results", "cache"),
    ]
    states = {check: state for check, (state, _) in found.items()}
    assert [check for check, state in states.items() if state == "problem"] == []
    assert [states[check] for check in ("source", "imports", "workflow")] == ["ok", "ok", "ok"]
    assert [states[check] for check in ("versions", "data")] == ["warning", "warning"]  # an empty folder has neither
    assert not list(tmp_path.iterdir())


def test_missing_data_is_a_warning_that_names_it():
    state, words = examine()[0]["data"]
    assert state == "warning" and "mnist" in words and "character_trajectories" in words and "hippo fetch" in words


def test_a_data_folder_that_does_not_exist_is_a_problem(tmp_path):
    found, status = examine("--data-dir", str(tmp_path / "nowhere"))
    assert found["data"][0] == "problem" and "nowhere" in found["data"][1] and status == 1


def test_a_named_data_folder_that_does_not_exist_is_one_problem(tmp_path, monkeypatch):
    monkeypatch.setenv("HIPPO_DATA_DIR", str(tmp_path / "nowhere"))
    found, _ = examine()
    assert [check for check, (_, words) in found.items() if "nowhere" in words] == ["data"]
    assert found["data"][0] == "problem" and found["cache"][0] != "problem"


def test_a_missing_compiler_is_a_warning(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    state, words = examine()[0]["compiler"]
    assert state == "warning" and "no-such-compiler" in words and "install" in words


def test_slow_kernels_say_why(monkeypatch):
    monkeypatch.setenv("HIPPO_KERNELS", "torch")
    state, words = examine()[0]["kernels"]
    assert state == "warning" and "HIPPO_KERNELS=torch" in words


def test_kernels_that_cannot_run_are_a_problem(monkeypatch):
    monkeypatch.setenv("HIPPO_KERNELS", "avx1024")
    found, status = examine()
    assert found["kernels"][0] == "problem" and "avx1024" in found["kernels"][1] and status == 1


@pytest.mark.parametrize(
    ("pinned", "state", "said"),
    [
        ("click=={click}\n", "ok", "as in"),
        ("click==0.1\n", "warning", "not 0.1"),
        ("click=={click}\ntorch==1.0\n", "warning", "torch"),
    ],
)
def test_versions_are_compared_with_the_lock(tmp_path, pinned, state, said):
    lock = tmp_path / "pins.lock"
    lock.write_text(pinned.format(click=doctor._installed("click")))
    found, _ = examine("--lock", str(lock))
    assert found["versions"][0] == state and said in found["versions"][1]


def test_a_missing_dependency_is_a_problem(monkeypatch):
    monkeypatch.setattr(doctor, "_installed", lambda name: None if name == "torch" else "1")
    found, status = examine("--lock", str(ROOT / "requirements.lock"))
    assert found["versions"] == ("problem", "not installed: torch; run make env") and status == 1


def test_every_needed_package_is_imported():
    """All that pyproject.toml names: each is installed, so that none is left out."""
    words = f"{len(doctor._required())} packages work"
    assert len(doctor._required()) > 15 and examine()[0]["imports"] == ("ok", words)


@pytest.mark.parametrize(
    ("broken", "error", "words"),
    [("torch", OSError, "libfound.so: no such file"), ("mlflow", AttributeError, "numpy has no attribute float")],
)
def test_a_package_that_is_installed_but_broken_is_a_problem(tmp_path, broken, error, words):
    """In a process of its own, with a package first in the path that fails like one without its libraries."""
    (tmp_path / "path" / broken).mkdir(parents=True)
    (tmp_path / "path" / broken / "__init__.py").write_text(f"raise {error.__name__}({words!r})")
    paths = os.pathsep.join([str(tmp_path / "path"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "hippo.cli", "doctor"]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True)
    said = " ".join(done.stdout.split())
    assert done.returncode == 1 and not done.stderr, done.stderr
    assert f"problem imports installed but broken: {broken} ({error.__name__}: {words})" in said
    assert "run make clean env" in said and " cache " in said  # the last check is made


def test_a_check_that_needs_a_broken_package_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)  # a module that cannot be imported
    monkeypatch.delitem(sys.modules, "hippo.lab.tracking.store", raising=False)
    found, status = examine()
    assert found["imports"][0] == found["tracking"][0] == "problem" and status == 1
    assert "mlflow (ModuleNotFoundError" in found["imports"][1]
    assert "cannot be checked, see imports" in found["tracking"][1]


def test_a_tracking_store_that_cannot_be_used_is_a_problem(tmp_path, monkeypatch):
    (tmp_path / "damaged.db").write_text("no database at all")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/damaged.db")
    found, status = examine()
    assert found["tracking"][0] == "problem" and "MLFLOW_TRACKING_URI" in found["tracking"][1] and status == 1


@pytest.mark.parametrize(("gigabytes", "state"), [(0.1, "problem"), (2, "warning"), (20, "ok")])
def test_free_space_is_measured(monkeypatch, gigabytes, state):
    usage = namedtuple("usage", "total used free")(0, 0, gigabytes * 1e9)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    found, status = examine("--root", "deep/er/results")
    assert found["results"][0] == found["cache"][0] == state
    assert status == (state == "problem") or found["versions"][0] == "problem"


def checkout(folder):
    """A folder that looks like a clone of the project."""
    (folder / "hippo").mkdir(parents=True)
    (folder / "pyproject.toml").write_text("")
    (folder / "hippo/__init__.py").write_text("")
    return folder


def test_a_copied_clone_that_runs_the_code_of_the_original_is_a_problem(tmp_path, monkeypatch):
    copy = checkout(tmp_path / "copy")
    (copy / "docs").mkdir()
    monkeypatch.chdir(copy / "docs")
    state, text = examine()[0]["source"]
    assert state == "problem" and f"{ROOT / 'hippo'} runs, not" in text and "make clean env" in text


def test_an_installed_copy_that_runs_in_a_clone_is_a_warning(tmp_path, monkeypatch):
    clone, package = checkout(tmp_path / "clone"), tmp_path / "site-packages/hippo/__init__.py"
    monkeypatch.chdir(clone)
    monkeypatch.setattr(doctor.hippo, "__file__", str(package))
    state, text = examine()[0]["source"]
    assert state == "warning" and "changes here have no effect" in text


def test_a_moved_clone_is_a_problem(tmp_path, monkeypatch):
    """Its environment was installed from the former place, and its commands start the interpreter there."""
    clone = checkout(tmp_path / "moved")
    monkeypatch.chdir(clone)
    monkeypatch.setattr(doctor.hippo, "__file__", str(clone / "hippo/__init__.py"))
    state, text = examine()[0]["source"]
    assert state == "problem" and f"installed from {ROOT}" in text
    monkeypatch.setattr(doctor, "_installed_from", lambda: clone)
    (clone / ".venv/bin").mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(clone / ".venv"))
    script = clone / ".venv/bin/hippo"
    script.write_text(f"#!{tmp_path}/before/.venv/bin/python\n")
    state, text = examine()[0]["source"]
    assert state == "problem" and "before/.venv/bin/python" in text and "moved or copied" in text
    script.write_text(f"#!{clone}/.venv/bin/python\n")
    assert examine()[0]["source"][0] == "ok"


def test_the_clone_of_this_code_is_ok(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert examine()[0]["source"] == ("ok", f"{ROOT / 'hippo'}, of this folder")


def test_a_lock_of_snakemake_is_explained(tmp_path):
    locks = tmp_path / ".snakemake/locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text("")
    found, status = examine()
    assert found["workflow"][0] == "problem" and "snakemake --unlock" in found["workflow"][1] and status == 1
    record = tmp_path / ".snakemake" / snakemake_lock.RECORDS / "1.json"
    record.parent.mkdir()
    living = psutil.Process(os.getppid())
    record.write_text(json.dumps({"host": platform.node(), "pid": living.pid, "process_started": living.create_time()}))
    state, text = examine()[0]["workflow"]
    assert state == "ok" and f"process {living.pid} on" in text and "do not use --unlock" in text
    record.write_text(json.dumps({"host": platform.node(), "pid": living.pid, "process_started": 1.0}))
    state, text = examine()[0]["workflow"]
    assert state == "warning" and "killed" in text and "removes it" in text
    assert (locks / "0.output.lock").exists()
