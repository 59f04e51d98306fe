"""The curve of a sweep."""

from pathlib import Path

import pandas as pd

from hippo.lab.plan.experiment import Experiment
from hippo.lab.reporting.plot_style import drawn, legend, looks
from hippo.lab.results.sweeps import numeric
from hippo.lab.plan.sweep_points import format_value


def sweep_figure(experiment: Experiment, curve: pd.DataFrame, out: Path) -> None:
    """Validation score over the swept value, a panel per variant, a line per model, the chosen values ringed."""
    column, models = experiment.task.columns[0], list(curve["label"].unique())
    styles = looks(models)
    values, count = experiment.spec.sweep.values, len(experiment.datasets)
    places = dict(zip(values, values if numeric(values) else range(len(values)), strict=True))
    with drawn(out, 1.8 * count + 0.13 * len(models) / 2 + 0.3, count, sharex=True, sharey=True) as (figure, axes):
        for axis, (variant, about) in zip(axes[:, 0], experiment.spec.variants.items(), strict=True):
            for model, line in curve[curve["variant"] == variant].groupby("label", sort=False):
                look = styles[model]
                deviation = line[f"{column.metric}_std"].fillna(0)
                axis.errorbar(line["value"].map(places), line[column.metric], deviation, label=model, **look)
                chosen = line[line["chosen"]]
                ring = {"ms": 8, "mfc": "none", "mec": look["color"], "clip_on": False}
                axis.plot(chosen["value"].map(places), chosen[column.metric], "o", **ring)
            axis.set(title=about.label, ylabel=column.label)
            if numeric(values) and min(values) > 0:
                axis.set_xscale("log")
            axis.set_xticks(list(places.values()), list(map(format_value, values)), minor=False)
            axis.minorticks_off()
            axis.tick_params(axis="x", rotation=0 if len(values) < 7 else 45)
        axes[-1, 0].set_xlabel(experiment.spec.sweep.label)
        legend(figure, axes)
