import subprocess

import pytest

from hippo.lab.trials import provenance


def git(folder, *arguments):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    command = ["git", *identity, "-C", folder, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A file in place of the module, in a folder without a repository."""
    path = tmp_path / "lib/hippo.py"
    path.parent.mkdir()
    path.write_text("a")
    monkeypatch.setattr(provenance, "__file__", str(path))
    return path


def test_a_commit_is_named_and_the_index_is_never_locked(tmp_path, source):
    assert provenance.git_commit() is None
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "a")
    commit = git(tmp_path, "rev-parse", "HEAD").strip()
    source.touch()  # makes git want to write its index
    before = (tmp_path / ".git/index").stat().st_mtime_ns
    assert provenance.git_commit() == commit
    source.write_text("b")
    assert provenance.git_commit() == f"{commit}-dirty"
    assert (tmp_path / ".git/index").stat().st_mtime_ns == before


@pytest.mark.parametrize("ignored", [True, False])
def test_the_commit_of_a_foreign_repository_is_not_ours(tmp_path, source, ignored):
    """As an installed package in `project/.venv` of somebody's repository, which may ignore that folder or not."""
    (tmp_path / "theirs.py").write_text("a")
    if ignored:
        (tmp_path / ".gitignore").write_text("lib/\n")
    git(tmp_path, "init")
    git(tmp_path, "add", "theirs.py")
    git(tmp_path, "commit", "-m", "a")
    assert provenance.git_commit() is None


def test_a_repository_without_commits_has_no_commit(tmp_path, source):
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    assert provenance.git_commit() is None


def test_without_git_there_is_no_commit(source, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.git_commit() is None


def test_versions_and_machine_are_named():
    assert provenance.versions().keys() == {"python", "hippo-lab", "torch", "numpy"}
    assert provenance.machine().keys() == {"processor", "cores", "system"} and provenance.processor()
