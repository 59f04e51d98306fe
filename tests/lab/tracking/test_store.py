"""The tracking store: mode and lock of its database, and deleted experiments."""

import logging
import shutil
import sqlite3
from contextlib import closing

import pytest
from filelock import FileLock
from mlflow.exceptions import MlflowException

from hippo.config import ConfigError
from hippo.lab.tracking import store
from tests.lab.tracked import make_run, make_sweep_trial, make_trial


def mode(database) -> str:
    with closing(sqlite3.connect(database)) as opened:
        return opened.execute("PRAGMA journal_mode").fetchone()[0]


@pytest.fixture(params=["embedded", "absolute", "relative", "with a driver"])
def uri(request, tmp_path, monkeypatch, database, tracking):
    """A store in an MLflow database that is not in WAL mode, with its address in every form."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / ("mlruns/mlflow.db" if request.param == "embedded" else "user.db")
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(database)) as made, closing(sqlite3.connect(path)) as copy:
        made.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
    names = {
        "embedded": "",
        "absolute": f"sqlite:///{path}",
        "relative": "sqlite:///user.db",
        "with a driver": f"sqlite+pysqlite:///{path}",
    }
    monkeypatch.setenv("MLFLOW_TRACKING_URI", names[request.param])
    return path


def test_every_sqlite_database_is_put_in_wal_mode(uri):
    assert mode(uri) == "delete"
    store.connect()
    assert mode(uri) == "wal"


def test_one_process_at_a_time_creates_a_sqlite_database(uri, monkeypatch):
    """A process that waits too long names the lock."""
    monkeypatch.setattr(store, "LOCK_SECONDS", 0.1)
    with FileLock(uri.with_suffix(".lock")), pytest.raises(ConfigError) as refused:
        store.connect()
    assert f"{uri.stem}.lock: held by another process" in str(refused.value)
    assert store.connect().search_experiments()


def test_the_store_is_that_of_the_working_directory(uri, tmp_path, monkeypatch):
    """One process can use the stores of two projects in turn."""
    other = tmp_path / "other/mlruns/mlflow.db"
    other.parent.mkdir(parents=True)
    shutil.copy(uri, other)
    store.create_store(["first"])
    monkeypatch.chdir(tmp_path / "other")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    store.create_store(["second"])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{other}")
    assert store.connect().get_experiment_by_name("second")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{uri}")
    assert store.connect().get_experiment_by_name("second") is None


def test_a_folder_whose_name_begins_options_of_an_address(tmp_path, monkeypatch, tracking):
    folder = tmp_path / "what?mode=ro"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert list(store.create_store(["first"])) == ["first"]
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


@pytest.mark.parametrize("uri", ["http://127.0.0.1:5000", "sqlite://", "sqlite:///:memory:", "some/folder"])
def test_a_store_without_a_sqlite_file_needs_no_lock(monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert store._database() is None


def test_waiting_for_the_lock_of_a_sweep_ends(tracking, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "LOCK_SECONDS", 0.1)
    run = make_run(make_sweep_trial(tracking.experiment), tmp_path / "trial")
    with FileLock("mlruns/sweeps.lock"), pytest.raises(ConfigError, match="sweeps.lock: held by another process"):
        run.start(resumed=False)
    run.start(resumed=False)


def test_a_deleted_experiment_is_restored_with_its_runs(tracking, tmp_path, caplog):
    """MLflow's page deletes it so that its name stays taken."""
    trial = make_trial(tracking.experiment)
    before = make_run(trial, tmp_path / "trial")
    before.start(resumed=False)
    before.stop([], "KILLED", "stopped")
    identifier = tracking.client.get_experiment_by_name(tracking.experiment).experiment_id
    tracking.client.delete_experiment(identifier)
    with caplog.at_level(logging.WARNING):
        again = make_run(trial, tmp_path / "trial")
        again.start(resumed=True)
    assert again.id == before.id and list(tracking.runs()) == [before.id]
    assert tracking.experiment in caplog.text and "had been deleted: restored" in caplog.text


def test_an_experiment_that_two_trials_restore_at_once_is_restored(tracking, monkeypatch):
    identifier = store.experiment_id(tracking.client, tracking.experiment)
    tracking.client.delete_experiment(identifier)
    restore = tracking.client.restore_experiment

    def late(which):
        restore(which)  # by the other trial
        restore(which)

    monkeypatch.setattr(tracking.client, "restore_experiment", late)
    assert store.experiment_id(tracking.client, tracking.experiment) == identifier


def test_an_experiment_that_cannot_be_restored_is_an_error(tracking, monkeypatch):
    identifier = store.experiment_id(tracking.client, tracking.experiment)
    tracking.client.delete_experiment(identifier)

    def refuse(_):
        raise MlflowException("not yours")

    monkeypatch.setattr(tracking.client, "restore_experiment", refuse)
    monkeypatch.setattr(store, "connect", lambda: tracking.client)
    with pytest.raises(ConfigError, match="not yours"):
        store.create_store([tracking.experiment])
