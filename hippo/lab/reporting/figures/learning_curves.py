"""Learning curves: the validation score of each model over the epochs."""

from pathlib import Path
from typing import TYPE_CHECKING

from hippo.lab.reporting.figure import Figure

if TYPE_CHECKING:
    import pandas as pd

    from hippo.lab.plan.experiment import Experiment
    from hippo.lab.results.results import Results


def plot_learning_curves(results: "Results", out: Path) -> None:
    """Plot mean and range over seeds of the validation score, a panel per variant that has a finished epoch.

    Parameters
    ----------
    results : Results
        Results of a task that trains models.
    out : Path
        Written are `out`.png and `out`.svg.
    """
    from hippo.lab.reporting.plot_style import add_legend, figure_file, panels_height, show_message

    experiment = results.experiment
    curves = {variant: _curves(results, variant) for variant in experiment.spec.variants}
    curves = {variant: found for variant, found in curves.items() if found}
    height = panels_height(max(1, len(curves)), 1.75, len(experiment.spec.models))
    with figure_file(out, height, max(1, len(curves)), sharex=True, sharey=True) as (figure, axes):
        if not curves:
            return show_message(axes[0, 0], "no trial has finished an epoch")
        for axis, (variant, found) in zip(axes[:, 0], curves.items(), strict=True):
            _plot_variant(axis, experiment, variant, found)
        axes[-1, 0].set_xlabel("epoch")
        add_legend(figure, axes)


def _plot_variant(axis, experiment: "Experiment", variant: str, curves: "dict[str, pd.Series]") -> None:
    """Plot the curves of the models of one variant."""
    from matplotlib.ticker import MaxNLocator

    from hippo.lab.reporting.plot_style import styles_by_name

    models = experiment.spec.models
    styles = styles_by_name(models)
    for model, scores in curves.items():
        seeds = scores.groupby("epoch")
        axis.plot(seeds.mean(), label=models[model].label, markevery=max(1, len(seeds) // 8), **styles[model])
        color = styles[model]["color"]
        axis.fill_between(seeds.mean().index, seeds.min(), seeds.max(), color=color, alpha=0.15, lw=0)
    column = experiment.task.column(experiment.task.selection)
    axis.set(title=experiment.spec.variants[variant].label, ylabel=column.label)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if not experiment.task.higher_is_better:
        axis.set_yscale("log")


def _curves(results: "Results", variant: str) -> "dict[str, pd.Series]":
    """Scores of all seeds of each model that has any, one below the other, by epoch, in the table's units."""
    import pandas as pd

    task = results.experiment.task
    column = task.column(task.selection)
    found = {}
    for model in results.experiment.spec.models:
        histories = [h for h in results.histories(variant, model) if column.metric in h]
        kept = [h.set_index("epoch")[column.metric].dropna() * column.factor for h in histories]
        if any(len(scores) for scores in kept):
            found[model] = pd.concat(kept)
    return found


FIGURE = Figure(
    title="learning curves",
    caption="Validation score of each model after each epoch: the mean over seeds. The band reaches from the lowest to "
    "the highest seed.",
    needs="results",
    plot=plot_learning_curves,
    applies=lambda experiment: experiment.task.trained,
)
