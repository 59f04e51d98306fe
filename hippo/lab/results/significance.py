"""Which models of a table differ: ranks over variants and seeds, Friedman's and Wilcoxon's tests, Holm's correction.

The functions that need scipy.stats import it: it would be half of the start of every command that reads results.

References
----------
Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 7 (2006).
"""

from itertools import combinations

import numpy as np
import pandas as pd

from hippo.lab.plan.experiment import Experiment
from hippo.lab.trials.status import Status

DECIMALS = 9  # of a difference: equal differences must tie, and floating-point percentages do not
FEWEST_PAIRS = 5  # below which neither mean ranks nor Friedman's test are reported


def collect_scores(experiment: Experiment, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return the scores that models are ranked by.

    Parameters
    ----------
    experiment : Experiment
        The experiment; its task names the score.
    outcomes : DataFrame
        Outcomes of its trials (`collect_outcomes`).

    Returns
    -------
    DataFrame
        One line per pair of variant and seed, one column per model, in the units of the table. Models that have a
        number in fewer than half of the pairs are left out, then pairs in which a remaining model has none.
    """
    task = experiment.task
    finished = outcomes[outcomes["status"] == Status.FINISHED]
    if task.score not in finished:
        return pd.DataFrame()
    table = finished.pivot(index=["variant", "seed"], columns="model", values=task.score)
    table *= task.column(task.score).factor
    table = table.reindex(columns=[model for model in experiment.spec.models if model in table])
    pairs = len(experiment.spec.variants) * experiment.spec.seeds
    return table.loc[:, table.notna().sum() * 2 >= pairs].dropna()


def mean_ranks(table: pd.DataFrame, higher_is_better: bool) -> pd.Series:
    """Return the mean rank of each model (column of `table`), best first; equal scores have the mean of their ranks."""
    return table.rank(axis=1, ascending=not higher_is_better).mean().sort_values(kind="stable")


def pairwise(table: pd.DataFrame) -> pd.DataFrame:
    """Test every two models for a difference.

    Parameters
    ----------
    table : DataFrame
        Scores (`collect_scores`).

    Returns
    -------
    DataFrame
        One line per two models: `model`, `other`, `pairs`, `median_difference`, `p` (Wilcoxon's signed-rank test) and
        `p_holm`. p is NaN for fewer than six pairs, where even a model that is always better is not significant at 5 %.
    """
    lines = []
    for one, other in combinations(table.columns, 2):
        difference = (table[one] - table[other]).round(DECIMALS)
        enough = least_p(len(difference)) <= 0.05
        p = wilcoxon_p(difference) if enough else np.nan
        median = difference.median()
        lines.append({"model": one, "other": other, "pairs": len(difference), "median_difference": median, "p": p})
    tests = pd.DataFrame(lines, columns=["model", "other", "pairs", "median_difference", "p"])
    return tests.assign(p_holm=holm(tests["p"]))


def wilcoxon_p(differences: pd.Series) -> float:
    """Return the p value of Wilcoxon's signed-rank test; a difference of 0 counts half to each side."""
    from scipy.stats import wilcoxon

    return float(wilcoxon(differences, zero_method="zsplit").pvalue)


def least_p(pairs: int) -> float:
    """Return the smallest p value of Wilcoxon's test: one model is better in every pair."""
    return 2.0 ** (1 - pairs)


def friedman(table: pd.DataFrame) -> float:
    """Return the p value of Friedman's test that all models (three or more columns of `table`) rank alike."""
    from scipy.stats import friedmanchisquare

    if (table.round(DECIMALS).nunique(axis=1) == 1).all():
        return 1.0  # all scores are equal: the statistic would be 0 / 0
    return float(friedmanchisquare(*(table[column].round(DECIMALS) for column in table)).pvalue)


def holm(p: pd.Series) -> pd.Series:
    """Return p values after Holm's step-down correction; NaN stays NaN."""
    ordered = p.dropna().sort_values()
    factors = np.arange(len(ordered), 0, -1)
    return (ordered * factors).cummax().clip(upper=1.0).reindex(p.index)


def critical_difference(models: int, pairs: int) -> float:
    """Return Nemenyi's difference of mean ranks that is significant at 5 % (Demšar 2006, section 3.2.2)."""
    from scipy.stats import studentized_range

    q = studentized_range.ppf(0.95, models, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(models * (models + 1) / (6 * pairs)))


def rank_agreement(cells: pd.DataFrame, metric: str) -> list[tuple[str, float, int]]:
    """Compare the order of the models with the paper's in each variant.

    Parameters
    ----------
    cells : DataFrame
        Statistics of every number (`verdicts.collect_cells`).
    metric : str
        The score.

    Returns
    -------
    list of (variant, tau, models)
        Kendall's tau-b, 1 for the same order and -1 for the reverse, over the models for which both have a number;
        only variants with three or more of them, of which not all are equal.
    """
    found = []
    both = cells[(cells["metric"] == metric) & cells["mean"].notna() & cells["paper"].notna()]
    for variant, own in both.groupby("variant", sort=False):
        theirs = own["paper"].astype(float)
        if len(own) > 2 and own["mean"].nunique() > 1 and theirs.nunique() > 1:
            from scipy.stats import kendalltau

            found.append((variant, float(kendalltau(own["mean"], theirs).statistic), len(own)))
    return found
