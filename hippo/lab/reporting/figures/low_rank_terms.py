"""Low-rank terms: basis kernels of S4 systems with the exact low-rank term, with others, and without one."""

from pathlib import Path

from hippo.lab.reporting.figure import Figure

SYSTEMS = {"legs": "LegS", "legt": "LegT", "fout": "FouT"}
TERMS = {"exact": "exact P", "noisy": "P + noise", "random": "random P", "none": "no P"}
SHOWN = {"legs": (0, 1, 2), "legt": (0, 1, 2), "fout": (0, 2, 3)}  # the sine of frequency 0 of fout is 0
OLDEST = 4.0  # twice the length of the windows
DEVIATION = 0.5  # of the noise added to the entries of P


def plot_low_rank_terms(source: None, out: Path, order: int = 64) -> None:
    """Plot the first kernels over the age of a sample, a column per system and a line of panels per low-rank term.

    Parameters
    ----------
    source : None
        The figure needs no results.
    out : Path
        Written are `out`.csv (system, term, age, kernel, value), `out`.png and `out`.svg.
    order : int, default 64
        Order of the systems; even.
    """
    import numpy as np
    import pandas as pd

    from hippo.files import write_text
    from hippo.lab.analysis.low_rank_terms import with_low_rank_term
    from hippo.lab.reporting.plot_style import add_legend, figure_file, line_styles
    from hippo.operators import basis_kernels

    age, lines = np.linspace(0, OLDEST, 401), []
    with figure_file(out, 4.6, len(TERMS), len(SYSTEMS), sharex=True, sharey="row") as (figure, axes):
        for panels, (term, title) in zip(axes, TERMS.items(), strict=True):
            for axis, (system, label) in zip(panels, SYSTEMS.items(), strict=True):
                pair = with_low_rank_term(system, order, term, DEVIATION, np.random.default_rng(0))
                kernels = basis_kernels(*pair, age)
                for place, (n, style) in enumerate(zip(SHOWN[system], line_styles(), strict=False)):
                    axis.plot(age, kernels[:, n], **{**style, "marker": None}, label=f"kernel {place + 1}")
                    lines += [(system, term, *point) for point in zip(age, [n] * len(age), kernels[:, n], strict=True)]
                axis.set_title(f"{label}, {title}")
        for axis in axes[-1]:
            axis.set_xlabel("age, units of time", labelpad=1)
        add_legend(figure, axes, columns=3)
    table = pd.DataFrame(lines, columns=["system", "term", "age", "kernel", "value"])
    write_text(out.with_suffix(".csv"), table.to_csv(index=False))


FIGURE = Figure(
    title="low-rank terms",
    caption="The first three basis kernels that are not 0 of S4 systems of order 64, A = M − P Pᵀ. The noise added to "
    f"P has deviation {DEVIATION}; a random P has the norm of the exact one. Without P, S4-LegS has half the input, "
    "which is S4D-LegS, and the others oscillate without end.",
    needs="memories",
    plot=plot_low_rank_terms,
    applies=lambda experiment: experiment.task_name == "kernels",
    test_options={"order": 16},
)
