"""What one trial looks like: its learning curve, or the signal that it remembers."""

from pathlib import Path

import pandas as pd
from matplotlib.ticker import MaxNLocator

from hippo.lab.reporting.figures.reconstruction import ends
from hippo.lab.reporting.plot_style import drawn, legend, lines

PARTS = ("train", "validation", "test")


def draw_trial(folder: Path) -> None:
    """Draw the trial in `folder`: figure.png and .svg, where it left anything that can be drawn."""
    if (folder / "reconstruction.csv").exists():
        points = pd.read_csv(folder / "reconstruction.csv")
        with drawn(folder / "figure", 1.2, 1, 2, sharey=True) as (figure, axes):
            ends(axes[0], points)
            for axis, name in zip(axes[0], ("oldest", "newest"), strict=True):
                axis.set(title=f"{name} samples", xlabel="samples, millions")
            legend(figure, axes)
    elif (folder / "history.csv").exists():
        history = pd.read_csv(folder / "history.csv", index_col="epoch")
        if len(history) > 1:
            _curves(history, folder / "figure")


def _curves(history: pd.DataFrame, out: Path) -> None:
    """Every number that the parts share, a panel each, over the epochs."""
    names = [column.removeprefix("train_") for column in history if column.startswith("train_")]
    with drawn(out, 1.3 * len(names) + 0.3, len(names), sharex=True) as (figure, axes):
        for axis, name in zip(axes[:, 0], names, strict=True):
            for part, look in zip(PARTS, lines(), strict=False):
                if f"{part}_{name}" in history:
                    axis.plot(history[f"{part}_{name}"], label=part, markevery=max(1, len(history) // 8), **look)
            axis.set_ylabel(name)
        axes[-1, 0].set_xlabel("epoch")
        axes[-1, 0].xaxis.set_major_locator(MaxNLocator(integer=True))
        legend(figure, axes, columns=3)
