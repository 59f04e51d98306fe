"""Reports of the benchmarks as CSV and Markdown."""

from pathlib import Path

import pandas as pd

from hippo.lab.trials.provenance import processor


def write_report(folder: Path, backend, projection: list, steps: list, others: list, batches: list) -> str:
    """Write kernels.{csv,md} and kernels_{step,others,batch}.csv to `folder`, and return the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"kernels": projection, "kernels_step": steps, "kernels_others": others, "kernels_batch": batches}
    frames = {name: pd.DataFrame(rows) for name, rows in tables.items()}
    for name, frame in frames.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    text = "\n".join(
        [
            "# Kernels",
            "",
            f"{processor()}, one core; kernels: {backend.name} ({backend.reason}).",
            "",
            "Projection of a long signal, LegS, bilinear. `x` columns are ratios within this run; `peak` is the",
            "fraction of the core's multiply-add rate, at 4 per coefficient and step; `error` is against float64.",
            "",
            projection_table(frames["kernels"]),
            "",
            "One step of a batch of memories.",
            "",
            step_table(frames["kernels_step"]),
            "",
            "Other memories and modes.",
            "",
            rates_table(frames["kernels_others"]),
            "",
            "`project` of a batch of signals on several threads, by the wall clock.",
            "",
            rates_table(frames["kernels_batch"].round({"times_one_thread": 2})),
            "",
        ]
    )
    (folder / "kernels.md").write_text(text)
    return text


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
            "peak": frame["fraction_of_peak"].map(lambda v: "" if pd.isna(v) else f"{v:.0%}"),
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


def rates_table(frame: pd.DataFrame) -> str:
    """Markdown of the other memories, or of the batches."""
    shown = frame.assign(steps_per_second=frame["steps_per_second"].map(lambda v: f"{v / 1e6:.3g}"))
    names = {"order": "N", "steps_per_second": "million steps/s", "times_one_thread": "x one thread"}
    return shown.rename(columns=names).to_markdown(index=False, disable_numparse=True)
