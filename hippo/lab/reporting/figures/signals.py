"""Signals: the oldest and newest samples of a signal, and their reconstruction by each model."""

from pathlib import Path
from typing import TYPE_CHECKING

from hippo.lab.reporting.figure import Figure
from hippo.lab.trials.status import Status

if TYPE_CHECKING:
    import pandas as pd

    from hippo.lab.results.results import Results

FRACTION = 0.08  # of the signal, at each end, that is short enough for its cycles to be visible


def plot_signals(results: "Results", out: Path) -> None:
    """Plot both ends of the signal and their reconstruction by each model, a row of panels per model.

    Parameters
    ----------
    results : Results
        Results of a reconstruction experiment; the trials of seed 0 are plotted.
    out : Path
        Written are `out`.png and `out`.svg.
    """
    from hippo.lab.reporting.plot_style import add_legend, figure_file, show_message

    outcomes = results.outcomes
    finished = outcomes[(outcomes["status"] == Status.FINISHED) & (outcomes["seed"] == 0)]
    rows = max(len(finished), 1)
    with figure_file(out, 0.75 * rows + 0.45, rows, 2, sharey=True, sharex="col") as (figure, axes):
        if finished.empty:
            return show_message(axes[0, 0], "no finished trial")
        for pair, trial in zip(axes, finished.itertuples(), strict=True):
            label = results.experiment.spec.models[trial.model].label
            pair[0].set_ylabel(f"{label}\nMSE {trial.mse:.3g}", fontsize=6)
            if (points := results.reconstruction(trial.folder)) is not None:
                plot_ends(pair, points)
        axes[0, 0].set_title("oldest samples")
        axes[0, 1].set_title("newest samples")
        for axis in axes[-1]:
            axis.set_xlabel("samples, millions")
        add_legend(figure, axes)


def plot_ends(pair, points: "pd.DataFrame") -> None:
    """Plot the oldest samples and their reconstruction on the first axis of `pair`, the newest on the second.

    Parameters
    ----------
    pair : sequence of two Axes
        The axes. Samples are counted in millions.
    points : DataFrame
        Columns `sample`, `signal` and `reconstructed`.
    """
    from hippo.lab.reporting.plot_style import DARK, GREY

    last = points["sample"].iloc[-1]
    parts = points[points["sample"] <= FRACTION * last], points[points["sample"] >= (1 - FRACTION) * last]
    for axis, part in zip(pair, parts, strict=True):
        for name, style in (("signal", {"color": GREY, "lw": 2.2}), ("reconstructed", {"color": DARK, "lw": 0.8})):
            axis.plot(part["sample"] / 1e6, part[name], label=name, **style)
        axis.set_ylim(-3.5, 3.5)
        axis.locator_params(axis="x", nbins=3)


FIGURE = Figure(
    title="reconstructed signal",
    caption="The oldest and newest samples of the signal, and what each model reconstructs of them after one pass.",
    needs="results",
    plot=plot_signals,
    applies=lambda experiment: experiment.task_name == "reconstruction",
)
