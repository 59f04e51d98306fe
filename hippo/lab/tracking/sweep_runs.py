"""A sweep on its tracked runs: each model's parent run shows the curve and the value that was chosen."""

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

log = logging.getLogger(__name__)


def record(experiment: Experiment, curve: pd.DataFrame, out: Path) -> None:
    """Put each model's line of `curve`, and the figure `out`.png, on the run under which its trials are nested.

    A metric's step is the place of the value in the grid. A store that is away loses nothing but this copy.
    """
    if store.tracking_uri() == store.EMBEDDED and not store.DATABASE.exists():
        return  # nothing was tracked here
    try:
        with store.required():
            client = store.connect()
            found = client.get_experiment_by_name(experiment.name)
            for (variant, model), line in curve.groupby(["variant", "model"]):
                place = f"{experiment.scale}/{experiment.name}/{variant}/{model}"
                for run in client.search_runs([found.experiment_id], f"tags.sweep_of = '{place}'") if found else ():
                    _put(client, run.info.run_id, experiment, line)
                    for suffix in (".png", ".csv"):
                        client.log_artifact(run.info.run_id, str(out.with_suffix(suffix)))
    except ConfigError as error:
        log.warning("%s; the curve stands in %s alone", error, out.with_suffix(".csv"))


def _put(client: MlflowClient, run: str, experiment: Experiment, line: pd.DataFrame) -> None:
    now, metrics = int(time.time() * 1000), []
    for column in experiment.task.columns:
        values = (line[column.metric] / column.factor).round(9)
        numbers = {step: float(value) for step, value in enumerate(values) if pd.notna(value)}
        logged = {metric.step: metric.value for metric in client.get_metric_history(run, column.metric)}
        if numbers != logged:  # a metric cannot be taken back: what is logged already is not logged twice
            metrics += [Metric(column.metric, value, now, step) for step, value in numbers.items()]
    chosen = ", ".join(map(format_value, line.loc[line["chosen"], "value"])) or "nothing yet"
    tags = [RunTag("values", ", ".join(map(format_value, line["value"]))), RunTag("chosen", chosen)]
    client.log_batch(run, metrics=metrics, tags=tags)
