"""The numbers of a table from its trials, each beside the paper's and with a verdict."""

import pandas as pd
from scipy.stats import t

from hippo.lab.plan.experiment import Experiment


def statistics(experiment: Experiment, outcomes: pd.DataFrame) -> pd.DataFrame:
    """One row per variant, model and number, in the table's units (percent for accuracies).

    mean, std, finished, seeds; low and high, the 95 % t-interval of the mean; paper, difference, tolerance, verdict.
    Every number of the outcomes is here; the Markdown table has those that the task names.
    """
    printed = [column.metric for column in experiment.task.columns]
    numbers = outcomes.select_dtypes("number").columns.drop("seed")
    rows = []
    for (variant, row), trials in outcomes.groupby(["variant", "row"], sort=False):
        finished = trials[trials["status"] == "finished"]
        reason = no_verdict(experiment, trials, experiment.is_reduced(variant, row))
        for metric in dict.fromkeys([*printed, *numbers]):
            values = finished.get(metric, pd.Series(dtype=float)).dropna() * experiment.task.column(metric).factor
            low, high = interval(values)
            cell = {"mean": values.mean(), "std": values.std(ddof=1), "finished": len(finished), "seeds": len(trials)}
            about = {"experiment": experiment.name, "scale": experiment.scale, "variant": variant, "model": row}
            cell |= {"low": low, "high": high, **beside_paper(experiment, variant, row, metric, values.mean(), reason)}
            rows.append({**about, "metric": metric, **cell})
    return pd.DataFrame(rows)


def interval(values: pd.Series) -> tuple[float, float]:
    """The 95 % t-interval of the mean of `values`; NaN below two of them."""
    if len(values) < 2:
        return float("nan"), float("nan")
    half = t.ppf(0.975, len(values) - 1) * values.sem()
    return values.mean() - half, values.mean() + half


def beside_paper(experiment: Experiment, variant: str, row: str, metric: str, ours: float, reason: str) -> dict:
    """The paper's value, ours less it, the tolerance in the table's units, and the verdict; None where it prints none.

    The verdict is `reproduced`, `above` or `below`, or `reason`, why there is none.
    """
    theirs = paper_value(experiment, variant, row, metric)
    if theirs is None:
        return dict.fromkeys(("paper", "difference", "tolerance", "verdict"))
    stated = experiment.spec.paper.tolerance.get(metric)
    tolerance = abs(theirs) * float(stated.removesuffix("%")) / 100 if isinstance(stated, str) else stated
    difference = ours - theirs
    if not reason and tolerance is None:
        reason = "no tolerance"
    verdict = reason or ("reproduced" if abs(difference) <= tolerance else "above" if difference > 0 else "below")
    return {"paper": theirs, "difference": difference, "tolerance": tolerance, "verdict": verdict}


def no_verdict(experiment: Experiment, trials: pd.DataFrame, reduced: bool) -> str:
    """Why the numbers of one row can have no verdict, or the empty string where they can."""
    unfinished = trials.loc[trials["status"] != "finished", "status"]
    if len(unfinished):
        return unfinished.mode()[0]
    if trials["stand_in"].any():
        return "stand-in data"
    return "scale too small" if reduced else ""


def paper_value(experiment: Experiment, variant: str, row: str, metric: str) -> float | None:
    """The paper's value for one cell, in the table's units, or None where it prints none."""
    paper = experiment.spec.paper
    return paper.values.get(variant, {}).get(row, {}).get(metric) if paper else None
