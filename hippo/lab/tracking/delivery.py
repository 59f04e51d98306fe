"""Delivery of epochs to an MLflow run: in order, each once, within a fixed fraction of the trial's time."""

import math
import time
from collections.abc import Callable

from mlflow import MlflowClient
from mlflow.entities import Metric

LOGGING_FRACTION = 0.015  # of a trial's time that may be spent on logging
RETRY_SECONDS = 30  # before an unreachable store is tried again
RETRY_FRACTION = 0.1  # of a trial's time that may be spent on attempts that fail slowly
MAX_STEPS = 1000  # of one metric in the store; of a longer training it receives every second epoch, or third
EPOCHS_PER_BATCH = 20  # MLflow accepts 1000 metrics in one batch


class Delivery:
    """Logs the epochs of one trial to its run.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run : str
        Id of the run.
    epochs : int
        Epochs of the whole training. Every ⌈epochs / MAX_STEPS⌉-th is logged, and the last.
    logged : int or None
        Last epoch that the run has; None if the store must be asked.
    """

    def __init__(self, client: MlflowClient, run: str, epochs: int, logged: int | None):
        self.client, self.run = client, run
        self.stride = math.ceil(epochs / MAX_STEPS)
        self._logged = logged
        self._not_before = 0.0  # on the clock of time.monotonic()

    def is_due(self) -> bool:
        """Return whether enough time has passed since the last delivery."""
        return time.monotonic() >= self._not_before

    def timed(self, send: Callable[[], None]) -> None:
        """Call `send`, and compute from its duration the time before which the next delivery is not due."""
        started, succeeded = time.monotonic(), False
        try:
            send()
            succeeded = True
        finally:
            ended = time.monotonic()
            took = ended - started
            pause = took / LOGGING_FRACTION if succeeded else max(RETRY_SECONDS, took / RETRY_FRACTION)
            self._not_before = ended + pause

    def log(self, rows: list[dict], is_last: bool = False) -> None:
        """Log the epochs that the run does not have.

        Parameters
        ----------
        rows : list of dict
            The whole history, one mapping of numbers per epoch, each with `epoch`.
        is_last : bool
            Whether the training has ended, so that its last epoch is logged whatever the stride.
        """
        if self._logged is None:
            logged = self.client.get_metric_history(self.run, "seconds")
            self._logged = max((metric.step for metric in logged), default=0)
        chosen = [row for row in rows if row["epoch"] % self.stride == 0 or (is_last and row is rows[-1])]
        missing = [row for row in chosen if row["epoch"] > self._logged]
        for batch in (missing[first : first + EPOCHS_PER_BATCH] for first in range(0, len(missing), EPOCHS_PER_BATCH)):
            metrics = [metric for row in batch for metric in to_metrics(row, int(row["epoch"]))]
            self.client.log_batch(self.run, metrics=metrics)
            self._logged = int(batch[-1]["epoch"])

    def forget(self) -> None:
        """Ask the store, at the next delivery, which epochs the run has: the last request may have arrived or not."""
        self._logged = None


def to_metrics(row: dict, step: int) -> list[Metric]:
    """Return the finite numbers of an epoch, without its number, as MLflow metrics at `step`."""
    now = int(time.time() * 1000)
    return [
        Metric(key, float(value), now, step) for key, value in row.items() if key != "epoch" and math.isfinite(value)
    ]
