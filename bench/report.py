"""The benchmarks' rows as CSV, Markdown and a figure."""

import platform
from pathlib import Path

import matplotlib
import pandas as pd

matplotlib.use("Agg")
from matplotlib import pyplot


def write_report(folder: Path, backend, projection: list, steps: list, others: list) -> str:
    """Write kernels.{csv,md,png}, kernels_step.csv and kernels_others.csv to `folder`; returns the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"kernels": projection, "kernels_step": steps, "kernels_others": others}
    frames = {name: pd.DataFrame(rows) for name, rows in tables.items()}
    for name, frame in frames.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    text = "\n".join(
        [
            "# Kernels",
            "",
            f"{processor()}, one core; kernels: {backend.name} ({backend.reason}).",
            "",
            "Projection of a long signal, LegS, bilinear. `x` columns are ratios within this run; `peak` is the share",
            "of the core's multiply-add rate, at 4 per coefficient and step; `error` is against float64.",
            "",
            projection_table(frames["kernels"]),
            "",
            "One step of a batch of memories.",
            "",
            step_table(frames["kernels_step"]),
            "",
            "Other memories and modes.",
            "",
            others_table(frames["kernels_others"]),
            "",
        ]
    )
    (folder / "kernels.md").write_text(text)
    draw(frames["kernels"], folder / "kernels.png")
    return text


def processor() -> str:
    """The processor's name as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def projection_table(frame: pd.DataFrame) -> str:
    """Markdown of the projection rows."""
    shown = pd.DataFrame(
        {
            "dtype": frame["dtype"],
            "N": frame["order"],
            "method": frame["method"],
            "million steps/s": frame["steps_per_second"].map(lambda v: f"{v / 1e6:.3g}"),
            "x textbook": frame["times_textbook"].map("{:.3g}".format),
            "x dense": frame["times_dense"].map("{:.3g}".format),
            "peak": frame["share_of_peak"].map(lambda v: "" if pd.isna(v) else f"{v:.0%}"),
            "error": frame["error"].map(lambda v: "" if pd.isna(v) else f"{v:.1e}"),
        }
    )
    return shown.to_markdown(index=False, disable_numparse=True)


def step_table(frame: pd.DataFrame) -> str:
    """Markdown of the batched steps."""
    shown = frame.assign(
        microseconds=frame["microseconds"].map("{:.3g}".format), times_dense=frame["times_dense"].map("{:.3g}".format)
    )
    return shown.rename(columns={"order": "N", "times_dense": "x dense"}).to_markdown(
        index=False, disable_numparse=True
    )


def others_table(frame: pd.DataFrame) -> str:
    """Markdown of the other memories."""
    shown = frame.assign(steps_per_second=frame["steps_per_second"].map(lambda v: f"{v / 1e6:.3g}"))
    names = {"order": "N", "steps_per_second": "million steps/s"}
    return shown.rename(columns=names).to_markdown(index=False, disable_numparse=True)


def draw(frame: pd.DataFrame, path: Path) -> None:
    """Steps/s over the order, one line per method, one panel per dtype."""
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), sharey=True, constrained_layout=True)
    for axis, (dtype, part) in zip(axes, frame.groupby("dtype"), strict=True):
        for method, line in part.groupby("method", sort=False):
            if not method.startswith("update"):
                axis.loglog(line["order"], line["steps_per_second"], "o-", label=method)
        axis.set(title=dtype, xlabel="order N", xticks=part["order"].unique())
        axis.set_xticks(part["order"].unique(), part["order"].unique().astype(str))
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("steps per second, one core")
    axes[0].legend()
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
