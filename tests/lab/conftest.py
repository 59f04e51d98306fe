import pytest


@pytest.fixture(scope="session")
def database(tmp_path_factory):
    """Where a tracking database is, which the first test that needs one makes: that takes seconds."""
    return tmp_path_factory.mktemp("store") / "mlflow.db"


@pytest.fixture
def tracking(database, tmp_path, monkeypatch):
    """A tracking store with an experiment for this test alone; the test runs in an empty folder."""
    from hippo.lab.tracking import store
    from tests.lab.tracked import Store

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
    return Store(store.connect(), tmp_path.name)
