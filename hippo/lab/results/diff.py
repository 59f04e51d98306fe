"""Differences between two folders of results: numbers of tables and sweeps, settings and origin of trials."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from hippo.config import ConfigError
from hippo.lab.plan.schema import SCALES
from hippo.lab.plan.sweep_points import format_value
from hippo.lab.plan.yaml_files import read_yaml
from hippo.lab.results.settings import mapping_differences, trial_differences
from hippo.lab.trials.outcome import read_json

KEYS = ["experiment", "variant", "model", "metric"]
ASPECTS = ["mean", "std", "finished", "verdict"]
COLUMNS = [*KEYS, "scale", *ASPECTS]
TYPES = {
    **dict.fromkeys([*KEYS, "scale", "verdict"], str),
    **dict.fromkeys(["finished", "diverged", "seeds"], int),
    "chosen": bool,
}
TIMED = ("seconds", "steps_per_second")  # differ in every run
ORIGIN = {
    "dataset.source": "data",
    "dataset.digest": "digest of the data",
    "versions.hippo-lab": "hippo-lab",
    "versions.torch": "torch",
    "kernels": "kernels",
    "precision": "precision of products",
    "device": "device",
    "commit": "commit",
}


@dataclass(frozen=True)
class Differences:
    """Differences between two folders A and B.

    Parameters
    ----------
    scales : tuple of str
        Scales of A and B, if they differ and both are known; else empty.
    shared : int
        Number of cells that both folders have.
    changed : DataFrame
        Cells that differ: `KEYS`, and each of `ASPECTS` with the suffixes _a and _b.
    only : dict of list
        "A" and "B" → experiment/variant/model of the cells that this folder alone has.
    trials : dict of list
        Sentence about settings or origin → names of the trials that it is true of.
    """

    scales: tuple[str, ...]
    shared: int
    changed: pd.DataFrame
    only: dict[str, list[str]]
    trials: dict[str, list[str]]


def compare_folders(one: Path, other: Path) -> Differences:
    """Compare two folders of results such as results/quick.

    Parameters
    ----------
    one, other : Path
        The folders A and B.

    Raises
    ------
    ConfigError
        If a folder has no tables and sweeps, holds several scales, or has a table that cannot be read.
    """
    left, right = read_cells(one), read_cells(other)
    both = left.merge(right, on=KEYS, how="outer", suffixes=("_a", "_b"), indicator=True)
    shared = both[both["_merge"] == "both"]
    only = {}
    for side, name in (("left_only", "A"), ("right_only", "B")):
        lines = both[both["_merge"] == side][KEYS[:3]].drop_duplicates()
        only[name] = ["/".join(line) for line in lines.astype(str).itertuples(index=False)]
    a, b = _scales(left), _scales(right)
    return Differences(
        scales=(a[0], b[0]) if a and b and a != b else (),
        shared=len(shared),
        changed=shared[changed_aspects(shared).any(axis=1)],
        only=only,
        trials=_compare_trials(one, other),
    )


def changed_aspects(cells: pd.DataFrame) -> pd.DataFrame:
    """Return which of `ASPECTS` differ in each line of `Differences.changed`, as booleans."""
    one, other = (cells[[f"{key}_{side}" for key in ASPECTS]].set_axis(ASPECTS, axis=1) for side in "ab")
    changed = (one != other) & ~(one.isna() & other.isna())
    # The same deviation about another mean rounds to other bits.
    rounding = (1e-12 * one["mean"].abs()).fillna(0)
    changed["std"] &= ~((one["std"] - other["std"]).abs() <= rounding)
    changed.loc[cells["metric"].isin(TIMED), ["mean", "std"]] = False
    return changed


def read_cells(folder: Path) -> pd.DataFrame:
    """Read the numbers of every table and sweep of a results folder.

    Returns
    -------
    DataFrame
        `KEYS`, `scale` (empty if unknown), `mean`, `std`, `finished` ("2 of 3"), `verdict`. A point of a sweep has the
        model "model at value", and as its verdict whether the sweep chooses it.

    Raises
    ------
    ConfigError
        As `compare_folders`.
    """
    if found := [scale for scale in SCALES if _files(folder / scale)]:
        message = f"holds the scales {', '.join(found)}; name one of them, such as {folder / found[0]}"
        raise ConfigError(f"{folder}: {message}")
    files = _files(folder)
    if not files:
        raise ConfigError(f"{folder}: no tables/*.csv or sweeps/*.csv in it; expected a folder such as results/quick")
    cells = pd.concat([_read(path) for path in files])
    if len(scales := _scales(cells)) > 1:
        raise ConfigError(f"{folder}: its tables are of several scales: {', '.join(scales)}")
    return cells


def _files(folder: Path) -> list[Path]:
    """Tables, then sweeps, without the files of single seeds and of pairs of models."""
    found = [path for kind in ("tables", "sweeps") for path in sorted((folder / kind).glob("*.csv"))]
    return [path for path in found if not path.stem.endswith(("_seeds", "_pairs"))]


def _read(path: Path) -> pd.DataFrame:
    """Cells of one table or sweep."""
    try:
        cells = pd.read_csv(path, dtype=TYPES, keep_default_na=False, na_values=[""])
        cells["finished"] = cells["finished"].astype(str) + " of " + cells["seeds"].astype(str)
        cells = _sweep_cells(path.stem, cells) if path.parent.name == "sweeps" else cells
        cells = cells[COLUMNS].fillna({"scale": "", "verdict": ""}).astype({"mean": float, "std": float})
    except (KeyError, ValueError) as error:
        reason = f"written by another version of hippo-lab, or damaged ({error}); make it again"
        raise ConfigError(f"{path}: {reason}") from None
    if cells.empty:
        raise ConfigError(f"{path}: a header without any line; make it again")
    return cells


def _sweep_cells(name: str, curve: pd.DataFrame) -> pd.DataFrame:
    """A sweep as cells of a table; only the first metric has a verdict."""
    models = [f"{model} at {format_value(value)}" for model, value in zip(curve["model"], curve["value"], strict=True)]
    chosen = np.where(curve["chosen"], "chosen", "not chosen")
    axes = {"experiment": name, "variant": curve["variant"], "model": models, "scale": curve.get("scale")}
    axes["finished"] = curve["finished"] + np.where(curve["diverged"] > 0, ", others diverged", "")
    parts: list[pd.DataFrame] = []
    for metric in [column for column in curve if f"{column}_std" in curve]:
        numbers = {"metric": metric, "mean": curve[metric], "std": curve[f"{metric}_std"]}
        parts.append(pd.DataFrame({**axes, **numbers, "verdict": "" if parts else chosen}))
    return pd.concat(parts)


def _scales(cells: pd.DataFrame) -> list[str]:
    """Scales that the cells state."""
    return [scale for scale in cells["scale"].unique() if scale]


def _compare_trials(one: Path, other: Path) -> dict[str, list[str]]:
    """Sentences about trials of the same name, each with the names of those trials."""
    found: dict[str, list[str]] = {}
    for path in sorted((one / "trials").rglob("trial.yaml")):
        name = path.parent.relative_to(one / "trials").as_posix()
        pair = {"A": path.parent, "B": other / "trials" / name}
        if (pair["B"] / "trial.yaml").exists():
            for sentence in (*_compare_settings(pair), *_compare_origin(pair)):
                found.setdefault(sentence, []).append(name)
    return found


def _compare_settings(pair: dict[str, Path]) -> Iterator[str]:
    """Settings that differ between two trials."""
    made = []
    for side, folder in pair.items():
        try:
            made.append(read_yaml(folder / "trial.yaml"))
        except ConfigError:
            yield f"DAMAGED in {side}: trial.yaml; settings are not compared"
    if len(made) == 2:
        yield from _sentences(trial_differences(*made))


def _compare_origin(pair: dict[str, Path]) -> Iterator[str]:
    """Data, versions and machine that differ between two outcomes; nothing if an outcome is missing."""
    files = {side: folder / "metrics.json" for side, folder in pair.items()}
    metrics = [read_json(path) for path in files.values()]
    if all(metrics):
        changed = mapping_differences(*metrics)
        if "dataset.source" in changed:
            changed.pop("dataset.digest", None)
        yield from _sentences({ORIGIN[key]: changed[key] for key in ORIGIN if key in changed})
        return
    for side, path in files.items():
        if path.exists() and not read_json(path):
            yield f"DAMAGED in {side}: metrics.json; data and versions are not compared"


def _sentences(changed: dict[str, tuple]) -> list[str]:
    """One sentence per difference."""
    return [f"{key}: {a} in A, {b} in B" for key, (a, b) in changed.items()]
