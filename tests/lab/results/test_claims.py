"""Claims on trials whose numbers are written by hand; scipy's intervals are the oracle."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hippo.config import ConfigError
from hippo.lab.reporting.claims import brief, claim_notes, format_claims
from hippo.lab.reporting.report import write_report
from hippo.lab.reporting.tables import format_table
from hippo.lab.results.claims import check_claims
from hippo.lab.results.results import collect_results
from hippo.lab.results.significance import rank_agreement
from tests.lab.outcomes import finish, finish_all, write_experiment

CLAIM = {"sentence": "LegS is better.", "source": "Someone 2020, abstract", "model": "legs"}
BETTER = {**CLAIM, "better_than": ["gru", "lstm"], "by": 20}
SPEED = {**CLAIM, "metric": "steps_per_second", "better_than": ["lstm"], "seeds": 1}
MEMORIES = {
    "dataset": {"name": "white_noise"},
    "models": {"legs": {"label": "LegS", "model": "memory"}, "lstm": {"label": "LSTM"}},
    "training": {},
    "paper": None,
    "scales": {},
}


def check(folder, scores, claim, **changes):
    """The results of one claim, from the test accuracies of each model, seed by seed."""
    folder.mkdir(exist_ok=True)
    experiment, trials = write_experiment(folder, claims=[claim], **changes), folder / "trials"
    for model, accuracies in scores.items():
        for seed, accuracy in enumerate(accuracies):
            finish(experiment, trials, model, seed, test_accuracy=accuracy)
    return collect_results(experiment, trials)


def test_models_are_compared_seed_by_seed(tmp_path):
    legs, gru, lstm = [0.90, 0.80, 0.70], [0.61, 0.51, 0.42], [0.5, 0.4, 0.3]
    claim = check(tmp_path, {"legs": legs, "gru": gru, "lstm": lstm}, BETTER).claims[0]
    assert claim.verdict == "holds" and claim.decisive.against == "gru"
    differences = 100 * (np.array(legs) - np.array(gru))
    expected = stats.t.interval(0.95, 2, differences.mean(), stats.sem(differences))
    assert (claim.decisive.low, claim.decisive.high) == pytest.approx(expected)
    assert claim.decisive.value == pytest.approx(differences.mean())


@pytest.mark.parametrize(
    ("gru", "verdict", "reason"),
    [
        ([0.65, 0.65, 0.65], "holds", ""),
        ([0.71, 0.71, 0.71], "fails", ""),
        ([0.65, 0.71, 0.75], "undecided", "the interval over 3 seeds contains the bound"),
        ([0.65], "undecided", "1 of 2 seeds"),
        ([], "undecided", "no result of GRU θ=1_000 & more"),
    ],
)
def test_a_claim_is_what_its_interval_says(tmp_path, gru, verdict, reason):
    scores = {"legs": [0.9, 0.9, 0.9], "gru": gru, "lstm": [0.5, 0.5, 0.5]}
    claim = check(tmp_path, scores, BETTER).claims[0]
    assert (claim.verdict, claim.decisive.reason) == (verdict, reason)


def test_a_bound_is_undecided_where_the_training_is_reduced(tmp_path):
    scores, reduced = {"legs": [0.9, 0.9]}, {"scales": {"quick": {"training": {"epochs": 1}}}}
    claim = check(tmp_path, scores, {**CLAIM, "at_least": 98}, **reduced).claims[0]
    assert (claim.verdict, claim.decisive.reason) == ("undecided", "the training is smaller than the paper's")


def test_one_failed_comparison_outweighs_a_missing_one(tmp_path):
    claim = check(tmp_path, {"legs": [0.9, 0.9], "lstm": [0.8, 0.8]}, BETTER).claims[0]
    assert claim.verdict == "fails" and claim.decisive.against == "lstm"


def test_a_computed_number_needs_one_seed(tmp_path):
    claim = {**CLAIM, "at_least": 90, "seeds": 1}
    assert check(tmp_path, {"legs": [0.9]}, claim).claims[0].verdict == "holds"
    assert check(tmp_path, {"legs": [0.89]}, claim).claims[0].verdict == "fails"


def test_equal_numbers_are_not_better(tmp_path):
    claim = {**CLAIM, "better_than": ["gru"]}
    assert check(tmp_path, {"legs": [0.9, 0.9], "gru": [0.9, 0.9]}, claim).claims[0].verdict == "fails"


def test_a_diverged_trial_leaves_the_claim_undecided(tmp_path):
    results = check(tmp_path, {"legs": [0.9, 0.9, 0.9]}, {**CLAIM, "at_least": 50})
    finish(results.experiment, tmp_path / "trials", "legs", 2, status="diverged")
    claim = collect_results(results.experiment, tmp_path / "trials").claims[0]
    assert (claim.verdict, claim.decisive.reason) == ("undecided", "1 of 3 trials diverged")


@pytest.mark.parametrize(("bound", "verdict"), [(91, "holds"), (90, "undecided"), (89, "fails")])
def test_an_upper_bound(tmp_path, bound, verdict):
    claim = check(tmp_path, {"legs": [0.899, 0.9, 0.901]}, {**CLAIM, "at_most": bound}).claims[0]
    assert claim.verdict == verdict


@pytest.mark.parametrize(("bound", "decisive"), [("at_most", "b"), ("at_least", "a")])
def test_the_variant_with_the_least_room_is_decisive(tmp_path, bound, decisive):
    variants = {key: {"label": key} for key in "abc"}
    claim = {**CLAIM, bound: {"at_most": 60, "at_least": 20}[bound], "seeds": 1}
    experiment, trials = write_experiment(tmp_path, variants=variants, claims=[claim]), tmp_path / "trials"
    for variant, accuracy in (("a", 0.3), ("b", 0.5), ("c", 0.4)):
        finish(experiment, trials, "legs", 0, variant, test_accuracy=accuracy)
    found = collect_results(experiment, trials).claims[0]
    assert (found.verdict, found.decisive.variant) == ("holds", decisive)


def test_a_bound_on_a_number_without_training_is_decided_at_a_reduced_scale(tmp_path):
    claim = {**CLAIM, "metric": "mse", "at_most": 0.02, "seeds": 1}
    smaller = {**MEMORIES, "scales": {"quick": {"dataset": {"samples": 1000}}}}
    experiment, trials = write_experiment(tmp_path, claims=[claim], **smaller), tmp_path / "trials"
    assert experiment.is_reduced("a", "legs")
    finish(experiment, trials, "legs", 0, mse=0.01, optimal_mse=0.01, steps_per_second=1.0)
    assert collect_results(experiment, trials).claims[0].verdict == "holds"


def test_a_high_speed_is_good_where_a_low_error_is(tmp_path):
    claims = [SPEED, {**SPEED, "metric": "mse"}]
    experiment, trials = write_experiment(tmp_path, claims=claims, **MEMORIES), tmp_path / "trials"
    for model, mse, speed in (("legs", 0.01, 500.0), ("lstm", 0.2, 40.0)):
        finish(experiment, trials, model, 0, mse=mse, optimal_mse=0.01, steps_per_second=speed)
    speed, error = collect_results(experiment, trials).claims
    assert (speed.verdict, speed.decisive.value) == ("holds", 460)
    assert (error.verdict, error.decisive.value) == ("holds", pytest.approx(0.19))


def test_a_speed_has_no_ratio(tmp_path):
    with pytest.raises(ConfigError, match=r"claims\[0\].times: ratios are of errors; state 'by' for a score"):
        write_experiment(tmp_path, claims=[{**SPEED, "times": 2}], **MEMORIES)


def test_an_infinite_number_leaves_the_claim_undecided(tmp_path):
    results = check(tmp_path, {"legs": [0.9, 0.9]}, {**CLAIM, "at_least": 50})
    (claim,) = check_claims(results.experiment, results.outcomes.assign(test_accuracy=np.inf))
    assert (claim.verdict, claim.decisive.reason) == ("undecided", "a number of LegS is infinite")


def with_errors(folder, claim, own, other):
    """The results of one claim, from the errors of two models, seed by seed."""
    dataset = {"name": "adding", "train_samples": 5}
    experiment, trials = write_experiment(folder, dataset=dataset, claims=[claim], paper=None), folder / "trials"
    for model, errors in (("legs", own), ("gru", other)):
        for seed, error in enumerate(errors):
            finish(experiment, trials, model, seed, test_nrmse=error, validation_nrmse=error, test_loss=error**2)
    return collect_results(experiment, trials)


@pytest.mark.parametrize(("by", "verdict"), [(0.1, "holds"), (0.6, "fails")])
def test_a_low_error_is_better_by_what_the_other_has_more(tmp_path, by, verdict):
    own, other = np.array([0.1, 0.2, 0.1]), np.array([0.4, 0.6, 0.5])
    found = with_errors(tmp_path, {**CLAIM, "better_than": ["gru"], "by": by}, own, other).claims[0]
    assert found.verdict == verdict and found.decisive.value == pytest.approx((other - own).mean())


def test_errors_are_compared_by_their_ratio(tmp_path):
    """Of numbers of which low ones are good: the geometric mean of the ratios, with the interval of the logarithms."""
    own, other = np.array([0.1, 0.2, 0.1]), np.array([0.4, 0.6, 0.5])
    found = with_errors(tmp_path, {**CLAIM, "better_than": ["gru"], "times": 2}, own, other).claims[0]
    logarithms = np.log(other / own)
    expected = np.exp(stats.t.interval(0.95, 2, logarithms.mean(), stats.sem(logarithms)))
    assert found.verdict == "holds"
    assert found.decisive.value == pytest.approx(stats.gmean(other / own))
    assert (found.decisive.low, found.decisive.high) == pytest.approx(tuple(expected))


def test_an_error_of_zero_has_no_ratio(tmp_path):
    found = with_errors(tmp_path, {**CLAIM, "better_than": ["gru"], "times": 2}, 2 * [0.0], 2 * [0.5]).claims[0]
    assert found.decisive.reason == "an error of LegS is not positive, and has no ratio"


def test_equal_errors_are_not_less_than_each_other(tmp_path):
    results = with_errors(tmp_path, {**CLAIM, "better_than": ["gru"], "times": 1}, [0.1, 0.2], [0.1, 0.2])
    assert results.claims[0].verdict == "fails" and "Claimed: more than 1 times." in claim_notes(results)[0]


def test_an_undecided_claim_says_what_is_known(tmp_path):
    results = check(tmp_path, {"legs": [0.9], "lstm": [0.8]}, BETTER)
    assert brief(results, results.claims[0]) == "undecided: 10.0"
    (note,) = claim_notes(results)
    assert note.endswith(
        "No result of GRU θ=1_000 & more. Closest, by test, %: 10.0 (1 seed), against LSTM. Claimed: at least 20.0."
    )
    nothing = check(tmp_path / "other", {}, BETTER)
    assert brief(nothing, nothing.claims[0]) == "undecided"


def test_substitute_data_decides_nothing(tmp_path):
    results = check(tmp_path, {"legs": [0.9, 0.9]}, {**CLAIM, "at_least": 50})
    path = tmp_path / "trials" / results.experiment.trial("a", "legs", 0).name / "metrics.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "dataset": {**content["dataset"], "substitute": True}}))
    claim = collect_results(results.experiment, tmp_path / "trials").claims[0]
    assert (claim.verdict, claim.decisive.reason) == ("undecided", "synthetic substitute data")


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (CLAIM, "state exactly one of better_than, at_least and at_most"),
        ({**CLAIM, "at_least": 1, "at_most": 2}, "state exactly one of"),
        ({**CLAIM, "at_least": 1, "by": 2}, "'by' and 'times' belong to better_than"),
        ({**BETTER, "times": 2}, "not both"),
        ({**CLAIM, "at_least": 1, "model": "lgs"}, "claims[0].model: unknown name 'lgs'; did you mean 'legs'"),
        ({**BETTER, "better_than": ["gur"]}, "claims[0].better_than: unknown name 'gur'; did you mean 'gru'"),
        ({**CLAIM, "at_least": 1, "variants": ["b"]}, "claims[0].variants: unknown name 'b'"),
        ({**CLAIM, "at_least": 1, "metric": "test"}, "claims[0].metric: unknown name 'test'"),
        ({**CLAIM, "better_than": ["gru"], "times": 2}, "claims[0].times: ratios are of errors"),
        ({**BETTER, "better_than": ["gru", "legs"]}, "claims[0].better_than: 'legs' is the model of the claim itself"),
    ],
)
def test_a_claim_that_cannot_be_checked_is_refused(tmp_path, claim, message):
    with pytest.raises(ConfigError) as error:
        write_experiment(tmp_path, claims=[claim])
    assert message in str(error.value)


def test_a_scale_cannot_change_what_is_claimed(tmp_path):
    with pytest.raises(ConfigError, match="cannot override 'claims'"):
        write_experiment(tmp_path, scales={"quick": {"claims": [{**CLAIM, "at_least": 0}]}})


def test_a_model_that_the_scale_removes_leaves_the_claim_undecided(tmp_path):
    results = check(tmp_path, {"legs": [0.9, 0.9]}, BETTER, scales={"quick": {"models": {"gru": None, "lstm": None}}})
    assert results.claims[0].decisive.reason == "no result of GRU θ=1_000 & more"


def test_claims_precede_the_tables(tmp_path):
    results = check(tmp_path, {"legs": [0.9, 0.9], "gru": [0.6, 0.6], "lstm": [0.5, 0.5]}, BETTER)
    page = format_table(results)
    assert page.index("## Claims") < page.index("## variant A")
    (note,) = claim_notes(results)
    assert note == (
        "**holds**: LegS is better. (Someone 2020, abstract) Closest, by test, %: 30.0 (30.0 to 30.0, 2 seeds), "
        "against GRU θ=1_000 & more. Claimed: at least 20.0."
    )
    listed = format_claims([[results, results]])
    assert listed.count("quick: holds.") == 2 and max(map(len, listed.splitlines())) <= 100


def test_the_report_begins_with_the_claims(tmp_path):
    results = check(tmp_path, {"legs": [0.9, 0.9], "gru": [0.6, 0.6], "lstm": [0.5, 0.5]}, BETTER)
    write_report([results], "quick", tmp_path, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    chip = '<span class="chip holds">holds</span> LegS is better.'
    assert page.count(chip) == 2 and page.index(chip) < page.index('<section id="demo">')


def test_agreement_of_the_order_is_kendalls_tau():
    """Of six pairs, one is in another order: tau is (5 - 1) / 6."""
    cells = pd.DataFrame(
        {
            "variant": "a",
            "model": ["w", "x", "y", "z", "ours"],
            "metric": "score",
            "mean": [4.0, 3.0, 1.0, 2.0, 9.0],
            "paper": [40.0, 30.0, 20.0, 10.0, np.nan],
        }
    )
    assert rank_agreement(cells, "score") == [("a", pytest.approx(4 / 6), 4)]
    assert rank_agreement(cells[:2], "score") == []
    assert rank_agreement(cells.assign(mean=1.0), "score") == []


def test_the_order_of_the_paper_is_a_note(tmp_path):
    values = {"legs": 90.0, "gru": 50.0, "lstm": 60.0}
    paper = {"source": "Someone 2020", "values": {"a": {m: {"test_accuracy": v} for m, v in values.items()}}}
    experiment = write_experiment(tmp_path, paper=paper)
    finish_all(experiment, tmp_path / "trials", legs=0.9, lstm=0.8, gru=0.7)
    page = " ".join(format_table(collect_results(experiment, tmp_path / "trials")).split())
    assert "Kendall's tau (1: the same order): variant A 1.00 (3 models)" in page
