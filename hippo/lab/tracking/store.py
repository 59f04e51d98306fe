"""The tracking store: MLflow with the project's own database, with another database, or on a server."""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is imported
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # a trial continues without its server
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")

from filelock import FileLock, Timeout
from mlflow import MlflowClient
from mlflow.entities import Experiment, LifecycleStage
from mlflow.exceptions import MlflowException
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from hippo.config import ConfigError
from hippo.lab.tracking.address import EMBEDDED, is_server, tracking_uri
from hippo.lab.tracking.network_disk import network_disk
from hippo.lab.tracking.tags import EXPERIMENT_TAGS

log = logging.getLogger(__name__)

DATABASE = Path("mlruns/mlflow.db")
ARTIFACTS = Path("mlruns/artifacts")
LOCK_SECONDS = 600  # a database takes seconds to create, and many trials may wait for it

STORE_ERRORS = (MlflowException, SQLAlchemyError, sqlite3.Error, ImportError, OSError)


def create_store(experiments: list[str]) -> dict[str, str]:
    """Create the tracking store and one MLflow experiment per table.

    It is called once before the first trial, so that parallel trials find a complete database.

    Parameters
    ----------
    experiments : list of str
        Names of the experiments.

    Returns
    -------
    dict of str
        MLflow's id of each experiment, by name.

    Raises
    ------
    ConfigError
        If the store cannot be used.
    """
    client = connect()
    with required():
        return {name: experiment_id(client, name) for name in experiments}


def connect() -> MlflowClient:
    """Return a client of the tracking store, which is created if absent; ConfigError if it cannot be used."""
    client = open_client()
    if is_server():
        with required():
            client.search_experiments(max_results=1)  # raises unless the server answers
    return client


def open_client() -> MlflowClient:
    """Return a client of the tracking store; a file is created if absent, a server is not asked yet.

    Raises
    ------
    ConfigError
        If a store in a file cannot be used.
    """
    path = _database()
    if path and (disk := network_disk(path)):
        reason = "SQLite's locks and its write-ahead log do not work there"
        advice = "set MLFLOW_TRACKING_URI to the address of a server, or to sqlite:////a/local/folder/mlflow.db"
        raise ConfigError(f"tracking store {tracking_uri()}: on a network disk ({disk}): {reason}; {advice}")
    with required():
        if path is None:
            return MlflowClient(tracking_uri())
        path.parent.mkdir(parents=True, exist_ok=True)
        with _creation_lock():
            with closing(sqlite3.connect(path, timeout=60)) as database:
                database.execute("PRAGMA journal_mode=WAL")  # readers and a writer do not block each other
            return MlflowClient(_absolute(path))


@contextmanager
def required() -> Iterator[None]:
    """Context in which a failure of the store becomes a ConfigError of one line."""
    try:
        yield
    except STORE_ERRORS as error:
        message = " ".join(str(error).split())[:500]
        advice = "check MLFLOW_TRACKING_URI, or move a damaged database away"
        raise ConfigError(f"tracking store {tracking_uri()}: {message}; {advice}") from error


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Context that one process at a time can enter; ConfigError after waiting LOCK_SECONDS for another process."""
    try:
        held = FileLock(path, timeout=LOCK_SECONDS).acquire()
    except Timeout as error:
        advice = "a stopped process holds it too; end that process, then start again"
        raise ConfigError(f"{path}: held by another process for {LOCK_SECONDS} seconds; {advice}") from error
    with held:
        yield


def experiment_id(client: MlflowClient, name: str) -> str:
    """Return the id of an MLflow experiment, which is created if absent and restored if it was deleted."""
    found = client.get_experiment_by_name(name)
    if found and found.lifecycle_stage == LifecycleStage.ACTIVE:
        for key, value in EXPERIMENT_TAGS.items():
            if key not in found.tags:  # of a version that did not set it
                client.set_experiment_tag(found.experiment_id, key, value)
        return found.experiment_id
    with _creation_lock():
        return _restore(client, found) if found else _create(client, name)


def _restore(client: MlflowClient, deleted: Experiment) -> str:
    """Restore a deleted experiment: while it is deleted, MLflow refuses to create one of the same name."""
    identifier = deleted.experiment_id
    try:
        client.restore_experiment(identifier)
    except MlflowException:
        if client.get_experiment(identifier).lifecycle_stage != LifecycleStage.ACTIVE:
            raise
        return identifier  # another process restored it in the meantime
    advice = "to remove its runs, delete the runs, not the experiment"
    log.warning("MLflow's experiment %s had been deleted: restored, its runs too; %s", deleted.name, advice)
    return identifier


def _create(client: MlflowClient, name: str) -> str:
    """Create an experiment."""
    try:
        created = client.create_experiment(name, tags=EXPERIMENT_TAGS)
    except MlflowException:  # another process created it in the meantime
        if found := client.get_experiment_by_name(name):
            return found.experiment_id
        raise
    if tracking_uri() == EMBEDDED:
        _make_artifacts_relative(created, name)
    return created


def _database() -> Path | None:
    """File of the store's SQLite database; None if the store is something else."""
    if not tracking_uri().startswith(("sqlite:", "sqlite+")):
        return None
    path = make_url(tracking_uri()).database or ":memory:"
    return None if path.startswith((":memory:", "file:")) else Path(path)


def _absolute(path: Path) -> str:
    """Address of the SQLite database: MLflow keeps a relative one with the folder of its first use."""
    absolute = str(path.resolve())
    if "?" in absolute:  # which begins options in an address
        return tracking_uri()
    return make_url(tracking_uri()).set(database=absolute).render_as_string(hide_password=False)


def _creation_lock() -> AbstractContextManager:
    """Serialize processes that create SQLite objects: concurrent creation corrupts the database."""
    path = _database()
    return lock(path.with_suffix(".lock")) if path else nullcontext()


def _make_artifacts_relative(identifier: str, name: str) -> None:
    """Store artifact paths relative to the project, so that it can be moved. MLflow would store absolute paths."""
    with closing(sqlite3.connect(DATABASE, timeout=60)) as database, database:
        place = (ARTIFACTS / name).as_posix()
        database.execute(
            "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (place, int(identifier))
        )
