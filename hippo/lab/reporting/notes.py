"""What a reader should know about the trials behind a table or a sweep, one sentence or two each."""

from collections.abc import Iterator
from importlib.metadata import version
from textwrap import fill, shorten

import pandas as pd

WIDTH = 100

# Facts that all trials of a page should share, and how to say where they do not.
SHARED = {
    "version": "versions of hippo-lab",
    "kernels": "kernels",
    "device": "devices",
    "digest": "prepared datasets of one variant",
}


def bullet(note: str) -> str:
    """A note as one item of a Markdown list, no wider than a terminal."""
    return fill(note, WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)


def data(outcomes: pd.DataFrame) -> str:
    """What the numbers were made from, loudly where it is a stand-in."""
    if "source" not in outcomes:
        return "no finished trial"
    sources = sorted(outcomes["source"].dropna().unique())
    label = "SYNTHETIC STAND-IN DATA, not the real recordings" if outcomes["stand_in"].eq(True).any() else "data"
    return f"{label}: {'; '.join(sources)}"


def about_trials(outcomes: pd.DataFrame) -> Iterator[str]:
    """How many trials did not finish, and why."""
    unfinished = outcomes[outcomes["status"] != "finished"]
    if len(unfinished) == len(outcomes) and unfinished["status"].eq("missing").all():
        yield f"None of the {len(outcomes)} trials has been run."
        return
    counts: dict[str, list[str]] = {}
    for (variant, row), trials in unfinished.groupby(["variant", "row"], sort=False):
        seeds = len(outcomes[(outcomes["variant"] == variant) & (outcomes["row"] == row)])
        reasons = ", ".join(f"{n} {status}" for status, n in trials["status"].value_counts().items())
        counts.setdefault(f"{seeds - len(trials)} of {seeds} ({reasons})", []).append(f"{variant}/{row}")
    for count, rows in counts.items():
        yield f"{count}: {', '.join(rows)}."
    if "reason" in outcomes:
        for (status, reason), trials in outcomes.groupby(["status", "reason"], sort=False):
            first, more = trials.iloc[0], f" and {len(trials) - 1} more" if len(trials) > 1 else ""
            name = f"{first['variant']}, {first['row']}, seed {first['seed']}{more}"
            yield f"{name}: {status}: {shorten(reason, 300)}"


def about_versions(outcomes: pd.DataFrame) -> Iterator[str]:
    """What the trials were made with, loudly where that is mixed or not what is installed."""
    for key, word in SHARED.items():
        groups = [trials for _, trials in outcomes.groupby("variant")] if key == "digest" else [outcomes]
        found = [sorted(trials[key].dropna().unique()) for trials in groups if key in trials]
        if mixed := [values for values in found if len(values) > 1]:
            yield f"MIXED: trials of several {word}: {', '.join(str(value)[:12] for value in mixed[0])}."
    made = sorted(outcomes["version"].dropna().unique()) if "version" in outcomes else []
    if made and made != [version("hippo-lab")]:
        yield f"Made by hippo-lab {', '.join(made)}; this is {version('hippo-lab')}."


def about_commits(outcomes: pd.DataFrame) -> str:
    """The commits of the source tree that the trials were made at."""
    commits = set(outcomes["commit"].dropna()) if "commit" in outcomes else set()
    for earlier in outcomes["earlier_commits"].dropna() if "earlier_commits" in outcomes else ():
        commits |= set(earlier)
    short = [commit if len(commit) < 40 else commit[:12] + commit[40:] for commit in sorted(commits)]  # with its -dirty
    return f"Commit {', '.join(short) or 'unknown'}."
