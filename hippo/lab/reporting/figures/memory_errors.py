"""Memory errors: the error of the memories against their order and against the length of the signal."""

from collections.abc import Sequence
from pathlib import Path

from hippo.lab.reporting.figure import Figure

ORDERS = (16, 32, 64, 96, 128, 160, 176, 192, 224, 256, 320, 384, 512)
LENGTHS = (10**3, 10**4, 10**5, 10**6, 10**7)
LENGTH = 10**6  # samples at which the order varies
ORDER = 256  # order at which the length varies
OPTIMUM_LENGTH = 10**5  # samples on which the best polynomial is fitted
CYCLES = 88  # harmonics of the signal
POINTS = 20_000  # samples over which an error is averaged
MEASURES = {"legs": "HiPPO-LegS", "legt": "HiPPO-LegT"}


def plot_memory_errors(
    source: None,
    out: Path,
    orders: Sequence[int] = ORDERS,
    lengths: Sequence[int] = LENGTHS,
    length: int = LENGTH,
    optimum_length: int = OPTIMUM_LENGTH,
    cycles: int = CYCLES,
) -> None:
    """Plot the mean squared error of LegS and LegT memories on a white-noise signal.

    Parameters
    ----------
    source : None
        The figure needs no results.
    out : Path
        Written are `out`.csv (measure, order, length, mse), `out`.png and `out`.svg.
    orders : sequence of int
        Orders at `length` samples; must contain 256.
    lengths : sequence of int
        Lengths in samples at order 256.
    length, optimum_length : int
        Samples of the signal in the first panel, and of the signal on which the best polynomial is fitted.
    cycles : int
        Harmonics of the signal.
    """
    import pandas as pd

    from hippo.data.white_noise import white_noise
    from hippo.files import write_text
    from hippo.lab.analysis.optimum import optimal_mse
    from hippo.lab.reporting.plot_style import DARK, GREY, WARM, figure_file

    points = [(measure, order, length) for measure in MEASURES for order in orders]
    points += [(measure, ORDER, n) for measure in MEASURES for n in lengths if n != length]
    lines = [_error(*point, cycles) for point in points]
    signal = white_noise(optimum_length, cycles, seed=1)
    best = {"measure": "optimum", "length": optimum_length}
    lines += [{**best, "order": order, "mse": optimal_mse(signal, order)} for order in orders]
    errors = pd.DataFrame(lines)[["measure", "order", "length", "mse"]]
    write_text(out.with_suffix(".csv"), errors.to_csv(index=False))
    optimum = errors[errors["measure"] == "optimum"]
    styles = {"legs": ("o-", DARK), "legt": ("s--", WARM)}
    with figure_file(out, 3.9, 2, sharey=True) as (_, ((by_order,), (by_length,))):
        by_order.plot(optimum["order"], optimum["mse"], color=GREY, lw=3, label="best polynomial")
        by_length.axhline(optimum.loc[optimum["order"] == ORDER, "mse"].item(), color=GREY, lw=3)
        for measure, label in MEASURES.items():
            line, color = styles[measure]
            own = errors[errors["measure"] == measure]
            at_length = own[own["length"] == length].sort_values("order")
            at_order = own[own["order"] == ORDER].sort_values("length")
            by_order.plot(at_length["order"], at_length["mse"], line, color=color, label=label)
            by_length.plot(at_order["length"], at_order["mse"], line, color=color)
        by_order.set(xlabel=f"order N (at {_power(length)} samples)", ylabel="mean squared error")
        by_order.set(yscale="log", ylim=(1e-9, 2))
        by_length.set(xlabel=f"samples (at order {ORDER})", ylabel="mean squared error", xscale="log")
        by_order.legend()


def _error(measure: str, order: int, length: int, cycles: int) -> dict:
    """Mean squared error of one memory after one pass over a signal."""
    import numpy as np

    from hippo.data.white_noise import white_noise
    from hippo.memory import project, reconstruct

    signal = white_noise(length, cycles, seed=1).astype(np.float32)
    coefficients = project(signal, order, measure)
    shown = np.linspace(0, length - 1, min(POINTS, length)).astype(int)
    reconstructed = reconstruct(coefficients, measure, points=(shown + 0.5) / length)
    mse = float(np.mean((reconstructed - signal[shown]) ** 2, dtype=np.float64))
    return {"measure": measure, "order": order, "length": length, "mse": mse}


def _power(number: int) -> str:
    """A power of ten with its exponent, such as 10⁶; any other number in digits."""
    exponent = len(str(number)) - 1
    return (
        f"10{str(exponent).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))}"
        if number == 10**exponent
        else f"{number}"
    )


FIGURE = Figure(
    title="errors of the memories",
    caption="Mean squared error of the memories against their order and against the length of the signal.",
    needs="memories",
    plot=plot_memory_errors,
    applies=lambda experiment: experiment.task_name == "reconstruction",
    test_options={"orders": (16, 256), "lengths": (1000, 2000), "length": 2000, "optimum_length": 2000, "cycles": 5},
)
