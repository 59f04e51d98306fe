"""Which rows of a table differ: ranks over variants and seeds, Wilcoxon's test with Holm's correction.

After Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 7 (2006).
"""

from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import friedmanchisquare, studentized_range, wilcoxon

from hippo.lab.plan.experiment import Experiment

EXACT = 9  # decimals of a difference that are kept: equal differences must tie, and floats of percentages do not


def scores(experiment: Experiment, outcomes: pd.DataFrame) -> pd.DataFrame:
    """A line per variant and seed, a column per model: the task's score in the table's units.

    Models with a number on less than half of the lines are left out, then lines on which not every model has one.
    """
    task = experiment.task
    finished = outcomes[outcomes["status"] == "finished"]
    if task.score not in finished:
        return pd.DataFrame()
    table = finished.pivot(index=["variant", "seed"], columns="row", values=task.score)
    table *= task.column(task.score).factor
    table = table.reindex(columns=[row for row in experiment.spec.models if row in table])
    lines = len(experiment.spec.variants) * experiment.spec.seeds
    return table.loc[:, table.notna().sum() * 2 >= lines].dropna()


def mean_ranks(table: pd.DataFrame, higher_is_better: bool) -> pd.Series:
    """Mean rank of each column of `scores`, the best first; ties share their ranks."""
    return table.rank(axis=1, ascending=not higher_is_better).mean().sort_values(kind="stable")


def pairwise(table: pd.DataFrame) -> pd.DataFrame:
    """Wilcoxon's signed-rank test of every two columns: model, other, pairs, median_difference, p, p_holm.

    p is NaN below six pairs, where even a row that always wins is not significant at 5 %.
    """
    rows = []
    for one, other in combinations(table.columns, 2):
        difference = (table[one] - table[other]).round(EXACT)
        enough = least_p(len(difference)) <= 0.05
        p = float(wilcoxon(difference, zero_method="zsplit").pvalue) if enough else np.nan
        median = difference.median()
        rows.append({"model": one, "other": other, "pairs": len(difference), "median_difference": median, "p": p})
    tests = pd.DataFrame(rows, columns=["model", "other", "pairs", "median_difference", "p"])
    return tests.assign(p_holm=holm(tests["p"]))


def least_p(pairs: int) -> float:
    """The smallest p value that Wilcoxon's test can give: one row is better in every pair."""
    return 2.0 ** (1 - pairs)


def friedman(table: pd.DataFrame) -> float:
    """The p value of Friedman's test that all columns of `scores` (three or more) rank alike."""
    if (table.round(EXACT).nunique(axis=1) == 1).all():
        return 1.0  # nothing to rank: the statistic would be 0 / 0
    return float(friedmanchisquare(*(table[column].round(EXACT) for column in table)).pvalue)


def holm(p: pd.Series) -> pd.Series:
    """Holm's step-down correction of p values; NaN stays NaN."""
    ordered = p.dropna().sort_values()
    factors = np.arange(len(ordered), 0, -1)
    return (ordered * factors).cummax().clip(upper=1.0).reindex(p.index)


def critical_difference(models: int, blocks: int) -> float:
    """Nemenyi's difference of mean ranks that is significant at 5 % (Demšar 2006, section 3.2.2)."""
    q = studentized_range.ppf(0.95, models, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(models * (models + 1) / (6 * blocks)))
