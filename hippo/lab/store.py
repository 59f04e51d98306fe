"""The tracking store: MLflow, in a database of the project's own or on a server."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is imported
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # a trial goes on without its server, and soon
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from hippo.config import ConfigError

EMBEDDED = "sqlite:///mlruns/mlflow.db"
DATABASE = Path("mlruns/mlflow.db")
ARTIFACTS = Path("mlruns/artifacts")

STORE_ERRORS = (MlflowException, SQLAlchemyError, sqlite3.Error, ImportError, OSError)


def tracking_uri() -> str:
    """MLFLOW_TRACKING_URI, or the embedded database in mlruns/."""
    return os.environ.get("MLFLOW_TRACKING_URI") or EMBEDDED


def create_store(experiments: list[str]) -> dict[str, str]:
    """Make the tracking store and one MLflow experiment per table; returns their ids.

    Done once and before the first trial, so that parallel trials find a finished database.
    """
    client = connect()
    return {name: experiment_id(client, name) for name in experiments}


def connect() -> MlflowClient:
    """A client of the tracking store, which is made where it is absent; ConfigError if it cannot be used."""
    with required():
        if tracking_uri() != EMBEDDED:
            client = MlflowClient(tracking_uri())
            client.search_experiments(max_results=1)  # a server answers, or the message says why not
            return client
        DATABASE.parent.mkdir(parents=True, exist_ok=True)
        with _lock():
            with closing(sqlite3.connect(DATABASE)) as database:
                database.execute("PRAGMA journal_mode=WAL")  # readers and a writer do not block each other
            return MlflowClient(EMBEDDED)


@contextmanager
def required() -> Iterator[None]:
    """A block that cannot do without the store: what goes wrong with it becomes a ConfigError of one line."""
    try:
        yield
    except STORE_ERRORS as error:
        message = " ".join(str(error).split())[:500]
        advice = "check MLFLOW_TRACKING_URI, or move it away"
        raise ConfigError(f"tracking store {tracking_uri()}: {message}; {advice}") from error


def experiment_id(client: MlflowClient, name: str) -> str:
    """The id of the experiment called `name`, which is made where it is absent."""
    if found := client.get_experiment_by_name(name):
        return found.experiment_id
    if tracking_uri() == EMBEDDED:
        with _lock():
            return _make(client, name)
    return _make(client, name)


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


def _lock() -> FileLock:
    """Held by whoever makes something in the project's own database: two at once would spoil it."""
    return FileLock(DATABASE.with_suffix(".lock"))


def _keep_artifacts_relative(identifier: str, name: str) -> None:
    """Let artifacts be found beside the database wherever both are moved: MLflow itself would write absolute paths."""
    with closing(sqlite3.connect(DATABASE, timeout=60)) as database, database:
        place = (ARTIFACTS / name).as_posix()
        database.execute(
            "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (place, int(identifier))
        )
