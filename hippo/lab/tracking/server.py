"""What a person should know about the tracking server before trials need it."""

import os
import time
from statistics import median

import mlflow
import requests

from hippo.lab.tracking import store
from hippo.lab.tracking.address import tracking_uri

REQUESTS = 5
SLOW = 1.0  # s; a trial makes some thirty requests at its start and end


def describe_server() -> tuple[str, str]:
    """Return the state of the tracking server, `ok` or `warning`, and what was found.

    Raises
    ------
    ConfigError
        If the server does not answer, or refuses this user.
    """
    client = store.connect()
    uri, took = tracking_uri(), []
    with store.required():
        for _ in range(REQUESTS):
            started = time.monotonic()
            experiments = client.search_experiments(max_results=1)
            took.append(time.monotonic() - started)
    if not uri.startswith("http"):
        advice = "every trial holds connections of its own; an MLflow server shares them among trials (docs/server.md)"
        return "warning", f"a database without a server: {advice}"
    text = f"{uri}: {1000 * median(took):.0f} ms a request"
    warnings = []
    if median(took) > SLOW:
        warnings.append("slow: trials deliver less often, and start and end later")
    if (version := _version(uri)) and version.split(".")[:2] != mlflow.__version__.split(".")[:2]:
        warnings.append(f"MLflow {version}, here {mlflow.__version__}: install the same on both")
    places = [experiment.artifact_location or "" for experiment in experiments]
    if any(not place.startswith("mlflow-artifacts:") for place in places):
        warnings.append("artifacts are not stored through the server: start it with --artifacts-destination")
    return ("warning", "; ".join([text, *warnings])) if warnings else ("ok", text)


def _version(uri: str) -> str | None:
    """Version of the MLflow that serves; None if it does not say."""
    user = os.environ.get("MLFLOW_TRACKING_USERNAME")
    credentials = (user, os.environ.get("MLFLOW_TRACKING_PASSWORD", "")) if user else None
    try:
        answer = requests.get(f"{uri.rstrip('/')}/version", auth=credentials, timeout=10)
    except requests.RequestException:
        return None
    return answer.text.strip() if answer.ok else None
