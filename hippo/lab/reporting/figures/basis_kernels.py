"""Basis kernels of the systems of S4 and S4D, and what a random low-rank term does to those of legs."""

from pathlib import Path
from typing import TYPE_CHECKING

from hippo.lab.reporting.figure import Figure

if TYPE_CHECKING:
    import numpy as np

SHOWN = 5  # kernels of each system
OLDEST = 4.0  # twice the length of the windows
DEVIATION = 0.5  # of the random entries added to the low-rank term


def plot_basis_kernels(source: None, out: Path, order: int = 64) -> None:
    """Plot the first kernels of every system over the age of a sample, a panel per system.

    Parameters
    ----------
    source : None
        The figure needs no results.
    out : Path
        Written are `out`.png and `out`.svg.
    order : int, default 64
        Order of the systems; even.
    """
    import numpy as np

    from hippo.lab.reporting.plot_style import add_legend, figure_file, line_styles

    age = np.linspace(0, OLDEST, 401)
    panels = _panels(order, age)
    with figure_file(out, 4.6, len(panels) // 2, 2, sharex=True) as (figure, axes):
        for axis, (title, kernels) in zip(axes.flat, panels.items(), strict=True):
            for n, style in zip(range(SHOWN), line_styles(), strict=False):
                axis.plot(age, kernels[:, n], **{**style, "marker": None}, label=f"n = {n}")
            axis.set_title(title)
        for axis in axes[-1]:
            axis.set_xlabel("age, units of time", labelpad=1)
        add_legend(figure, axes, columns=SHOWN)


def _panels(order: int, age: "np.ndarray") -> "dict[str, np.ndarray]":
    """Kernels (points, SHOWN) by title, in the order of the panels: a left one and a right one in turn."""
    import numpy as np

    from hippo.lab.analysis.low_rank_terms import with_low_rank_term
    from hippo.operators import basis_kernels, structured_system, transition
    from hippo.operators.structured import WINDOW

    def states(name):  # the slowest ones first
        eigenvalues = sorted(structured_system(name, order).eigenvalues, key=abs)[:SHOWN]
        return np.sqrt(2) * np.exp(np.outer(age, eigenvalues)).real

    def coefficients(name):
        return basis_kernels(*transition(name, order, window=WINDOW), age)[:, :SHOWN]

    def legs(term):
        pair = with_low_rank_term("legs", order, term, DEVIATION, np.random.default_rng(0))
        return basis_kernels(*pair, age)[:, :SHOWN]

    return {
        "S4-LegS": legs("exact"),
        "S4D-LegS": legs("none"),
        "S4-LegS, P + noise": legs("noisy"),
        "S4D-Inv": states("diag_inv"),
        "S4-LegT": coefficients("legt"),
        "S4D-Lin": states("diag_lin"),
        "S4-FouT": coefficients("fout"),
        "S4D-Real": states("diag_real"),
    }


FIGURE = Figure(
    title="basis kernels",
    caption="The first basis kernels of each S4 system of order 64, and the slowest states of S4D systems as √2 Re x. "
    "Without the low-rank term P of S4-LegS, its coefficients oscillate about those with it (S4D-LegS). "
    f"The noise added to P has deviation {DEVIATION}.",
    needs="memories",
    plot=plot_basis_kernels,
    test_options={"order": 16},
)
