"""Speed of the kernels, as `make bench` measured it."""

from pathlib import Path

from hippo.lab.reporting.figure import Figure


def plot_kernel_speed(source: Path, out: Path) -> None:
    """Plot steps per second over the order, a panel per dtype and a line per method.

    Parameters
    ----------
    source : Path
        CSV file with the columns dtype, order, method and steps_per_second.
    out : Path
        Written are `out`.png and `out`.svg.
    """
    import pandas as pd

    from hippo.lab.reporting.plot_style import add_legend, figure_file, line_styles

    measured = pd.read_csv(source)
    shown = measured[~measured["method"].str.startswith("update")]
    dtypes = list(shown["dtype"].unique())
    with figure_file(out, 1.7 * len(dtypes) + 0.4, len(dtypes), sharex=True, sharey=True) as (figure, axes):
        for axis, dtype in zip(axes[:, 0], dtypes, strict=True):
            part = shown[shown["dtype"] == dtype]
            for (method, line), style in zip(part.groupby("method", sort=False), line_styles(), strict=False):
                axis.loglog(line["order"], line["steps_per_second"], label=method, **style)
            axis.set_xticks(part["order"].unique(), part["order"].unique().astype(str))
            axis.minorticks_off()
            axis.set(title=dtype, ylabel="steps/s, one core")
        axes[-1, 0].set_xlabel("order N")
        add_legend(figure, axes)


FIGURE = Figure(
    title="speed of the kernels",
    caption="Steps per second of the kernels over the order of the memory, as `make bench` measured them on one core.",
    needs="benchmark",
    plot=plot_kernel_speed,
    file=Path("results/bench/kernels.csv"),
)
