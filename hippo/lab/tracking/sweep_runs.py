"""Curves of sweeps in the store: the parent run of each model's trials has the curve and the chosen value."""

import logging
import time
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric, RunTag

from hippo.config import ConfigError
from hippo.lab.plan.experiment import Experiment
from hippo.lab.plan.sweep_points import format_value
from hippo.lab.tracking import store
from hippo.lab.tracking.address import EMBEDDED, tracking_uri

log = logging.getLogger(__name__)

NO_CHOICE = "none yet"


def record_sweep(experiment: Experiment, curve: pd.DataFrame, out: Path) -> None:
    """Log the curve of a sweep on the runs under which MLflow lists its trials.

    If the store is unreachable, a warning is logged.

    Parameters
    ----------
    experiment : Experiment
        The sweep.
    curve : DataFrame
        Its curve (`hippo.lab.results.sweeps.collect_curve`). The step of a metric is the index of the value in the
        grid.
    out : Path
        The sweep's page. The .png and .csv beside it are uploaded as artifacts.
    """
    if tracking_uri() == EMBEDDED and not store.DATABASE.exists():
        return  # no trial was tracked here
    try:
        with store.required():
            client = store.connect()
            found = client.get_experiment_by_name(experiment.name)
            for (variant, model), line in curve.groupby(["variant", "model"]):
                place = f"{experiment.scale}/{experiment.name}/{variant}/{model}"
                for run in client.search_runs([found.experiment_id], f"tags.sweep_of = '{place}'") if found else ():
                    _log_curve(client, run.info.run_id, experiment, line)
                    for suffix in (".png", ".csv"):
                        client.log_artifact(run.info.run_id, str(out.with_suffix(suffix)))
    except ConfigError as error:
        log.warning("%s; the curve is in %s only", error, out.with_suffix(".csv"))


def _log_curve(client: MlflowClient, run: str, experiment: Experiment, line: pd.DataFrame) -> None:
    """Log the metrics and the chosen value of one model's curve, unless the run has them."""
    now, metrics = int(time.time() * 1000), []
    for column in experiment.task.columns:
        values = (line[column.metric] / column.factor).round(9)
        numbers = {step: float(value) for step, value in enumerate(values) if pd.notna(value)}
        logged = {metric.step: metric.value for metric in client.get_metric_history(run, column.metric)}
        if numbers != logged:  # a logged metric cannot be removed
            metrics += [Metric(column.metric, value, now, step) for step, value in numbers.items()]
    chosen = ", ".join(map(format_value, line.loc[line["chosen"], "value"])) or NO_CHOICE
    tags = [RunTag("values", ", ".join(map(format_value, line["value"]))), RunTag("chosen", chosen)]
    client.log_batch(run, metrics=metrics, tags=tags)
