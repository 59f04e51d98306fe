"""Which rows of a table differ: ranks over variants and seeds, Wilcoxon's test with Holm's correction.

After Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 7 (2006).
"""

from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import studentized_range, wilcoxon

from hippo.lab.experiment import Experiment

FEWEST_PAIRS = 6  # below, even a row that always wins is not significant at 5 %: 2 / 2^5 = 0.0625


def scores(experiment: Experiment, outcomes: pd.DataFrame) -> pd.DataFrame:
    """A line per variant and seed, a column per model: the task's score in the table's units.

    Models without any finished trial are left out, then lines on which not every model has a number.
    """
    task = experiment.task
    finished = outcomes[outcomes["status"] == "finished"]
    if task.score not in finished:
        return pd.DataFrame()
    table = finished.pivot(index=["variant", "seed"], columns="row", values=task.score)
    table *= task.column(task.score).factor
    return table.reindex(columns=[row for row in experiment.plan.models if row in table]).dropna()


def mean_ranks(table: pd.DataFrame, higher_is_better: bool) -> pd.Series:
    """Mean rank of each column of `scores`, the best first; ties share their ranks."""
    return table.rank(axis=1, ascending=not higher_is_better).mean().sort_values(kind="stable")


def pairwise(table: pd.DataFrame) -> pd.DataFrame:
    """Wilcoxon's signed-rank test of every two columns: model, other, pairs, median_difference, p, p_holm.

    p is NaN below six pairs, where no difference could be significant.
    """
    rows = []
    for one, other in combinations(table.columns, 2):
        difference = table[one] - table[other]
        enough = len(difference) >= FEWEST_PAIRS
        p = float(wilcoxon(difference, zero_method="zsplit").pvalue) if enough else np.nan
        median = difference.median()
        rows.append({"model": one, "other": other, "pairs": len(difference), "median_difference": median, "p": p})
    tests = pd.DataFrame(rows, columns=["model", "other", "pairs", "median_difference", "p"])
    return tests.assign(p_holm=holm(tests["p"]))


def holm(p: pd.Series) -> pd.Series:
    """Holm's step-down correction of p values; NaN stays NaN."""
    ordered = p.dropna().sort_values()
    factors = np.arange(len(ordered), 0, -1)
    return (ordered * factors).cummax().clip(upper=1.0).reindex(p.index)


def critical_difference(models: int, blocks: int) -> float:
    """Nemenyi's difference of mean ranks that is significant at 5 % (Demšar 2006, section 3.2.2)."""
    q = studentized_range.ppf(0.95, models, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(models * (models + 1) / (6 * blocks)))
