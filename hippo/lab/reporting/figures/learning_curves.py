"""Learning curves: the validation score of each model over the epochs."""

from pathlib import Path
from typing import TYPE_CHECKING

from hippo.lab.reporting.figure import Figure

if TYPE_CHECKING:
    from hippo.lab.results.results import Results


def plot_learning_curves(results: "Results", out: Path) -> None:
    """Plot mean and range over seeds of the validation score, a panel per variant.

    Parameters
    ----------
    results : Results
        Results of a task that trains models.
    out : Path
        Written are `out`.png and `out`.svg.
    """
    from matplotlib.ticker import MaxNLocator

    from hippo.lab.reporting.plot_style import add_legend, figure_file, line_styles, panels_height, show_message

    experiment = results.experiment
    column = experiment.task.column(experiment.task.selection)
    variants, models = experiment.spec.variants, experiment.spec.models
    height = panels_height(len(variants), 1.75, len(models))
    with figure_file(out, height, len(variants), sharex=True, sharey=True) as (figure, axes):
        for axis, (variant, spec) in zip(axes[:, 0], variants.items(), strict=True):
            for (model, model_spec), style in zip(models.items(), line_styles(), strict=False):
                history = _scores_by_epoch(results, variant, model, column.metric)
                if len(history):
                    seeds = (history.set_index("epoch")[column.metric] * column.factor).groupby("epoch")
                    axis.plot(seeds.mean(), label=model_spec.label, markevery=max(1, len(seeds) // 8), **style)
                    epochs, color = seeds.mean().index, style["color"]
                    axis.fill_between(epochs, seeds.min(), seeds.max(), color=color, alpha=0.15, lw=0)
            axis.set(title=spec.label, ylabel=column.label)
            if not experiment.task.higher_is_better:
                axis.set_yscale("log")
        if not any(axis.lines for axis in axes.flat):
            return show_message(axes[0, 0], "no trial has finished an epoch")
        axes[-1, 0].set_xlabel("epoch")
        axes[-1, 0].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        add_legend(figure, axes)


def _scores_by_epoch(results: "Results", variant: str, model: str, metric: str):
    """Columns epoch and `metric` of all seeds, one below the other."""
    import pandas as pd

    kept = [h[["epoch", metric]].dropna() for h in results.histories(variant, model) if metric in h]
    return pd.concat(kept) if kept else pd.DataFrame(columns=["epoch", metric])


FIGURE = Figure(
    title="learning curves",
    caption="Validation score of each model after each epoch: the mean over seeds. The band reaches from the lowest to "
    "the highest seed.",
    needs="results",
    plot=plot_learning_curves,
    applies=lambda experiment: experiment.task.trained,
)
