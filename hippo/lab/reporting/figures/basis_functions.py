"""Basis functions of each measure, of which a memory stores the coefficients."""

from pathlib import Path

from hippo.lab.reporting.figure import Figure

SHOWN = 5  # functions of each measure
TITLES = {
    "legs": "LegS: the whole past",
    "legt": "LegT: a window",
    "lmu": "LMU: a window",
    "lagt": "LagT: a fading past",
    "fout": "FouT: a window",
}
# Unit of age, and the largest age to plot.
WINDOW = ("age, fraction of the window", 1)
AGES = {"legs": ("fraction of the past, 0 is now", 1), "lagt": ("age, time constants", 20)}


def plot_basis_functions(source: None, out: Path) -> None:
    """Plot the first functions of every measure that has a basis, over the age of a sample, a panel per measure.

    Parameters
    ----------
    source : None
        The figure needs no results.
    out : Path
        Written are `out`.png and `out`.svg.
    """
    import numpy as np

    from hippo.lab.reporting.plot_style import add_legend, figure_file, line_styles
    from hippo.operators.measures import MEASURES

    measures = {name: measure for name, measure in MEASURES.items() if measure.basis}
    with figure_file(out, 1.0 * len(measures) + 0.4, len(measures)) as (figure, axes):
        for axis, (name, measure) in zip(axes[:, 0], measures.items(), strict=True):
            unit, oldest = AGES.get(name, WINDOW)
            age = np.linspace(0, oldest, 400)
            for n, style in zip(range(SHOWN), line_styles(), strict=False):
                axis.plot(age, measure.basis(SHOWN, age)[:, n], **{**style, "marker": None}, label=f"n = {n}")
            axis.set_title(TITLES.get(name, name))
            axis.set_xlabel(unit, labelpad=1)
        add_legend(figure, axes, columns=SHOWN)


FIGURE = Figure(
    title="basis functions",
    caption="The first basis functions of each measure; a memory stores the coefficients of the past in this basis.",
    needs="memories",
    plot=plot_basis_functions,
)
