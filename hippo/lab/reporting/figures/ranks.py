"""Critical-difference figure: mean ranks on a line, with bars over models that no test distinguishes (Demšar 2006)."""

from pathlib import Path
from typing import TYPE_CHECKING

from hippo.lab.reporting.figure import Figure

if TYPE_CHECKING:
    import pandas as pd

    from hippo.lab.results.results import Results


def plot_ranks(results: "Results", out: Path) -> None:
    """Plot mean ranks over variants and seeds with Nemenyi's critical difference at 5 %.

    Parameters
    ----------
    results : Results
        Results of a table.
    out : Path
        Written are `out`.png and `out`.svg.
    """
    from hippo.lab.reporting.plot_style import DARK, WARM, figure_file, show_message
    from hippo.lab.results.significance import critical_difference, mean_ranks

    experiment, table = results.experiment, results.scores
    models = table.shape[1]
    with figure_file(out, 0.9 + 0.16 * max(models, 2)) as (_, ((axis,),)):
        if len(table) < 2 or models < 3:
            message = f"pairs of variant and seed: {len(table)}, at least 2 needed\nmodels: {models}, at least 3 needed"
            return show_message(axis, message)
        means = mean_ranks(table, experiment.task.higher_is_better)
        width = critical_difference(models, len(table))
        for line, (model, rank) in enumerate(means.items()):
            text = f"{experiment.spec.models[model].label} ({rank:.2g})"
            axis.plot([rank], [line], "o", color=DARK)
            axis.annotate(text, (rank, line), (5, 0), textcoords="offset points", va="center", fontsize=6)
        for offset, (first, last) in enumerate(groups(means, width)):
            axis.plot(means.iloc[[first, last]], [-1.2 - 0.5 * offset] * 2, color=WARM, lw=2.5, solid_capstyle="butt")
        title = f"critical difference {width:.2f} over {len(table)} pairs of variant and seed"
        if width >= models - 1:
            title += ":\ntoo few pairs to distinguish any two models"
        axis.set(title=title, xlabel="mean rank (1 is best);\nbars join models that are not distinguished")
        axis.set(yticks=[], xlim=(0.7, models * 1.35))
        axis.set_xticks(range(1, models + 1))
        axis.spines["left"].set_visible(False)
        axis.invert_yaxis()


def groups(means: "pd.Series", width: float) -> list[tuple[int, int]]:
    """Return the models that no test distinguishes.

    Parameters
    ----------
    means : Series
        Sorted mean ranks.
    width : float
        The critical difference.

    Returns
    -------
    list of tuple
        Positions of the first and last model of each longest run within `width`. A run has at least two models.
    """
    runs = []
    for first in range(len(means)):
        last = max(place for place in range(first, len(means)) if means.iloc[place] - means.iloc[first] <= width)
        if last > first and (not runs or last > runs[-1][1]):
            runs.append((first, last))
    return runs


FIGURE = Figure(
    title="ranks",
    caption="Mean rank of each model over all pairs of variant and seed. A bar joins models whose ranks differ by less "
    "than Nemenyi's critical difference at 5 % (Demšar 2006).",
    needs="results",
    plot=plot_ranks,
    applies=lambda e: len(e.spec.models) > 2 and len(e.spec.variants) * e.spec.seeds > 1,
)
