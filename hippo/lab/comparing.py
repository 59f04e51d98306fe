"""What differs between two folders of results, number by number."""

from pathlib import Path

import pandas as pd
import yaml
from tabulate import tabulate

from hippo.config import ConfigError
from hippo.lab.experiment import SCALES
from hippo.lab.outcomes import differences

KEYS = ["experiment", "variant", "model", "metric"]
TIMED = ("seconds", "steps_per_second")  # never twice the same


def compare(one: Path, other: Path) -> str:
    """Means that differ between the tables of two folders such as results/quick, and the settings behind them.

    ConfigError for a folder without tables, or with several scales in it.
    """
    left, right = read_cells(one), read_cells(other)
    both = left.merge(right, on=KEYS, how="outer", suffixes=("_a", "_b"), indicator=True)
    shared = both[both["_merge"] == "both"]
    numbers = shared[~shared["metric"].isin(TIMED)]
    same = (numbers["mean_a"] == numbers["mean_b"]) | (numbers["mean_a"].isna() & numbers["mean_b"].isna())
    words = [f"A {one}", f"B {other}", *_warnings(left, right), ""]
    words += [_lines(numbers[~same])] if len(numbers[~same]) else []
    words += ["", f"{len(numbers)} numbers in both, {len(numbers[~same])} differ"]
    for side, name in (("left_only", "A"), ("right_only", "B")):
        rows = both[both["_merge"] == side][KEYS[:3]].drop_duplicates()
        words += [f"only in {name}: {'/'.join(row)}" for row in rows.astype(str).itertuples(index=False)]
    return "\n".join([*words, *_settings(one, other)])


def read_cells(folder: Path) -> pd.DataFrame:
    """The numbers of every table of a results folder."""
    if any((folder / scale / "tables").is_dir() for scale in SCALES):
        found = [scale for scale in SCALES if (folder / scale / "tables").is_dir()]
        raise ConfigError(
            f"{folder}: holds the scales {', '.join(found)}; name one of them, such as {folder / found[0]}"
        )
    frames = []
    for path in sorted((folder / "tables").glob("*.csv")):
        if not path.stem.endswith(("_seeds", "_pairs")):
            try:
                frames.append(pd.read_csv(path)[[*KEYS, "scale", "mean", "std", "finished", "seeds"]])
            except (KeyError, ValueError) as error:
                raise ConfigError(f"{path}: written by another version of hippo-lab ({error}); make it again") from None
    if not frames:
        raise ConfigError(f"{folder}: no tables/*.csv in it; expected a folder such as results/quick")
    cells = pd.concat(frames)
    if cells["scale"].nunique() > 1:
        raise ConfigError(f"{folder}: its tables are of several scales, {', '.join(cells['scale'].unique())}")
    return cells


def _warnings(left: pd.DataFrame, right: pd.DataFrame) -> list[str]:
    scales = left["scale"].iloc[0], right["scale"].iloc[0]
    return [f"ANOTHER SCALE: A is {scales[0]}, B is {scales[1]}"] if scales[0] != scales[1] else []


def _lines(rows: pd.DataFrame) -> str:
    lines = []
    for row in rows.to_dict("records"):
        name = "/".join(str(row[key]) for key in KEYS[:3])
        means = [f"{row[key]:.6g}" if pd.notna(row[key]) else "—" for key in ("mean_a", "mean_b")]
        seeds = [f"{row[f'finished_{s}']:g}/{row[f'seeds_{s}']:g}" for s in "ab"]
        change = row["mean_b"] - row["mean_a"]
        lines.append([name, row["metric"], *means, f"{change:+.3g}" if pd.notna(change) else "", " ".join(seeds)])
    return tabulate(lines, ["number", "metric", "A", "B", "B − A", "n"], disable_numparse=True)


def _settings(one: Path, other: Path) -> list[str]:
    """Settings that differ between trials of the same name, said once for all trials that share the difference."""
    found: dict[str, list[str]] = {}
    for path in sorted((one / "trials").rglob("trial.yaml")):
        twin = other / path.relative_to(one)
        if twin.exists():
            made = (yaml.safe_load(p.read_text(encoding="utf-8")) for p in (path, twin))
            for key, (a, b) in differences(*made).items():
                name = path.parent.relative_to(one / "trials").as_posix()
                found.setdefault(f"{key}: {a} in A, {b} in B", []).append(name)
    return [
        f"{words} ({names[0]}{f' and {len(names) - 1} more' if names[1:] else ''})" for words, names in found.items()
    ]
