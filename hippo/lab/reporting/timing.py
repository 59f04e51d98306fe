"""How long the jobs of a run took, from Snakemake's benchmark files."""

from pathlib import Path

import pandas as pd


def time_table(folders: tuple[Path, ...], since: float = 0) -> str:
    """`by_rule` as a table for the terminal."""
    table = by_rule(folders, since)
    if table.empty:
        return f"no benchmark files in {', '.join(map(str, folders))}"
    return table.fillna("").to_string(index=False)


def by_rule(folders: tuple[Path, ...], since: float = 0) -> pd.DataFrame:
    """Jobs, wall-clock seconds and peak memory (MB) per rule and experiment, and the sum of all; empty without any.

    Of the jobs that ended after `since`, seconds since 1970.
    """
    frames = []
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*.tsv") if p.stat().st_mtime >= since):
            rule, *rest = path.relative_to(folder).with_suffix("").parts
            frames.append(pd.read_csv(path, sep="\t").assign(rule=rule, what=rest[0] if rest else ""))
    if not frames:
        return pd.DataFrame()
    measured = pd.concat(frames)
    measured["max_rss"] = pd.to_numeric(measured["max_rss"], errors="coerce")  # "-" for a job of an instant
    groups = measured.groupby(["rule", "what"], sort=False)
    table = groups.agg(jobs=("s", "size"), total_s=("s", "sum"), longest_s=("s", "max"), peak_mb=("max_rss", "max"))
    table = table.round(1).reset_index()
    total = {"rule": "all", "what": "", "jobs": len(measured), "total_s": round(measured["s"].sum(), 1)}
    return pd.concat([table, pd.DataFrame([total])])
