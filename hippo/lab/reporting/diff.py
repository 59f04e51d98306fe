"""Text of `hippo compare`: the differences between two folders of results."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from hippo.lab.reporting.text import wrap
from hippo.lab.results.diff import KEYS, changed_aspects, compare_folders

WIDTHS = [24, 29, 15, 15, 9]  # with two spaces between them, 100 columns


def compare(one: Path, other: Path) -> str:
    """Compare two folders of results such as results/quick.

    Parameters
    ----------
    one, other : Path
        The folders A and B.

    Returns
    -------
    str
        Numbers that differ (mean, standard deviation, finished seeds, verdict), then settings and origin that differ
        between trials of the same name.

    Raises
    ------
    ConfigError
        If a folder has no tables and sweeps, holds several scales, or has a table that cannot be read.
    """
    found = compare_folders(one, other)
    parts = [f"A {one}", f"B {other}"]
    if found.scales:
        parts.append("DIFFERENT SCALES: A is {}, B is {}".format(*found.scales))
    for (experiment, variant), cells in found.changed.groupby(KEYS[:2], sort=False):
        parts += ["", f"{experiment}/{variant}", _format_cells(cells)]
    parts += ["", f"{found.shared} numbers in both, {len(found.changed)} differ"]
    parts += [wrap(f"only in {side}: {name}") for side, names in found.only.items() for name in names]
    for sentence, names in found.trials.items():
        more = f" and {len(names) - 1} more" if names[1:] else ""
        parts.append(wrap(f"{sentence} ({names[0]}{more})"))
    return "\n".join(parts)


def _format_cells(cells: pd.DataFrame) -> str:
    """Numbers of one variant that differ."""
    lines = list(chain.from_iterable(_format_model(own) for _, own in cells.groupby("model", sort=False)))
    headers = ["model", "number", "A", "B", "B − A"]
    alignment = ["left", "left", "right", "right", "right"]
    return tabulate(lines, headers, disable_numparse=True, colalign=alignment, maxcolwidths=WIDTHS)


def _format_model(cells: pd.DataFrame) -> Iterator[list[str]]:
    """Differences of one model: its finished seeds once, then mean, deviation and verdict of each number."""
    changed, model = changed_aspects(cells), cells["model"].iloc[0]
    for pair in cells.loc[changed["finished"], ["finished_a", "finished_b"]].drop_duplicates().to_numpy():
        yield [model, "finished", *pair, ""]
    for cell, aspects in zip(cells.to_dict("records"), changed.to_dict("records"), strict=True):
        if aspects["mean"]:
            yield [model, cell["metric"], *_format_pair(cell, "mean")]
        if aspects["std"]:
            yield [model, f"{cell['metric']}, std", *_format_pair(cell, "std")]
        if aspects["verdict"]:
            yield [model, f"{cell['metric']}, verdict", cell["verdict_a"] or "—", cell["verdict_b"] or "—", ""]


def _format_pair(cell: dict, key: str) -> list[str]:
    """A number in A and in B, and its change."""
    a, b = cell[f"{key}_a"], cell[f"{key}_b"]
    change = b - a
    return [*("—" if pd.isna(x) else f"{x:.6g}" for x in (a, b)), "" if pd.isna(change) else f"{change:+.3g}"]
