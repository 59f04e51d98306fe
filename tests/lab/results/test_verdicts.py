import json

import pytest
from scipy import stats

from hippo.config import ConfigError
from hippo.lab.results.results import collect_results
from tests.lab.outcomes import CONTENT, finish, finish_all, write_experiment

SMALLER = {"quick": {"models": {"gru": {"hyperparameters": {"hidden_size": 4}}}, "seeds": 2}}


def cell(experiment, trials, model="legs", metric="test_accuracy"):
    return collect_results(experiment, trials).cell("a", model, metric)


def values(**accuracies) -> dict:
    """Values of a paper, by model."""
    return {"a": {model: {"test_accuracy": accuracy} for model, accuracy in accuracies.items()}}


@pytest.mark.parametrize(
    ("accuracy", "verdict"), [(0.9, "reproduced"), (0.887, "reproduced"), (0.88, "below"), (0.95, "above")]
)
def test_the_verdict_is_whether_the_mean_lies_within_the_tolerance(tmp_path, accuracy, verdict):
    experiment = write_experiment(tmp_path)
    finish_all(experiment, tmp_path / "trials", legs=accuracy)
    found = cell(experiment, tmp_path / "trials")
    assert found["verdict"] == verdict and found["tolerance"] == 1.5
    assert found["difference"] == pytest.approx(100 * accuracy + 0.1 - 90)


@pytest.mark.parametrize(("paper", "verdict"), [(48.5, "reproduced"), (51.5, "reproduced"), (51.625, "below")])
def test_the_tolerance_is_the_largest_difference_of_a_reproduced_value(tmp_path, paper, verdict):
    """All numbers are binary fractions, so that the differences are exact."""
    experiment = write_experiment(tmp_path, paper={**CONTENT["paper"], "values": values(legs=paper)})
    for seed in range(3):
        finish(experiment, tmp_path / "trials", "legs", seed, test_accuracy=0.5)
    assert cell(experiment, tmp_path / "trials")["verdict"] == verdict


def test_one_altered_trial_flips_the_verdict(tmp_path):
    experiment, trials = write_experiment(tmp_path), tmp_path / "trials"
    finish_all(experiment, trials)
    assert cell(experiment, trials)["verdict"] == "reproduced"
    path = trials / experiment.trial("a", "legs", 1).name / "metrics.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "test_accuracy": 0.5}))
    assert cell(experiment, trials)["verdict"] == "below"


def test_a_model_whose_settings_the_scale_changes_has_no_verdict(tmp_path):
    for scale, reason in (("quick", "scale too small"), ("paper", "above")):
        experiment = write_experiment(tmp_path, scale, scales=SMALLER)
        finish_all(experiment, tmp_path / scale)
        assert cell(experiment, tmp_path / scale, "gru")["verdict"] == reason
        # The scale changes no setting of LegS.
        assert cell(experiment, tmp_path / scale, "legs")["verdict"] == "reproduced"


def test_shipped_memories_that_need_no_training_have_verdicts_at_the_quick_scale():
    from hippo.lab.plan.experiment import load_experiment

    quick = load_experiment("config/experiments/reconstruction.yaml", "quick")
    assert not quick.is_reduced("white-noise", "legs") and quick.is_reduced("white-noise", "lstm")
    assert load_experiment("config/experiments/reconstruction.yaml", "smoke").is_reduced("white-noise", "legs")
    assert load_experiment("config/experiments/pmnist.yaml", "quick").is_reduced("bit-reversal", "legs")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "diverged"}, "diverged"),
        ({"trial": "of other settings"}, "outdated"),
        ({"dataset": {"source": "strokes", "substitute": True}}, "synthetic substitute data"),
        ({"dataset": {"source": "strokes", "stand_in": True}}, "synthetic substitute data"),  # key of the first release
    ],
)
def test_one_unusable_seed_prevents_a_verdict(tmp_path, changes, reason):
    experiment, trials = write_experiment(tmp_path), tmp_path / "trials"
    finish_all(experiment, trials)
    finish(experiment, trials, "legs", 2, **changes)
    assert cell(experiment, trials)["verdict"] == reason
    assert cell(experiment, trials, "gru")["verdict"] == "above"


