"""Accuracy against the speed of the pen at test time, every model of a table from its own trained trials."""

import re
from pathlib import Path

import pandas as pd

from hippo.config import ConfigError
from hippo.files import write_text
from hippo.lab.plan.experiment import Experiment
from hippo.lab.reporting.plot_style import drawn, legend, looks, say
from hippo.lab.results.outcomes import collect

SPEED = re.compile(r"speed_(?P<factor>[\d.]+)_accuracy")


def speed_curve(experiment: Experiment, trials: Path, out: Path) -> None:
    """Write `out`.csv, .png and .svg: mean accuracy in percent over the seeds at every factor of speed.

    ConfigError for an experiment whose datasets have no other speeds.
    """
    if not any(getattr(options, "speeds", ()) for options in experiment.datasets.values()):
        raise ConfigError(f"{experiment.where}: no trial is judged at other speeds; see dataset option speeds")
    curve = measured(experiment, collect(experiment, trials))
    write_text(out.with_suffix(".csv"), curve.to_csv(index=False))
    if curve.empty:
        with drawn(out, 1.2) as (_, ((axis,),)):
            return say(axis, "no finished trial was judged at other speeds")
    styles = looks(experiment.models)
    ticks, count = [0.25, 0.5, 1, 2, 4], len(experiment.datasets)
    with drawn(out, 1.8 * count + 0.13 * len(experiment.models) / 2 + 0.3, count, sharex=True) as (figure, axes):
        for axis, (variant, about) in zip(axes[:, 0], experiment.spec.variants.items(), strict=True):
            for model, line in curve[curve["variant"] == variant].groupby("model", sort=False):
                label = experiment.spec.models[model].label
                axis.errorbar(line["speed"], line["accuracy"], line["std"].fillna(0), label=label, **styles[model])
            axis.set(xscale="log", title=about.label, ylim=(0, 100), ylabel="test accuracy, %")
            axis.set_xticks(ticks, ["¼", "½", "1", "2", "4"])
            axis.minorticks_off()
        axes[-1, 0].set_xlabel("speed at test / speed in training")
        legend(figure, axes)


def measured(experiment: Experiment, outcomes: pd.DataFrame) -> pd.DataFrame:
    """One row per variant, model and speed: mean and standard deviation in percent, finished seeds."""
    found = {key: float(match["factor"]) for key in outcomes if (match := SPEED.fullmatch(key))}
    finished = outcomes[outcomes["status"] == "finished"]
    long = finished.melt(["variant", "row", "seed"], list(found), "speed", "accuracy")
    long["speed"], long["accuracy"] = long["speed"].map(found), 100 * long["accuracy"]
    curve = long.groupby(["variant", "row", "speed"], sort=False)["accuracy"].agg(["mean", "std", "count"])
    curve = curve.reset_index().rename(columns={"row": "model", "mean": "accuracy", "count": "seeds"})
    order = {model: number for number, model in enumerate(experiment.spec.models)}
    return curve.sort_values(["variant", "model", "speed"], key=lambda c: c.map(order) if c.name == "model" else c)
