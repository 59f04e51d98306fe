import pytest

from tests.reliability.laboratory import Laboratory


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """A laboratory whose one trial ran from beginning to end without an interruption; only copies of it are changed."""
    laboratory = Laboratory(tmp_path_factory.mktemp("undisturbed") / "laboratory")
    done = laboratory.train()
    assert done.returncode == 0, done.stderr
    return laboratory


@pytest.fixture
def laboratory(undisturbed, tmp_path):
    """The same laboratory before its trial began, with an empty tracking store."""
    import shutil

    fresh = undisturbed.copy(tmp_path / "laboratory")
    shutil.rmtree(fresh.folder / "results")
    shutil.rmtree(fresh.folder / "mlruns")
    return fresh
