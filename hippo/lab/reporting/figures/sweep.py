"""Curve of a sweep. The rule `sweep` plots it; it is not registered, because every sweep has it."""

from pathlib import Path
from typing import TYPE_CHECKING

from hippo.lab.reporting.figure import Figure

if TYPE_CHECKING:
    from hippo.lab.results.results import Results


def plot_sweep(results: "Results", out: Path) -> None:
    """Plot the selection score over the swept value, a panel per variant, a line per model, chosen values ringed.

    Parameters
    ----------
    results : Results
        Results of an experiment with a sweep.
    out : Path
        Written are `out`.png and `out`.svg.
    """
    from hippo.lab.plan.sweep_points import format_value
    from hippo.lab.reporting.notes import is_numeric
    from hippo.lab.reporting.plot_style import add_legend, figure_file, panels_height, styles_by_name

    experiment, curve = results.experiment, results.curve
    column = experiment.task.column(experiment.task.selection)
    models = list(curve["label"].unique())
    styles = styles_by_name(models)
    values, panels = experiment.spec.sweep.values, len(experiment.datasets)
    places = dict(zip(values, values if is_numeric(values) else range(len(values)), strict=True))
    height = panels_height(panels, 1.8, len(models))
    with figure_file(out, height, panels, sharex=True, sharey=True) as (figure, axes):
        for axis, (variant, spec) in zip(axes[:, 0], experiment.spec.variants.items(), strict=True):
            for label, line in curve[curve["variant"] == variant].groupby("label", sort=False):
                style = styles[label]
                deviation = line[f"{column.metric}_std"].fillna(0)
                axis.errorbar(line["value"].map(places), line[column.metric], deviation, label=label, **style)
                chosen = line[line["chosen"]]
                ring = {"ms": 8, "mfc": "none", "mec": style["color"], "clip_on": False}
                axis.plot(chosen["value"].map(places), chosen[column.metric], "o", **ring)
            axis.set(title=spec.label, ylabel=column.label)
            if is_numeric(values) and min(values) > 0:
                axis.set_xscale("log")
            axis.set_xticks(list(places.values()), list(map(format_value, values)), minor=False)
            axis.minorticks_off()
            axis.tick_params(axis="x", rotation=0 if len(values) < 7 else 45)
        axes[-1, 0].set_xlabel(experiment.spec.sweep.label)
        add_legend(figure, axes)


FIGURE = Figure(
    title="curve",
    caption="Validation score at each value of the swept setting: mean and standard deviation over seeds. A ring marks "
    "the value with the best validation score. The test part plays no role.",
    needs="results",
    plot=plot_sweep,
)
