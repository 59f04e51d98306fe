import shutil
from collections import namedtuple

import pytest
from click.testing import CliRunner

from hippo.cli import main
from hippo.data import places
from hippo.kernels import backend
from hippo.lab import doctor
from tests.workspace import ROOT


@pytest.fixture(autouse=True)
def somewhere(tmp_path, monkeypatch):
    """An empty folder, an empty cache, no data, and no way to fetch any."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HIPPO_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("HIPPO_DATA_DIR", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(places, "download", lambda *_: pytest.fail("doctor downloads"))
    backend.cache_clear()
    yield
    backend.cache_clear()


def examine(*flags: str) -> tuple[dict[str, tuple[str, str]], int]:
    """Of each check its state and words, and the exit status."""
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


def test_every_check_has_its_line_and_nothing_is_made(tmp_path):
    found, _ = examine()
    assert list(found) == ["compiler", "kernels", "threads", "versions", "data", "tracking", "results", "cache"]
    assert {state for state, _ in found.values()} <= {"ok", "warning", "problem"}
    assert not list(tmp_path.iterdir())


def test_data_that_is_not_here_is_a_warning_that_names_it():
    state, words = examine()[0]["data"]
    assert state == "warning" and "mnist" in words and "character_trajectories" in words and "hippo fetch" in words


def test_a_data_folder_that_does_not_exist_is_a_problem(tmp_path):
    found, status = examine("--data-dir", str(tmp_path / "nowhere"))
    assert found["data"][0] == "problem" and "nowhere" in found["data"][1] and status == 1


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


def test_a_tracking_store_that_cannot_be_used_is_a_problem(tmp_path, monkeypatch):
    (tmp_path / "damaged.db").write_text("no database at all")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/damaged.db")
    found, status = examine()
    assert found["tracking"][0] == "problem" and "MLFLOW_TRACKING_URI" in found["tracking"][1] and status == 1


@pytest.mark.parametrize(("gigabytes", "state"), [(0.1, "problem"), (2, "warning"), (20, "ok")])
def test_room_is_measured(monkeypatch, gigabytes, state):
    usage = namedtuple("usage", "total used free")(0, 0, gigabytes * 1e9)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    found, status = examine("--results", "deep/er/results")
    assert found["results"][0] == found["cache"][0] == state
    assert status == (state == "problem") or found["versions"][0] == "problem"
