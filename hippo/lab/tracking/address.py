"""The address of the tracking store. Free of MLflow, since the workflow asks while it plans."""

import os

EMBEDDED = "sqlite:///mlruns/mlflow.db"
SERVERS = ("http:", "https:", "postgresql", "mysql", "mssql")  # beginnings of addresses


def tracking_uri() -> str:
    """Return MLFLOW_TRACKING_URI, or the address of the embedded database in mlruns/."""
    return os.environ.get("MLFLOW_TRACKING_URI") or EMBEDDED


def is_server() -> bool:
    """Return whether the store is on a server, which many machines reach and which may be away for a while."""
    return tracking_uri().startswith(SERVERS)
