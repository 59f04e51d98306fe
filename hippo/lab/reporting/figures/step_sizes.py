"""Timescale initialization: the error of frozen states against their step and number, and the best step."""

from collections.abc import Sequence
from pathlib import Path

from hippo.lab.reporting.figure import Figure

SYSTEMS = {"legs": "S4-LegS", "legt": "S4-LegT", "fout": "S4-FouT"}
ORDERS = (32, 64, 128)
STEPS = 9  # of each curve
WINDOW = 1000  # inputs to reconstruct


def plot_step_sizes(
    source: None,
    out: Path,
    orders: Sequence[int] = ORDERS,
    steps: int = STEPS,
    window: int = WINDOW,
    length: int = 4 * WINDOW,
    band_limit: float = 25.0,
) -> None:
    """Plot the exact error of the best readout against the step, a panel per system and a line per number of states.

    Parameters
    ----------
    source : None
        The figure needs no results.
    out : Path
        Written are `out`.csv (system, order, step, nrmse), `out`.png and `out`.svg.
    orders : sequence of int
        Numbers of states.
    steps : int
        Steps of each curve, geometric from 1/4 to 4 times the one whose window is what is to be reconstructed.
    window, length : int
        Inputs to reconstruct, the last ones, and inputs of a signal.
    band_limit : float
        Band limit of the noise, in Hz at a sampling interval of 1 ms.
    """
    import numpy as np
    import pandas as pd

    from hippo.data.reconstruct import FrozenReconstruct
    from hippo.files import write_text
    from hippo.lab.reporting.plot_style import GREY, add_legend, figure_file, styles_by_name

    task = FrozenReconstruct(length=length, window=window, band_limit=band_limit)
    best = 2 / window
    grid = best * np.geomspace(0.25, 4, steps)
    points = [(system, order, float(step)) for system in SYSTEMS for order in orders for step in grid]
    errors = pd.DataFrame([_error(task, *point) for point in points])
    write_text(out.with_suffix(".csv"), errors.to_csv(index=False))
    styles = styles_by_name(orders)
    with figure_file(out, 1.2 * len(SYSTEMS) + 0.4, len(SYSTEMS), sharex=True, sharey=True) as (figure, axes):
        for axis, (system, label) in zip(axes[:, 0], SYSTEMS.items(), strict=True):
            axis.axvline(best, color=GREY, lw=2)
            for order, style in styles.items():
                line = errors[(errors["system"] == system) & (errors["order"] == order)]
                axis.plot(line["step"], line["nrmse"], label=f"N = {order}", **style)
            axis.set(title=label, ylabel="RMSE / std", xscale="log", ylim=(0, 1))
            axis.set_xticks(best * 2.0 ** np.arange(-2, 3), [f"{best * 2.0**k:.3g}" for k in range(-2, 3)])
            axis.minorticks_off()
        axes[-1, 0].set_xlabel("step Δ")
        add_legend(figure, axes, columns=len(orders))


def _error(task, system: str, order: int, step: float) -> dict:
    """Exact error of the best readout of one system."""
    from hippo.lab.analysis.linear_states import BilinearStates
    from hippo.lab.analysis.readout import fit_readout

    states, targets = task.coordinates(BilinearStates(system, order, step))
    fitted = fit_readout([states], targets, [order])
    return {"system": system, "order": order, "step": step, "nrmse": (fitted.mse / fitted.power) ** 0.5}


FIGURE = Figure(
    title="step sizes",
    caption="Exact error of the best linear readout of the last 1000 inputs, from frozen states, against their step. "
    "The grey line is the step whose window, 2/Δ inputs, is what is to be reconstructed.",
    needs="memories",
    plot=plot_step_sizes,
    applies=lambda experiment: experiment.task_name == "readout",
    test_options={"orders": (8, 16), "steps": 3, "window": 50, "length": 200},
)
