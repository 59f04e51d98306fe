"""Accuracy against the speed of the pen at test time, every model of a table from its own trained trials."""

import re
from pathlib import Path

import pandas as pd

from hippo.config import ConfigError
from hippo.files import write_text
from hippo.lab.experiment import Experiment
from hippo.lab.figures import STYLE, plt, save
from hippo.lab.tables import collect

SPEED = re.compile(r"speed_(?P<factor>[\d.]+)_accuracy")
MARKERS = "osD^v<>phXP*"


def speed_curve(experiment: Experiment, trials: Path, out: Path) -> None:
    """Write `out`.csv, .png and .svg: mean accuracy in percent over the seeds at every factor of speed."""
    curve = measured(experiment, collect(experiment, trials))
    write_text(out.with_suffix(".csv"), curve.to_csv(index=False))
    with plt.rc_context(STYLE):
        count = len(experiment.datasets)
        figure, axes = plt.subplots(1, count, figsize=(3 * count + 1.6, 3), sharey=True, squeeze=False)
        for axis, (variant, about) in zip(axes[0], experiment.plan.variants.items(), strict=True):
            lines = curve[curve["variant"] == variant].groupby("model", sort=False)
            for number, (model, line) in enumerate(lines):
                axis.errorbar(
                    line["speed"],
                    line["accuracy"],
                    line["std"].fillna(0),
                    marker=MARKERS[number % len(MARKERS)],
                    ms=3.5,
                    lw=1.6 if number == 0 else 0.9,
                    color=plt.get_cmap("cividis")(number / max(len(lines), 2)),
                    label=experiment.plan.models[model].label,
                )
            ticks = [0.25, 0.5, 1, 2, 4]
            axis.set(xscale="log", xlabel="speed at test / speed in training", title=about.label, ylim=(0, 100))
            axis.set_xticks(ticks, ["¼", "½", "1", "2", "4"])
            axis.minorticks_off()
        axes[0, 0].set_ylabel("test accuracy, %")
        axes[0, -1].legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7)
        save(figure, out)


def measured(experiment: Experiment, outcomes: pd.DataFrame) -> pd.DataFrame:
    """One row per variant, model and speed: mean and standard deviation in percent, finished seeds."""
    found = {key: float(match["factor"]) for key in outcomes if (match := SPEED.fullmatch(key))}
    if not found:
        raise ConfigError(
            f"{experiment.where}: no finished trial was judged at other speeds; see dataset option speeds"
        )
    finished = outcomes[outcomes["status"] == "finished"]
    long = finished.melt(["variant", "row", "seed"], list(found), "speed", "accuracy")
    long["speed"], long["accuracy"] = long["speed"].map(found), 100 * long["accuracy"]
    curve = long.groupby(["variant", "row", "speed"], sort=False)["accuracy"].agg(["mean", "std", "count"])
    curve = curve.reset_index().rename(columns={"row": "model", "mean": "accuracy", "count": "seeds"})
    order = {model: number for number, model in enumerate(experiment.plan.models)}
    return curve.sort_values(["variant", "model", "speed"], key=lambda c: c.map(order) if c.name == "model" else c)
