"""Figures of the reconstruction experiment."""

from pathlib import Path

import numpy as np
import pandas as pd

from hippo.data.white_noise import white_noise
from hippo.files import write_text
from hippo.lab.plan.experiment import Experiment
from hippo.lab.reporting.plot_style import DARK, GREY, WARM, drawn, legend, say
from hippo.lab.results.outcomes import collect
from hippo.lab.training.reconstruction import optimal_mse
from hippo.memory import project, reconstruct

SHARE = 0.08  # of the signal, at each end, that is wide enough to see its cycles
SEEN = 20_000  # samples over which an error of the second figure is averaged
ORDERS = (16, 32, 64, 96, 128, 160, 176, 192, 224, 256, 320, 384, 512)
LENGTHS = (10**3, 10**4, 10**5, 10**6, 10**7)
MEASURES = {"legs": ("HiPPO-LegS", "o-", DARK), "legt": ("HiPPO-LegT", "s--", WARM)}


def signals(experiment: Experiment, trials: Path, out: Path) -> None:
    """The oldest and the newest stretch of the signal with what each model makes of it: `out`.png and .svg."""
    outcomes = collect(experiment, trials)
    finished = outcomes[(outcomes["status"] == "finished") & (outcomes["seed"] == 0)]
    rows = max(len(finished), 1)
    with drawn(out, 0.75 * rows + 0.45, rows, 2, sharey=True, sharex="col") as (figure, axes):
        if finished.empty:
            return say(axes[0, 0], "no finished trial")
        for pair, trial in zip(axes, finished.itertuples(), strict=True):
            ends(pair, pd.read_csv(trials / trial.folder / "reconstruction.csv"))
            pair[0].set_ylabel(f"{experiment.spec.models[trial.model].label}\nMSE {trial.mse:.3g}", fontsize=6)
        axes[0, 0].set_title("oldest samples")
        axes[0, 1].set_title("newest samples")
        for axis in axes[-1]:
            axis.set_xlabel("samples, millions")
        legend(figure, axes)


def ends(pair, points: pd.DataFrame) -> None:
    """The oldest stretch of a signal and its reconstruction on the first axis of `pair`, the newest on the second.

    `points` has the columns sample, signal and reconstructed (reconstruction.csv). Samples are counted in millions.
    """
    last = points["sample"].iloc[-1]
    for axis, part in (
        (pair[0], points[points["sample"] <= SHARE * last]),
        (pair[1], points[points["sample"] >= (1 - SHARE) * last]),
    ):
        for name, look in (("signal", {"color": GREY, "lw": 2.2}), ("reconstructed", {"color": DARK, "lw": 0.8})):
            axis.plot(part["sample"] / 1e6, part[name], label=name, **look)
        axis.set_ylim(-3.5, 3.5)
        axis.locator_params(axis="x", nbins=3)


def memory_errors(cycles: int, out: Path) -> None:
    """Error of the memories against their order, and against the signal's length: `out`.csv, .png and .svg."""
    rows = [_error(measure, order, 10**6, cycles) for measure in MEASURES for order in ORDERS]
    rows += [_error(measure, 256, length, cycles) for measure in MEASURES for length in LENGTHS if length != 10**6]
    signal = white_noise(10**5, cycles, seed=1)
    rows += [{"measure": "optimum", "order": n, "length": 10**5, "mse": optimal_mse(signal, n)} for n in ORDERS]
    errors = pd.DataFrame(rows)
    write_text(out.with_suffix(".csv"), errors.to_csv(index=False))
    optimum = errors[errors["measure"] == "optimum"]
    with drawn(out, 3.9, 2, sharey=True) as (_, ((by_order,), (by_length,))):
        by_order.plot(optimum["order"], optimum["mse"], color=GREY, lw=3, label="best polynomial")
        by_length.axhline(optimum.loc[optimum["order"] == 256, "mse"].item(), color=GREY, lw=3)
        for measure, (label, line, color) in MEASURES.items():
            own = errors[errors["measure"] == measure]
            at_length = own[own["length"] == 10**6].sort_values("order")
            at_order = own[own["order"] == 256].sort_values("length")
            by_order.plot(at_length["order"], at_length["mse"], line, color=color, label=label)
            by_length.plot(at_order["length"], at_order["mse"], line, color=color)
        by_order.set(xlabel="order N (at 10⁶ samples)", ylabel="mean squared error", yscale="log", ylim=(1e-9, 2))
        by_length.set(xlabel="samples (at order 256)", ylabel="mean squared error", xscale="log")
        by_order.legend()


def _error(measure: str, order: int, length: int, cycles: int) -> dict:
    signal = white_noise(length, cycles, seed=1).astype(np.float32)
    coefficients = project(signal, order, measure)
    seen = np.linspace(0, length - 1, min(SEEN, length)).astype(int)
    reconstructed = reconstruct(coefficients, measure, points=(seen + 0.5) / length)
    mse = float(np.mean((reconstructed - signal[seen]) ** 2, dtype=np.float64))
    return {"measure": measure, "order": order, "length": length, "mse": mse}