def test_missing_and_failed_trials_are_reasons_too(tmp_path):
    experiment, trials = write_experiment(tmp_path), tmp_path / "trials"
    assert cell(experiment, trials)["verdict"] == "missing"
    finish(experiment, trials, "gru", 0)
    assert cell(experiment, trials, "gru")["verdict"] == "1 of 3 seeds"
    for seed in range(3):
        trial = experiment.trial("a", "legs", seed)
        (trials / trial.name).mkdir(parents=True)
        failure = {"status": "failed", "reason": "OSError", "trial": trial.digest}
        (trials / trial.name / "failure.json").write_text(json.dumps(failure))
    assert cell(experiment, trials)["verdict"] == "failed"
    finish(experiment, trials, "legs", 2, status="diverged")
    assert cell(experiment, trials)["verdict"] == "failed"  # the state of two seeds of three


def test_a_percentage_is_a_tolerance_relative_to_the_papers_value(tmp_path):
    experiment = write_experiment(tmp_path, paper={**CONTENT["paper"], "tolerance": {"test_accuracy": "10%"}})
    finish_all(experiment, tmp_path / "trials", legs=0.815, gru=0.56)
    assert cell(experiment, tmp_path / "trials")["tolerance"] == pytest.approx(9.0)
    assert cell(experiment, tmp_path / "trials")["verdict"] == "reproduced"
    assert cell(experiment, tmp_path / "trials", "gru")["verdict"] == "above"


def test_a_percentage_of_a_negative_value_is_a_positive_tolerance(tmp_path):
    paper = {**CONTENT["paper"], "tolerance": {"test_accuracy": "10%"}, "values": values(legs=-80.0)}
    experiment = write_experiment(tmp_path, paper=paper)
    finish_all(experiment, tmp_path / "trials", legs=-0.82)
    found = cell(experiment, tmp_path / "trials")
    assert found["tolerance"] == pytest.approx(8.0) and found["verdict"] == "reproduced"


def test_a_number_agrees_with_a_value_that_is_not_the_papers(tmp_path):
    experiment = write_experiment(tmp_path, paper={**CONTENT["paper"], "heading": "computed"})
    finish_all(experiment, tmp_path / "trials", legs=0.9, gru=0.56)
    assert cell(experiment, tmp_path / "trials")["verdict"] == "agrees"
    assert cell(experiment, tmp_path / "trials", "gru")["verdict"] == "above"


def test_without_a_stated_tolerance_there_is_no_verdict(tmp_path):
    experiment = write_experiment(tmp_path, paper={**CONTENT["paper"], "tolerance": {}})
    finish_all(experiment, tmp_path / "trials")
    assert cell(experiment, tmp_path / "trials")["verdict"] == "no tolerance"


@pytest.mark.parametrize(
    ("tolerance", "message"),
    [
        ({"test_acuracy": 1}, "did you mean 'test_accuracy'"),
        ({"test_accuracy": "much"}, "much"),
        ({"test_accuracy": -1}, "-1"),
    ],
)
def test_an_invalid_tolerance_is_named(tmp_path, tolerance, message):
    with pytest.raises(ConfigError, match=message):
        write_experiment(tmp_path, paper={**CONTENT["paper"], "tolerance": tolerance})


def test_the_interval_is_students(tmp_path):
    experiment = write_experiment(tmp_path)
    values = [0.91, 0.92, 0.96]
    for seed, value in enumerate(values):
        finish(experiment, tmp_path / "trials", "legs", seed, test_accuracy=value)
    found = cell(experiment, tmp_path / "trials")
    expected = stats.ttest_1samp([100 * v for v in values], 0).confidence_interval(0.95)
    assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high))
