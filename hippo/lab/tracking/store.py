"""The tracking store: MLflow, in a database of the project's own, in another one, or on a server."""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is imported
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # a trial goes on without its server, and soon
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")

from filelock import FileLock, Timeout
from mlflow import MlflowClient
from mlflow.entities import Experiment, LifecycleStage
from mlflow.exceptions import MlflowException
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from hippo.config import ConfigError

log = logging.getLogger(__name__)

EMBEDDED = "sqlite:///mlruns/mlflow.db"
DATABASE = Path("mlruns/mlflow.db")
ARTIFACTS = Path("mlruns/artifacts")
LOCK_SECONDS = 600  # making a database takes some, and a herd of trials waits in line for it

STORE_ERRORS = (MlflowException, SQLAlchemyError, sqlite3.Error, ImportError, OSError)


def tracking_uri() -> str:
    """MLFLOW_TRACKING_URI, or the embedded database in mlruns/."""
    return os.environ.get("MLFLOW_TRACKING_URI") or EMBEDDED


def create_store(experiments: list[str]) -> dict[str, str]:
    """Make the tracking store and one MLflow experiment per table; returns their ids.

    Done once and before the first trial, so that parallel trials find a finished database.
    """
    client = connect()
    with required():
        return {name: experiment_id(client, name) for name in experiments}


def connect() -> MlflowClient:
    """A client of the tracking store, which is made where it is absent; ConfigError if it cannot be used."""
    with required():
        if (path := _database()) is None:
            client = MlflowClient(tracking_uri())
            client.search_experiments(max_results=1)  # a server answers, or the message says why not
            return client
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone():
            with closing(sqlite3.connect(path, timeout=60)) as database:
                database.execute("PRAGMA journal_mode=WAL")  # readers and a writer do not block each other
            return MlflowClient(tracking_uri())


@contextmanager
def required() -> Iterator[None]:
    """A block that cannot do without the store: what goes wrong with it becomes a ConfigError of one line."""
    try:
        yield
    except STORE_ERRORS as error:
        message = " ".join(str(error).split())[:500]
        advice = "check MLFLOW_TRACKING_URI, or move it away"
        raise ConfigError(f"tracking store {tracking_uri()}: {message}; {advice}") from error


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Held by one process at a time; ConfigError where another keeps it longer than any should."""
    try:
        held = FileLock(path, timeout=LOCK_SECONDS).acquire()
    except Timeout as error:
        advice = "a process that was stopped keeps it too; end that one, then start again"
        raise ConfigError(f"{path}: held by another process for {LOCK_SECONDS} seconds; {advice}") from error
    with held:
        yield


def experiment_id(client: MlflowClient, name: str) -> str:
    """The id of the experiment called `name`, which is made where it is absent, and restored where it was deleted."""
    found = client.get_experiment_by_name(name)
    if found and found.lifecycle_stage == LifecycleStage.ACTIVE:
        return found.experiment_id
    with _alone():
        return _restore(client, found) if found else _make(client, name)


def _restore(client: MlflowClient, deleted: Experiment) -> str:
    """Take an experiment out of MLflow's bin: as long as it lies there, none of its name can be made."""
    identifier = deleted.experiment_id
    try:
        client.restore_experiment(identifier)
    except MlflowException:
        if client.get_experiment(identifier).lifecycle_stage != LifecycleStage.ACTIVE:
            raise
        return identifier  # another process restored it in the meantime
    advice = "to be rid of its runs, delete them rather than the experiment"
    log.warning("MLflow's experiment %s had been deleted: restored, its runs too; %s", deleted.name, advice)
    return identifier


def _make(client: MlflowClient, name: str) -> str:
    try:
        made = client.create_experiment(name)
    except MlflowException:  # another process made it in the meantime
        if found := client.get_experiment_by_name(name):
            return found.experiment_id
        raise
    if tracking_uri() == EMBEDDED:
        _keep_artifacts_relative(made, name)
    return made


def _database() -> Path | None:
    """The file of the store's SQLite database, whoever named it; None where the store is something else."""
    if not tracking_uri().startswith(("sqlite:", "sqlite+")):
        return None
    path = make_url(tracking_uri()).database or ":memory:"
    return None if path.startswith((":memory:", "file:")) else Path(path)


def _alone() -> AbstractContextManager:
    """Held by whoever makes something in a SQLite database: two at once would spoil it."""
    path = _database()
    return lock(path.with_suffix(".lock")) if path else nullcontext()


def _keep_artifacts_relative(identifier: str, name: str) -> None:
    """Let artifacts be found beside the database wherever both are moved: MLflow itself would write absolute paths."""
    with closing(sqlite3.connect(DATABASE, timeout=60)) as database, database:
        place = (ARTIFACTS / name).as_posix()
        database.execute(
            "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (place, int(identifier))
        )
