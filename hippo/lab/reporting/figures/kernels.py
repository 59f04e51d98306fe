"""Speed of the kernels, from what `make bench` measured."""

from pathlib import Path

import pandas as pd

from hippo.lab.reporting.plot_style import drawn, legend, lines


def kernel_speed(measured: pd.DataFrame, out: Path) -> None:
    """Steps per second over the order, a line per method, a panel per dtype: `out`.png and .svg.

    `measured` has the columns dtype, order, method and steps_per_second (kernels.csv).
    """
    shown = measured[~measured["method"].str.startswith("update")]
    dtypes = list(shown["dtype"].unique())
    with drawn(out, 1.7 * len(dtypes) + 0.4, len(dtypes), sharex=True, sharey=True) as (figure, axes):
        for axis, dtype in zip(axes[:, 0], dtypes, strict=True):
            part = shown[shown["dtype"] == dtype]
            for (method, line), look in zip(part.groupby("method", sort=False), lines(), strict=False):
                axis.loglog(line["order"], line["steps_per_second"], label=method, **look)
            axis.set_xticks(part["order"].unique(), part["order"].unique().astype(str))
            axis.minorticks_off()
            axis.set(title=dtype, ylabel="steps/s, one core")
        axes[-1, 0].set_xlabel("order N")
        legend(figure, axes)
