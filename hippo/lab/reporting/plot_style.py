"""Style of all figures: 8 cm wide at 7 points; lines differ in stroke and marker as well as in color."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import matplotlib

from hippo.files import atomic

matplotlib.use("Agg")
import matplotlib.pyplot as plt

WIDTH = 3.15  # inches: 8 cm, a column of a paper
DARK, WARM, GREY = "#12406f", "#c8691c", "#b3b3b3"
COLORS = (DARK, WARM, "#5aa469", "#7b2d5e", "#4fa3d9", "#6b6b6b")  # neighbors differ in luminance too
STROKES = ("-", "--", ":", "-.")
MARKERS = "osD^vPX"
STYLE = {
    "figure.constrained_layout.use": True,
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "xtick.labelsize": 6,
    "ytick.labelsize": 6,
    "legend.fontsize": 6,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "lines.linewidth": 1.0,
    "lines.markersize": 2.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "grid.linewidth": 0.4,
    "grid.alpha": 0.3,
    "savefig.dpi": 300,
    "svg.hashsalt": "hippo",
}


@contextmanager
def figure_file(out: Path, height: float, rows: int = 1, columns: int = 1, **options) -> Iterator[tuple]:
    """Make a figure and save it when the block ends.

    Parameters
    ----------
    out : Path
        Written are `out`.png and `out`.svg; the suffix is replaced.
    height : float
        Height in inches.
    rows, columns : int
        Number of panels.
    **options
        Further arguments of `matplotlib.pyplot.subplots`.

    Yields
    ------
    figure : Figure
        The figure.
    axes : ndarray of Axes, shape (rows, columns)
        Its panels.
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, height), squeeze=False, **options)
        try:
            yield figure, axes
            for suffix in (".png", ".svg"):
                with atomic(out.with_suffix(suffix)) as partial:
                    figure.savefig(partial, format=suffix[1:], metadata={"Date": None} if suffix == ".svg" else None)
        finally:
            plt.close(figure)


def line_styles() -> Iterator[dict]:
    """Yield one style (color, stroke, marker) after another, without end."""
    for color, stroke, marker in zip(cycle(COLORS), cycle(STROKES), cycle(MARKERS), strict=False):
        yield {"color": color, "linestyle": stroke, "marker": marker}


def styles_by_name(names: Iterable[str]) -> dict[str, dict]:
    """Return one style for each name, to be used in every panel."""
    return dict(zip(names, line_styles(), strict=False))


def panels_height(panels: int, panel: float, models: int) -> float:
    """Return the height in inches of `panels` panels with a legend of `models` lines in two columns below them."""
    return panel * panels + 0.13 * models / 2 + 0.3


def add_legend(figure, axes, columns: int = 2) -> None:
    """Add one legend below the figure with every named line of any of its `axes`."""
    found = {
        label: handle for axis in axes.flat for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(found.values(), found.keys(), ncols=columns, loc="outside lower center", columnspacing=1)


def show_message(axis, text: str) -> None:
    """Write a message in the middle of an axis that has nothing to show."""
    axis.set_axis_off()
    axis.text(0.5, 0.5, text, ha="center", va="center", wrap=True, transform=axis.transAxes)
