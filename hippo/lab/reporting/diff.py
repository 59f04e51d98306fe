"""What differs between two folders of results, number by number, and what stands behind the difference."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from textwrap import fill

import numpy as np
import pandas as pd
from tabulate import tabulate

from hippo.config import ConfigError
from hippo.lab.plan.schema import SCALES
from hippo.lab.plan.yaml_files import read_yaml
from hippo.lab.results.outcomes import setting_differences
from hippo.lab.plan.sweep_points import format_value
from hippo.lab.trials.failures import read_json

KEYS = ["experiment", "variant", "model", "metric"]
COLUMNS = [*KEYS, "scale", "mean", "std", "finished", "verdict"]
TYPES = {
    **dict.fromkeys([*KEYS, "scale", "verdict"], str),
    **dict.fromkeys(["finished", "diverged", "seeds"], int),
    "chosen": bool,
}
ASPECTS = COLUMNS[5:]
TIMED = ("seconds", "steps_per_second")  # never twice the same
ORIGIN = {
    "dataset.source": "data",
    "dataset.digest": "digest of the data",
    "versions.hippo-lab": "hippo-lab",
    "versions.torch": "torch",
    "kernels": "kernels",
    "device": "device",
    "commit": "commit",
}
WIDTHS = [24, 29, 15, 15, 9]  # with two blanks between them, 100 columns


def compare(one: Path, other: Path) -> str:
    """What differs between the tables and sweeps of two folders such as results/quick, and behind their trials.

    Compared are mean, standard deviation, finished seeds and verdict of each number, then settings and origin of each
    trial. ConfigError for a folder without tables and sweeps, with several scales in it, or with a damaged table.
    """
    left, right = read_cells(one), read_cells(other)
    both = left.merge(right, on=KEYS, how="outer", suffixes=("_a", "_b"), indicator=True)
    shared = both[both["_merge"] == "both"]
    changed = shared[_changed(shared).any(axis=1)]
    words = [f"A {one}", f"B {other}", *_warnings(left, right)]
    words += chain.from_iterable(_section(name, rows) for name, rows in changed.groupby(KEYS[:2], sort=False))
    words += ["", f"{len(shared)} numbers in both, {len(changed)} differ"]
    for side, name in (("left_only", "A"), ("right_only", "B")):
        rows = both[both["_merge"] == side][KEYS[:3]].drop_duplicates()
        words += [_note(f"only in {name}: {'/'.join(row)}") for row in rows.astype(str).itertuples(index=False)]
    return "\n".join([*words, *_behind(one, other)])


def read_cells(folder: Path) -> pd.DataFrame:
    """The numbers of every table and sweep of a results folder: KEYS, scale, mean, std, finished of seeds, verdict.

    A sweep's row is called "model at value", its verdict whether validation chooses it; scale is empty where unknown.
    """
    if found := [scale for scale in SCALES if _files(folder / scale)]:
        words = f"holds the scales {', '.join(found)}; name one of them, such as {folder / found[0]}"
        raise ConfigError(f"{folder}: {words}")
    files = _files(folder)
    if not files:
        raise ConfigError(f"{folder}: no tables/*.csv or sweeps/*.csv in it; expected a folder such as results/quick")
    cells = pd.concat([_read(path) for path in files])
    if len(scales := _scales(cells)) > 1:
        raise ConfigError(f"{folder}: its tables are of several scales, {', '.join(scales)}")
    return cells


def _files(folder: Path) -> list[Path]:
    """Tables, then sweeps; beside either may stand files of every seed and every pair of rows."""
    found = [path for kind in ("tables", "sweeps") for path in sorted((folder / kind).glob("*.csv"))]
    return [path for path in found if not path.stem.endswith(("_seeds", "_pairs"))]


def _read(path: Path) -> pd.DataFrame:
    try:
        cells = pd.read_csv(path, dtype=TYPES)
        cells["finished"] = cells["finished"].astype(str) + " of " + cells["seeds"].astype(str)
        cells = _sweep(path.stem, cells) if path.parent.name == "sweeps" else cells
        cells = cells[COLUMNS].fillna({"scale": "", "verdict": ""}).astype({"mean": float, "std": float})
    except (KeyError, ValueError) as error:
        reason = f"written by another version of hippo-lab, or damaged ({error}); make it again"
        raise ConfigError(f"{path}: {reason}") from None
    if cells.empty:
        raise ConfigError(f"{path}: a header without any row; make it again")
    return cells


def _sweep(name: str, curve: pd.DataFrame) -> pd.DataFrame:
    """A sweep as cells of a table; only the first metric, by which it chooses, has a verdict."""
    rows = [f"{model} at {format_value(value)}" for model, value in zip(curve["model"], curve["value"], strict=True)]
    chosen = np.where(curve["chosen"], "chosen", "not chosen")
    about = {"experiment": name, "variant": curve["variant"], "model": rows, "scale": curve.get("scale")}
    about["finished"] = curve["finished"] + np.where(curve["diverged"] > 0, ", others diverged", "")
    parts = []
    for metric in [column for column in curve if f"{column}_std" in curve]:
        numbers = {"metric": metric, "mean": curve[metric], "std": curve[f"{metric}_std"]}
        parts.append(pd.DataFrame({**about, **numbers, "verdict": "" if parts else chosen}))
    return pd.concat(parts)


def _scales(cells: pd.DataFrame) -> list[str]:
    return [scale for scale in cells["scale"].unique() if scale]


def _warnings(left: pd.DataFrame, right: pd.DataFrame) -> list[str]:
    a, b = _scales(left), _scales(right)
    return [f"ANOTHER SCALE: A is {a[0]}, B is {b[0]}"] if a and b and a != b else []


def _changed(rows: pd.DataFrame) -> pd.DataFrame:
    """Which of mean, std, finished and verdict differ in each row."""
    one, other = (rows[[f"{key}_{side}" for key in ASPECTS]].set_axis(ASPECTS, axis=1) for side in "ab")
    changed = (one != other) & ~(one.isna() & other.isna())
    rounding = 1e-12 * one["mean"].abs()  # the same deviation about another mean rounds to other bits
    changed["std"] = ~np.isclose(one["std"], other["std"], rtol=0, atol=rounding, equal_nan=True)
    changed.loc[rows["metric"].isin(TIMED), ["mean", "std"]] = False
    return changed


def _section(name: tuple[str, str], rows: pd.DataFrame) -> list[str]:
    """A variant's numbers that differ, under its name."""
    lines = list(chain.from_iterable(_lines(cells) for _, cells in rows.groupby("model", sort=False)))
    headers = ["model", "what", "A", "B", "B − A"]
    alignment = ["left", "left", "right", "right", "right"]
    table = tabulate(lines, headers, disable_numparse=True, colalign=alignment, maxcolwidths=WIDTHS)
    return ["", "/".join(name), table]


