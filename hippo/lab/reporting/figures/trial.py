"""Figure of one trial: its learning curve, or its reconstructed signal. `hippo train` plots it."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

PARTS = ("train", "validation", "test")


def plot_trial(history: "pd.DataFrame | None", points: "pd.DataFrame | None", out: Path) -> None:
    """Plot one trial.

    Parameters
    ----------
    history : DataFrame or None
        One line per epoch (`trial_files.read_history`). Fewer than two epochs are not plotted.
    points : DataFrame or None
        The reconstructed signal (`trial_files.read_reconstruction`); plotted instead of the history if given.
    out : Path
        Written are `out`.png and `out`.svg, if there is anything to plot.
    """
    if points is not None:
        _plot_points(points, out)
    elif history is not None and len(history) > 1:
        _plot_history(history.set_index("epoch"), out)


def _plot_points(points: "pd.DataFrame", out: Path) -> None:
    """Plot both ends of a reconstructed signal."""
    from hippo.lab.reporting.figures.signals import plot_ends
    from hippo.lab.reporting.plot_style import add_legend, figure_file

    with figure_file(out, 1.2, 1, 2, sharey=True) as (figure, axes):
        plot_ends(axes[0], points)
        for axis, name in zip(axes[0], ("oldest", "newest"), strict=True):
            axis.set(title=f"{name} samples", xlabel="samples, millions")
        add_legend(figure, axes)


def _plot_history(history: "pd.DataFrame", out: Path) -> None:
    """Plot every number that the parts have in common over the epochs, a panel each."""
    from matplotlib.ticker import MaxNLocator

    from hippo.lab.reporting.plot_style import add_legend, figure_file, line_styles

    names = [column.removeprefix("train_") for column in history if column.startswith("train_")]
    with figure_file(out, 1.3 * len(names) + 0.3, len(names), sharex=True) as (figure, axes):
        for axis, name in zip(axes[:, 0], names, strict=True):
            for part, style in zip(PARTS, line_styles(), strict=False):
                if f"{part}_{name}" in history:
                    every = max(1, len(history) // 8)
                    axis.plot(history[f"{part}_{name}"], label=part, markevery=every, **style)
            axis.set_ylabel(name)
        axes[-1, 0].set_xlabel("epoch")
        axes[-1, 0].xaxis.set_major_locator(MaxNLocator(integer=True))
        add_legend(figure, axes, columns=3)
