"""Run time and memory of the jobs of a workflow, from Snakemake's benchmark files."""

from pathlib import Path

import pandas as pd


def format_times(folders: tuple[Path, ...], since: float = 0) -> str:
    """Return `collect_times` as a table for the terminal."""
    table = collect_times(folders, since)
    if table.empty:
        return f"no benchmark files in {', '.join(map(str, folders))}"
    return table.fillna("").to_string(index=False)


def collect_times(folders: tuple[Path, ...], since: float = 0) -> pd.DataFrame:
    """Sum up the jobs of every rule and experiment.

    Parameters
    ----------
    folders : tuple of Path
        Folders of benchmark files.
    since : float
        Only jobs that ended after this time, in seconds since 1970.

    Returns
    -------
    DataFrame
        Columns `rule`, `what` (the experiment), `jobs`, `total_s` and `longest_s` (wall-clock seconds), `peak_mb`
        (largest resident memory, MB). The last line is the sum over all rules. Empty if there is no benchmark file.
    """
    frames = []
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*.tsv") if p.stat().st_mtime >= since):
            rule, *rest = path.relative_to(folder).with_suffix("").parts
            frames.append(pd.read_csv(path, sep="\t").assign(rule=rule, what=rest[0] if rest else ""))
    if not frames:
        return pd.DataFrame()
    measured = pd.concat(frames)
    measured["max_rss"] = pd.to_numeric(measured["max_rss"], errors="coerce")  # "-" for a job of less than a second
    groups = measured.groupby(["rule", "what"], sort=False)
    table = groups.agg(jobs=("s", "size"), total_s=("s", "sum"), longest_s=("s", "max"), peak_mb=("max_rss", "max"))
    table = table.round(1).reset_index()
    total = {"rule": "all", "what": "", "jobs": len(measured), "total_s": round(measured["s"].sum(), 1)}
    return pd.concat([table, pd.DataFrame([total])])
