"""Learning curves: the validation score of each model over the epochs."""

from pathlib import Path

import pandas as pd
from matplotlib.ticker import MaxNLocator

from hippo.lab.plan.experiment import Experiment
from hippo.lab.reporting.plot_style import drawn, legend, lines, say
from hippo.lab.results.outcomes import collect


def learning_curves(experiment: Experiment, trials: Path, out: Path) -> None:
    """Mean over seeds, and the band from the lowest to the highest seed: `out`.png and .svg, a panel per variant."""
    metric = experiment.task.score.replace("test_", "validation_")
    column = experiment.task.column(metric)
    outcomes = collect(experiment, trials)
    variants, models = experiment.spec.variants, experiment.spec.models
    height = 1.75 * len(variants) + 0.13 * len(models) / 2 + 0.3
    with drawn(out, height, len(variants), sharex=True, sharey=True) as (figure, axes):
        for axis, (variant, about) in zip(axes[:, 0], variants.items(), strict=True):
            for (row, model), look in zip(models.items(), lines(), strict=False):
                own = outcomes[(outcomes["variant"] == variant) & (outcomes["row"] == row)]
                own = own[own["status"].isin(("finished", "diverged"))]  # others may be of other settings
                history = histories([trials / folder for folder in own["folder"]], metric)
                if len(history):
                    seeds = (history.set_index("epoch")[metric] * column.factor).groupby("epoch")
                    axis.plot(seeds.mean(), label=model.label, markevery=max(1, len(seeds) // 8), **look)
                    axis.fill_between(
                        seeds.mean().index, seeds.min(), seeds.max(), color=look["color"], alpha=0.15, lw=0
                    )
            axis.set(title=about.label, ylabel=column.label)
            if not experiment.task.higher_is_better:
                axis.set_yscale("log")
        if not any(axis.lines for axis in axes.flat):
            return say(axes[0, 0], "no trial has ended an epoch")
        axes[-1, 0].set_xlabel("epoch")
        axes[-1, 0].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        legend(figure, axes)


def histories(folders: list[Path], metric: str) -> pd.DataFrame:
    """The histories of several trials, one after another: columns epoch and `metric`."""
    read = [pd.read_csv(path) for folder in folders if (path := folder / "history.csv").exists()]
    kept = [history[["epoch", metric]].dropna() for history in read if metric in history]
    return pd.concat(kept) if kept else pd.DataFrame(columns=["epoch", metric])
