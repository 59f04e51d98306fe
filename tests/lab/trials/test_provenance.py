import subprocess

from hippo.lab.trials import provenance


def git(folder, *words):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    return subprocess.run(["git", *identity, "-C", folder, *words], check=True, capture_output=True, text=True).stdout


def test_a_commit_is_named_and_the_index_never_locked(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "hippo.py"))
    assert provenance.git_commit() is None
    git(tmp_path, "init")
    source = tmp_path / "hippo.py"
    source.write_text("a")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "a")
    commit = git(tmp_path, "rev-parse", "HEAD").strip()
    source.touch()  # what makes git want to write its index
    before = (tmp_path / ".git/index").stat().st_mtime_ns
    assert provenance.git_commit() == commit
    source.write_text("b")
    assert provenance.git_commit() == f"{commit}-dirty"
    assert (tmp_path / ".git/index").stat().st_mtime_ns == before
