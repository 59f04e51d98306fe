"""Output variance: the scale of the output of a new S4 layer against its number of states."""

from collections.abc import Sequence
from pathlib import Path

from hippo.lab.reporting.figure import Figure

SYSTEMS = {
    "legs": "S4-LegS",
    "legt": "S4-LegT",
    "fout": "S4-FouT",
    "diag_inv": "S4D-Inv",
    "diag_lin": "S4D-Lin",
    "diag_real": "S4D-Real",
}
ORDERS = (4, 8, 16, 32, 64, 128, 256, 512)


def plot_output_variance(source: None, out: Path, orders: Sequence[int] = ORDERS) -> None:
    """Plot the variance of the output C x against the number of states, a panel for noise and one for a constant.

    Parameters
    ----------
    source : None
        The figure needs no results.
    out : Path
        Written are `out`.csv (signal, system, order, variance), `out`.png and `out`.svg.
    orders : sequence of int
        Numbers of states.
    """
    import pandas as pd

    from hippo.data.unit_signals import UnitSignals
    from hippo.files import write_text
    from hippo.lab.analysis.linear_states import BilinearStates, mean_square
    from hippo.lab.reporting.plot_style import GREY, add_legend, figure_file, styles_by_name

    signals = UnitSignals()
    titles = {"noise": "noise of variance 1", "constant": "the constant 1"}
    angles = {"noise": signals.angles, "constant": None}
    lines = [
        {
            "signal": signal,
            "system": system,
            "order": order,
            "variance": mean_square(BilinearStates(system, order, signals.interval), angles[signal]),
        }
        for signal in titles
        for system in SYSTEMS
        for order in orders
    ]
    variances = pd.DataFrame(lines)
    write_text(out.with_suffix(".csv"), variances.to_csv(index=False))
    styles = styles_by_name(SYSTEMS)
    with figure_file(out, 3.4, 2, sharex=True) as (figure, axes):
        for axis, (signal, title) in zip(axes[:, 0], titles.items(), strict=True):
            axis.axhline(1, color=GREY, lw=2)
            for system, label in SYSTEMS.items():
                line = variances[(variances["signal"] == signal) & (variances["system"] == system)]
                axis.plot(line["order"], line["variance"], label=label, **styles[system])
            axis.set(title=title, ylabel="variance of the output", xscale="log", yscale="log")
            axis.set_xticks(orders, list(map(str, orders)))
            axis.minorticks_off()
        axes[-1, 0].set_xlabel("states N")
        add_legend(figure, axes, columns=3)


FIGURE = Figure(
    title="variance of the output",
    caption="Expected square of the output of a new S4 layer, whose output map has entries of variance 1, for inputs "
    "of mean square 1. With an orthonormal basis it is 1, the grey line, once the states represent the input.",
    needs="memories",
    plot=plot_output_variance,
    applies=lambda experiment: experiment.task_name == "normalization",
    test_options={"orders": (4, 8)},
)
