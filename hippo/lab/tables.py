"""A table from its trials: ours beside the paper's, in Markdown and CSV."""

import json
from pathlib import Path
from textwrap import fill, shorten

import pandas as pd
from tabulate import tabulate

from hippo.files import write_text
from hippo.lab.experiment import Experiment, Trial
from hippo.lab.tasks import Column

MISSING = {"status": "missing"}


def write_table(experiment: Experiment, trials: Path, out: Path) -> None:
    """Write `out`.md and `out`.csv from the trial folders under `trials`."""
    outcomes = collect(experiment, trials)
    write_text(out.with_suffix(".csv"), statistics(experiment, outcomes).to_csv(index=False))
    write_text(out.with_suffix(".md"), markdown(experiment, outcomes))


def collect(experiment: Experiment, trials: Path) -> pd.DataFrame:
    """One row per trial of the table: its axes, status and numbers.

    A trial without metrics.json is `failed` or `killed`, with its reason, where it left word, else `missing`.
    """
    return pd.DataFrame([_outcome(trial, trials / trial.name) for trial in experiment.trials()])


def _outcome(trial: Trial, folder: Path) -> dict:
    axes = {"variant": trial.variant, "row": trial.row, "seed": trial.seed}
    try:
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        if metrics["trial"] != trial.digest:  # made with other settings: its number is not this table's
            return {**axes, "status": "outdated"}
        dataset = metrics.pop("dataset")
        return {**axes, **metrics, "source": dataset["source"], "stand_in": dataset["stand_in"]}
    except FileNotFoundError:
        return {**axes, **_failure(trial, folder)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {**axes, "status": "damaged"}


def _failure(trial: Trial, folder: Path) -> dict:
    try:
        failure = json.loads((folder / "failure.json").read_text(encoding="utf-8"))
        return {key: failure[key] for key in ("status", "reason")} if failure["trial"] == trial.digest else MISSING
    except (OSError, ValueError, KeyError, TypeError):
        return MISSING


def statistics(experiment: Experiment, outcomes: pd.DataFrame) -> pd.DataFrame:
    """One row per variant, model and number: mean, standard deviation, seeds, the paper's value, the difference.

    In the table's units (percent for accuracies). The CSV has every number of the outcome, the Markdown
    table those that the task names.
    """
    printed = {column.metric: column for column in experiment.task.columns}
    numbers = outcomes.select_dtypes("number").columns.drop("seed")
    others = [c for c in numbers if c not in printed]
    rows = []
    for (variant, row), trials in outcomes.groupby(["variant", "row"], sort=False):
        finished = trials[trials["status"] == "finished"]
        for metric in (*printed, *others):
            column = printed.get(metric, Column(metric, metric, 100 if metric.endswith("accuracy") else 1))
            values = finished.get(metric, pd.Series(dtype=float)) * column.factor
            ours, theirs = values.mean(), paper_value(experiment, variant, row, metric)
            rows.append(
                {
                    "experiment": experiment.name,
                    "scale": experiment.scale,
                    "variant": variant,
                    "model": row,
                    "metric": metric,
                    "mean": ours,
                    "std": values.std(ddof=1),
                    "finished": len(finished),
                    "seeds": len(trials),
                    "paper": theirs,
                    "difference": None if theirs is None else ours - theirs,
                }
            )
    return pd.DataFrame(rows)


def paper_value(experiment: Experiment, variant: str, row: str, metric: str) -> float | None:
    """The paper's value for one cell, in the table's units, or None where it prints none."""
    paper = experiment.plan.paper
    return paper.values.get(variant, {}).get(row, {}).get(metric) if paper else None


def markdown(experiment: Experiment, outcomes: pd.DataFrame) -> str:
    """The table as a Markdown page: a section per variant, a line per model."""
    plan = experiment.plan
    page = [f"# {plan.title} · {experiment.scale} scale · {_data(outcomes)}", ""]
    for variant, about in plan.variants.items():
        page += [f"## {about.label}", "", _section(experiment, variant, outcomes), ""]
    page += _notes(experiment, outcomes)
    return "\n".join(page)


def _section(experiment: Experiment, variant: str, outcomes: pd.DataFrame) -> str:
    columns = [(column, False) for column in experiment.task.columns]
    columns += [(column, True) for column in experiment.task.columns if _in_paper(experiment, variant, column)]
    columns.sort(key=lambda pair: experiment.task.columns.index(pair[0]))  # the paper's beside ours
    headers = ["model", *("paper" if paper else column.label for column, paper in columns), "seeds"]
    lines = []
    for row, about in experiment.plan.models.items():
        trials = outcomes[(outcomes["variant"] == variant) & (outcomes["row"] == row)]
        finished = trials[trials["status"] == "finished"]
        cells = [
            _theirs(experiment, variant, row, column) if paper else _mean(finished, column) for column, paper in columns
        ]
        lines.append([about.label, *cells, _seeds(trials)])
    alignment = ["left", *["right"] * len(columns), "left"]
    return tabulate(lines, headers, tablefmt="github", disable_numparse=True, colalign=alignment)


def _in_paper(experiment: Experiment, variant: str, column: Column) -> bool:
    rows = experiment.plan.models
    return any(paper_value(experiment, variant, row, column.metric) is not None for row in rows)


def _theirs(experiment: Experiment, variant: str, row: str, column: Column) -> str:
    value = paper_value(experiment, variant, row, column.metric)
    return "" if value is None else f"{value:,}"  # with the digits that the paper prints


def _mean(finished: pd.DataFrame, column: Column) -> str:
    if finished.empty:
        return "—"
    values = finished[column.metric] * column.factor
    spread = f" ± {values.std(ddof=1):{column.form}}" if len(values) > 1 else ""
    return f"{values.mean():{column.form}}{spread}"


def _seeds(trials: pd.DataFrame) -> str:
    counts = trials["status"].value_counts()
    reasons = [f"{n} {status}" for status, n in counts.items() if status != "finished"]
    finished = int(counts.get("finished", 0))
    return f"{finished} of {len(trials)} ({', '.join(reasons)})" if reasons else str(finished)


def _data(outcomes: pd.DataFrame) -> str:
    if "source" not in outcomes:
        return "no finished trial"
    sources = sorted(outcomes["source"].dropna().unique())
    label = "SYNTHETIC STAND-IN DATA, not the real recordings" if outcomes["stand_in"].eq(True).any() else "data"
    return f"{label}: {'; '.join(sources)}"


def _notes(experiment: Experiment, outcomes: pd.DataFrame) -> list[str]:
    plan = experiment.plan
    notes = ["Mean ± standard deviation over seeds."]
    if plan.paper:
        notes.append(f"Paper: {plan.paper.source}. {plan.paper.note}".strip())
    if experiment.task.trained:
        t = plan.training
        notes.append(
            f"Epochs: {t.epochs}, batch {t.batch_size}, Adam at {t.learning_rate:g} unless a model says other."
        )
    if plan.scales.get(experiment.scale):
        notes.append(f"The {experiment.scale} scale is smaller than the paper's: compare the order, not the values.")
    for _, trial in outcomes.dropna(subset="reason").iterrows() if "reason" in outcomes else ():
        reason = shorten(trial["reason"], 300)
        notes.append(f"{trial['variant']}, {trial['row']}, seed {trial['seed']}: {trial['status']}: {reason}")
    commits = sorted(outcomes["commit"].dropna().unique()) if "commit" in outcomes else []
    notes.append(f"Commit {', '.join(commits) or 'unknown'}.")
    return [fill(note, 100, initial_indent="- ", subsequent_indent="  ") for note in notes] + [""]
