"""Statistics of the numbers of a table, each beside the paper's value and with a verdict."""

import math

import pandas as pd
from scipy.special import stdtrit

from hippo.lab.plan.experiment import Experiment
from hippo.lab.trials.status import Status

VERDICTS = ("reproduced", "above", "below")


def collect_cells(experiment: Experiment, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Compute the statistics of every number, over the seeds of each variant and model.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    outcomes : DataFrame
        Outcomes of its trials (`collect_outcomes`).

    Returns
    -------
    DataFrame
        One line per variant, model and metric, in the units of the table (percent for accuracies). Columns:
        `experiment`, `scale`, `variant`, `model`, `metric`; `mean`, `std` (sample standard deviation) and `finished` of
        `seeds`; `low` and `high`, the 95 % t-interval of the mean; `paper`, `difference` (ours − paper), `tolerance`
        and `verdict`. Metrics that the table does not print are included.
    """
    printed = [column.metric for column in experiment.task.columns]
    numbers = outcomes.select_dtypes("number").columns.drop("seed")
    lines = []
    for (variant, model), trials in outcomes.groupby(["variant", "model"], sort=False):
        finished = trials[trials["status"] == Status.FINISHED]
        reason = no_verdict(trials, experiment.is_reduced(variant, model))
        for metric in dict.fromkeys([*printed, *numbers]):
            values = finished.get(metric, pd.Series(dtype=float)).dropna() * experiment.task.column(metric).factor
            low, high = interval(values)
            cell = {"mean": values.mean(), "std": values.std(ddof=1), "finished": len(finished), "seeds": len(trials)}
            axes = {"experiment": experiment.name, "scale": experiment.scale, "variant": variant, "model": model}
            cell |= {
                "low": low,
                "high": high,
                **beside_paper(experiment, variant, model, metric, values.mean(), reason),
            }
            lines.append({**axes, "metric": metric, **cell})
    return pd.DataFrame(lines)


def interval(values: pd.Series) -> tuple[float, float]:
    """Return the 95 % t-interval of the mean; NaN for fewer than two values."""
    if len(values) < 2:
        return math.nan, math.nan
    half = stdtrit(len(values) - 1, 0.975) * values.sem()  # scipy.stats.t.ppf, without importing scipy.stats
    return values.mean() - half, values.mean() + half


def beside_paper(experiment: Experiment, variant: str, model: str, metric: str, ours: float, reason: str) -> dict:
    """Compare one number with the paper's.

    Parameters
    ----------
    experiment, variant, model, metric
        The cell.
    ours : float
        Our mean, in the units of the table.
    reason : str
        Why there is no verdict; empty if there is one.

    Returns
    -------
    dict
        `paper`, `difference`, `tolerance` and `verdict`: reproduced, above or below, or the reason why there is none.
        A value that is not the paper's is not reproduced: a number `agrees` with it. All are None without a value.
    """
    paper, theirs = experiment.spec.paper, paper_value(experiment, variant, model, metric)
    if paper is None or theirs is None:
        return dict.fromkeys(("paper", "difference", "tolerance", "verdict"))
    stated = paper.tolerance.get(metric)
    tolerance = abs(theirs) * float(stated.removesuffix("%")) / 100 if isinstance(stated, str) else stated
    difference = ours - theirs
    if reason or tolerance is None:
        verdict = reason or "no tolerance"
    elif abs(difference) <= tolerance:
        verdict = "reproduced" if paper.heading == "paper" else "agrees"
    else:
        verdict = "above" if difference > 0 else "below"
    return {"paper": theirs, "difference": difference, "tolerance": tolerance, "verdict": verdict}


def no_verdict(trials: pd.DataFrame, reduced: bool) -> str:
    """Return why the numbers of one model and variant have no verdict; empty if they have one.

    Parameters
    ----------
    trials : DataFrame
        Outcomes of all seeds.
    reduced : bool
        Whether the scale changes a setting that the numbers depend on.
    """
    unfinished = trials.loc[trials["status"] != Status.FINISHED, "status"]
    finished = len(trials) - len(unfinished)
    if finished and unfinished.eq(Status.MISSING).all() and len(unfinished):
        return f"{finished} of {len(trials)} seeds"
    if len(unfinished):
        return unfinished.mode()[0]
    if trials["substitute"].any():
        return "synthetic substitute data"
    return "scale too small" if reduced else ""


def paper_value(experiment: Experiment, variant: str, model: str, metric: str) -> float | None:
    """Return the paper's value of one cell in the units of the table; None if it prints none."""
    paper = experiment.spec.paper
    return paper.values.get(variant, {}).get(model, {}).get(metric) if paper else None