def _lines(cells: pd.DataFrame) -> Iterator[list[str]]:
    """What differs of one row of a table: its finished seeds once, then each number's mean, deviation and verdict."""
    changed, model = _changed(cells), cells["model"].iloc[0]
    for pair in cells.loc[changed["finished"], ["finished_a", "finished_b"]].drop_duplicates().to_numpy():
        yield [model, "finished", *pair, ""]
    for cell, aspects in zip(cells.to_dict("records"), changed.to_dict("records"), strict=True):
        if aspects["mean"]:
            yield [model, cell["metric"], *_numbers(cell, "mean")]
        if aspects["std"]:
            yield [model, f"{cell['metric']}, std", *_numbers(cell, "std")]
        if aspects["verdict"]:
            yield [model, f"{cell['metric']}, verdict", cell["verdict_a"] or "—", cell["verdict_b"] or "—", ""]


def _numbers(cell: dict, key: str) -> list[str]:
    a, b = cell[f"{key}_a"], cell[f"{key}_b"]
    change = b - a
    return [*("—" if pd.isna(x) else f"{x:.6g}" for x in (a, b)), "" if pd.isna(change) else f"{change:+.3g}"]


def _behind(one: Path, other: Path) -> list[str]:
    """Settings and origin that differ between trials of the same name, each once for all trials that share it."""
    found: dict[str, list[str]] = {}
    for path in sorted((one / "trials").rglob("trial.yaml")):
        name = path.parent.relative_to(one / "trials").as_posix()
        pair = (path.parent, other / "trials" / name)
        if (pair[1] / "trial.yaml").exists():
            for words in (*_settings(*pair), *_origin(*pair)):
                found.setdefault(words, []).append(name)
    return [
        _note(f"{words} ({names[0]}{f' and {len(names) - 1} more' if names[1:] else ''})")
        for words, names in found.items()
    ]


def _note(words: str) -> str:
    return fill(words, 100, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _settings(one: Path, other: Path) -> list[str]:
    made, damaged = [], []
    for side, folder in (("A", one), ("B", other)):
        try:
            made.append(read_yaml(folder / "trial.yaml"))
        except ConfigError:
            damaged.append(f"DAMAGED in {side}: trial.yaml; settings are not compared")
    return damaged or _said(setting_differences(*made))


def _origin(one: Path, other: Path) -> list[str]:
    """What the trials' outcomes say of data, versions and machine; nothing where one has no outcome."""
    sides = {"A": one / "metrics.json", "B": other / "metrics.json"}
    metrics = [read_json(path) for path in sides.values()]
    if not all(metrics):
        damaged = [side for side, path in sides.items() if path.exists() and not read_json(path)]
        return [f"DAMAGED in {side}: metrics.json; data and versions are not compared" for side in damaged]
    changed = setting_differences(*metrics)
    if "dataset.source" in changed:
        changed.pop("dataset.digest", None)
    return _said({ORIGIN[key]: changed[key] for key in ORIGIN if key in changed})


def _said(changed: dict[str, tuple]) -> list[str]:
    return [f"{key}: {a} in A, {b} in B" for key, (a, b) in changed.items()]
