"""The critical-difference figure: mean ranks on a line, bars over the models that no test tells apart (Demšar 2006)."""

from pathlib import Path

import pandas as pd

from hippo.lab.plan.experiment import Experiment
from hippo.lab.reporting.plot_style import DARK, WARM, drawn, say
from hippo.lab.results.outcomes import collect
from hippo.lab.results.significance import critical_difference, mean_ranks, scores


def ranks(experiment: Experiment, trials: Path, out: Path) -> None:
    """Mean ranks over variants and seeds, Nemenyi's critical difference at 5 %: `out`.png and .svg."""
    table = scores(experiment, collect(experiment, trials))
    models = table.shape[1]
    with drawn(out, 0.9 + 0.16 * max(models, 2)) as (_, ((axis,),)):
        if len(table) < 2 or models < 3:
            return say(axis, f"{len(table)} pairs of variant and seed for {models} models:\nranks need 2 and 3")
        means = mean_ranks(table, experiment.task.higher_is_better)
        width = critical_difference(models, len(table))
        for line, (row, rank) in enumerate(means.items()):
            label = experiment.spec.models[row].label
            axis.plot([rank], [line], "o", color=DARK)
            axis.annotate(
                f"{label} ({rank:.2g})", (rank, line), (5, 0), textcoords="offset points", va="center", fontsize=6
            )
        for offset, (first, last) in enumerate(groups(means, width)):
            axis.plot(means.iloc[[first, last]], [-1.2 - 0.5 * offset] * 2, color=WARM, lw=2.5, solid_capstyle="butt")
        title = f"critical difference {width:.2f} over {len(table)} pairs of variant and seed"
        if width >= models - 1:
            title += ":\ntoo few to tell any two models apart"
        axis.set(
            title=title, xlabel="mean rank (1 is best); bars: not told apart", yticks=[], xlim=(0.7, models * 1.35)
        )
        axis.set_xticks(range(1, models + 1))
        axis.spines["left"].set_visible(False)
        axis.invert_yaxis()


def groups(means: pd.Series, width: float) -> list[tuple[int, int]]:
    """First and last place of every longest run of sorted mean ranks that lie within `width`; none of one model."""
    runs = []
    for first in range(len(means)):
        last = max(place for place in range(first, len(means)) if means.iloc[place] - means.iloc[first] <= width)
        if last > first and (not runs or last > runs[-1][1]):
            runs.append((first, last))
    return runs
