"""Basis functions of each measure: what a memory's coefficients are coordinates in."""

from pathlib import Path

import numpy as np

from hippo.lab.reporting.plot_style import drawn, legend, lines
from hippo.operators.measures import MEASURES

SHOWN = 5  # functions of each measure
TITLES = {
    "legs": "LegS: the whole past",
    "legt": "LegT: a window",
    "lmu": "LMU: a window",
    "lagt": "LagT: a fading past",
    "fout": "FouT: a window",
}


def basis_functions(out: Path) -> None:
    """The first functions of every measure that has a basis, over the age of a sample: `out`.png and .svg."""
    measures = {name: measure for name, measure in MEASURES.items() if measure.basis}
    with drawn(out, 1.0 * len(measures) + 0.4, len(measures)) as (figure, axes):
        for axis, (name, measure) in zip(axes[:, 0], measures.items(), strict=True):
            age = np.linspace(0, 1 if measure.window else 20, 400)
            for n, look in zip(range(SHOWN), lines(), strict=False):
                axis.plot(age, measure.basis(SHOWN, age)[:, n], **{**look, "marker": None}, label=f"n = {n}")
            axis.set_title(TITLES.get(name, name))
            unit = "share of the window" if measure.window else "time constants"
            axis.set_xlabel("share of the past, 0 is now" if name == "legs" else f"age, {unit}", labelpad=1)
        legend(figure, axes, columns=SHOWN)
