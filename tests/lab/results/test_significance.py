import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hippo.lab.reporting.figures.ranks import groups
from hippo.lab.results.results import collect_results
from hippo.lab.results.significance import critical_difference, friedman, holm, mean_ranks, pairwise
from tests.lab.outcomes import finish, finish_all, write_experiment


def test_equal_scores_have_their_mean_rank_and_the_best_is_first():
    table = pd.DataFrame({"a": [3.0, 1.0], "b": [2.0, 1.0], "c": [1.0, 2.0]})
    assert dict(mean_ranks(table, higher_is_better=True)) == {"a": 1.75, "c": 2.0, "b": 2.25}
    assert dict(mean_ranks(table, higher_is_better=False)) == {"b": 1.75, "c": 2.0, "a": 2.25}


def test_holm_on_the_textbook_example():
    """Holm 1979: sorted p values times m, m − 1, …, never falling."""
    corrected = holm(pd.Series([0.04, 0.01, np.nan, 0.03, 0.005]))
    np.testing.assert_allclose(corrected, [0.06, 0.03, np.nan, 0.06, 0.02])


def test_a_model_that_is_always_better_is_found_from_six_pairs_on():
    wins = pd.DataFrame({"good": np.arange(6.0) + 1, "bad": np.zeros(6)})
    assert pairwise(wins)["p"].item() == pytest.approx(2 / 2**6)  # of 64 sign patterns, the two extreme ones
    few = pairwise(wins.iloc[:5])
    assert few["p"].isna().all() and few["pairs"].item() == 5


def test_equal_differences_tie_however_they_are_rounded():
    """Percentages of accuracies in thousandths: scipy on the exact differences is the oracle."""
    thousandths = np.array(
        [[702, 700], [700, 702], [853, 851], [849, 851], [618, 616], [616, 618], [904, 902], [91, 89]]
    )
    table = pd.DataFrame(thousandths / 1000 * 100, columns=["one", "other"])
    exact = stats.wilcoxon(thousandths[:, 0] - thousandths[:, 1], zero_method="zsplit").pvalue
    assert pairwise(table)["p"].item() == exact
    assert stats.wilcoxon(table["one"] - table["other"], zero_method="zsplit").pvalue != exact  # without rounding


def test_friedmans_statistic_is_that_of_the_ranks():
    """Demšar 2006, section 3.2.2: chi² = 12 n / (k (k + 1)) (Σ R² − k (k + 1)² / 4), without ties."""
    table = pd.DataFrame(
        np.random.default_rng(0).permuted(np.tile(np.arange(4.0), (9, 1)), axis=1), columns=list("abcd")
    )
    ranks = mean_ranks(table, higher_is_better=True)
    chi = 12 * 9 / (4 * 5) * ((ranks**2).sum() - 4 * 25 / 4)
    assert friedman(table) == pytest.approx(stats.chi2.sf(chi, 3))


def test_equal_models_are_not_told_apart():
    same = pd.DataFrame({"one": np.ones(8), "other": np.ones(8)})
    assert pairwise(same)["p_holm"].item() == pytest.approx(1.0)


@pytest.mark.parametrize(("models", "q"), [(2, 1.960), (5, 2.728), (10, 3.164)])
def test_nemenyis_difference_is_that_of_demsars_table(models, q):
    """Demšar 2006, Table 5(a), printed to three places."""
    blocks = 14
    expected = q * np.sqrt(models * (models + 1) / (6 * blocks))
    assert critical_difference(models, blocks) == pytest.approx(expected, abs=1.5e-3)


def test_bars_join_the_longest_runs_within_the_difference():
    means = pd.Series([1.0, 1.5, 2.4, 4.0], index=list("abcd"))
    assert groups(means, 1.0) == [(0, 1), (1, 2)]
    assert groups(means, 5.0) == [(0, 3)]
    assert groups(means, 0.1) == []


def test_scores_keep_complete_pairs_of_variant_and_seed(tmp_path):
    experiment, trials = write_experiment(tmp_path), tmp_path / "trials"
    finish_all(experiment, trials, legs=0.8)
    (trials / experiment.trial("a", "gru", 1).name / "metrics.json").unlink()
    table = collect_results(experiment, trials).scores
    assert list(table.index) == [("a", 0), ("a", 2)] and list(table.columns) == ["legs", "gru", "lstm"]
    assert table.loc[("a", 2), "legs"] == pytest.approx(80.2)
    assert stats.rankdata(-table.loc[("a", 0)])[0] == 3  # legs is last


@pytest.mark.parametrize(("finished", "kept"), [(2, True), (1, False)])
def test_scores_leave_out_models_without_a_number_in_half_of_the_pairs(tmp_path, finished, kept):
    experiment, trials = write_experiment(tmp_path, seeds=4), tmp_path / "trials"
    for model, seeds in (("legs", 4), ("lstm", 4), ("gru", finished)):
        for seed in range(seeds):
            finish(experiment, trials, model, seed)
    table = collect_results(experiment, trials).scores
    assert ("gru" in table) == kept and len(table) == (2 if kept else 4)
