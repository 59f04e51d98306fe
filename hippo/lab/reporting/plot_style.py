"""How every figure looks: 8 cm wide at 7 points, told apart in greyscale by stroke and marker as much as by colour."""

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
COLORS = (DARK, WARM, "#5aa469", "#7b2d5e", "#4fa3d9", "#6b6b6b")  # neighbours differ in luminance too
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
def drawn(out: Path, height: float, rows: int = 1, columns: int = 1, **how) -> Iterator[tuple]:
    """A figure `height` inches high and its axes (rows, columns), saved as `out`.png and .svg when the block ends."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, height), squeeze=False, **how)
        try:
            yield figure, axes
            for suffix in (".png", ".svg"):
                with atomic(out.with_suffix(suffix)) as partial:
                    figure.savefig(partial, format=suffix[1:], metadata={"Date": None} if suffix == ".svg" else None)
        finally:
            plt.close(figure)


def lines() -> Iterator[dict]:
    """One look after another for the lines of a figure."""
    for color, stroke, marker in zip(cycle(COLORS), cycle(STROKES), cycle(MARKERS), strict=False):
        yield {"color": color, "linestyle": stroke, "marker": marker}


def looks(names: Iterable[str]) -> dict[str, dict]:
    """The look of each named line, the same in every panel."""
    return dict(zip(names, lines(), strict=False))


def legend(figure, axes, columns: int = 2) -> None:
    """One legend under the figure, of every line that any of its `axes` has."""
    found = {
        label: handle for axis in axes.flat for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(found.values(), found.keys(), ncols=columns, loc="outside lower center", columnspacing=1)


def say(axis, words: str) -> None:
    """Words in the middle of an axis that has nothing to show."""
    axis.set_axis_off()
    axis.text(0.5, 0.5, words, ha="center", va="center", wrap=True, transform=axis.transAxes)
