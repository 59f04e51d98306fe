"""Trials of the tasks that train nothing: every smoke trial of the experiment files, and their numbers."""

import math
from dataclasses import replace

import numpy as np
import pytest

from hippo.config import ConfigError
from hippo.data.unit_signals import UnitSignals
from hippo.lab.analysis import kernel_comparison, output_variance
from hippo.lab.analysis.kernel_distances import kernel_distances, weighted_basis
from hippo.lab.analysis.linear_states import BilinearStates
from hippo.lab.analysis.low_rank_terms import with_low_rank_term
from hippo.lab.plan.experiment import load_experiment
from hippo.lab.plan.kernel_options import BasisKernelsOptions
from hippo.lab.plan.readout_options import FrozenStatesOptions
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.operators import discretize, transition
from tests.lab.recorders import Rows
from tests.workspace import ROOT

EXPERIMENTS = ("reconstruct_frozen", "delay_frozen", "timescale_initialization", "normalization", "kernels")
SAMPLES = 400  # test signals of a readout


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_smoke_trial_has_the_numbers_of_its_table(name):
    experiment = load_experiment(ROOT / f"config/experiments/{name}.yaml", "smoke")
    more = {"samples": SAMPLES} if experiment.task_name == "readout" else {}
    datasets = {key: options.model_copy(update=more).build() for key, options in experiment.datasets.items()}
    for trial in experiment.trials():
        recorder = Rows()
        outcome = experiment.task.run(trial, datasets[trial.variant], recorder)
        assert outcome["status"] == "finished"
        for column in experiment.task.columns:
            assert math.isfinite(outcome[column.metric]) and recorder.rows[0][column.metric] == outcome[column.metric]
        if experiment.task_name == "readout":
            assert outcome["log_mse"] == pytest.approx(math.log(outcome["expected_mse"]))
            _, targets = trial.dataset.coordinates(BilinearStates("legs", 2, 0.01))
            variance = np.square(targets).sum() / len(targets)
            assert outcome["expected_nrmse"] == pytest.approx(math.sqrt(outcome["expected_mse"] / variance))
            # The mean square error of a signal is a mean of squares of normal variables: its variance is twice the
            # square of its mean at most. Four standard deviations of the mean over the signals:
            assert outcome["test_mse"] == pytest.approx(outcome["expected_mse"], rel=4 * math.sqrt(2 / SAMPLES))
        elif experiment.task_name == "kernels":
            # The step of 0.002 follows oscillations of up to some hundred radians per unit of time.
            assert outcome["sampled_distance"] == pytest.approx(outcome["distance"], rel=0.02, abs=3e-4)
        else:
            assert outcome["sampled_variance"] == pytest.approx(outcome["variance_256"], rel=0.15)


def smoke_trial(name: str) -> TrialSpec:
    return load_experiment(ROOT / f"config/experiments/{name}.yaml", "smoke").trials()[0]


def test_the_variance_of_the_output_is_that_of_the_states_in_order_of_time():
    """The sampled one from the recurrence, step by step; twice the signal has four times the variance."""
    options = UnitSignals(length=50, interval=0.05, band_limit=4.0, samples=5, rms=2.0)
    system = {"model_options": smoke_trial("normalization").model_options.model_copy(update={"system": "legt"})}
    trial = replace(smoke_trial("normalization"), dataset=options, **system)
    outcome = output_variance.run(trial, options.build(), Rows(), orders=(4, 6), sampled=6)
    A, B = discretize(*transition("legt", 6, window=2.0), 0.05)
    states = np.zeros((5, 6))
    for inputs in options.build().parts["test"].inputs[:, :, 0].T.astype(np.float64):
        states = states @ A.T + np.outer(inputs, B)
    maps = np.random.default_rng(trial.entropy).standard_normal((output_variance.MAPS, 6))
    assert outcome["sampled_variance"] == pytest.approx(np.square(states @ maps.T).mean(), rel=1e-9)
    plain = options.model_copy(update={"rms": 1.0})
    unit = output_variance.run(replace(trial, dataset=plain), plain.build(), Rows(), orders=(4, 6), sampled=6)
    assert outcome["variance_6"] == pytest.approx(4 * unit["variance_6"])
    assert outcome["deviation"] == pytest.approx(4 * unit["deviation"]) == abs(outcome["variance_6"] - 4)


def test_the_distances_of_random_terms_are_means_over_different_ones():
    trial = smoke_trial("kernels")
    options = BasisKernelsOptions(system="legs", order=16, low_rank="random", draws=3)
    outcome = kernel_comparison.run(replace(trial, model_options=options), trial.dataset.build(), Rows())
    basis, found = weighted_basis("legs", options.kernels), []
    for draw in range(3):
        generator = np.random.default_rng([trial.entropy, draw])
        A, B = with_low_rank_term("legs", 16, "random", options.deviation, generator)
        found.append(kernel_distances(A, B, basis, trial.dataset.oldest)["distance"])
    assert len(set(found)) == 3 and outcome["distance"] == pytest.approx(np.mean(found))


def test_the_steps_of_the_copies_are_geometric_between_the_ends():
    steps = FrozenStatesOptions(systems=["legs", "fout"], features=8, dt_min=0.001, dt_max=0.016).steps()
    assert list(steps.values()) == [1] * 4
    assert list(steps) == pytest.approx([0.001 * 2**k for k in (0.5, 1.5, 2.5, 3.5)])
    assert FrozenStatesOptions(features=8, dt_min=0.001, dt_max=0.001).steps() == {0.001: 8}
    assert FrozenStatesOptions(features=8, dt_min=0.002).steps() == {0.002: 8}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dt_min": 0.1, "dt_max": 0.01}, "dt_max = 0.01 is below dt_min = 0.1"),
        ({"systems": ["legs", "legt"], "features": 3}, "features = 3 cannot be divided among 2 systems"),
        ({"order": 3}, "order"),
        ({"systems": ["lgs"]}, "systems"),
    ],
)
def test_settings_of_frozen_states_that_cannot_be_used(options, message):
    with pytest.raises(ValueError, match=message):
        FrozenStatesOptions(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": 6}, "kernels = 8 is above order = 6"),
        ({"order": 7}, "order"),
        ({"kernels": 34}, "kernels"),
        ({"system": "lagt"}, "system"),
        ({"low_rank": "noise"}, "low_rank"),
        ({"low_rank": "noisy", "deviation": 0}, "deviation"),
    ],
)
def test_settings_of_basis_kernels_that_cannot_be_used(options, message):
    with pytest.raises(ValueError, match=message):
        BasisKernelsOptions(**options)


@pytest.mark.parametrize(
    ("name", "valid"),
    [("reconstruct_frozen", "frozen_states"), ("normalization", "random_readout"), ("kernels", "basis_kernels")],
)
def test_other_models_are_refused(name, valid):
    experiment = load_experiment(ROOT / f"config/experiments/{name}.yaml", "smoke")
    with pytest.raises(ConfigError, match=f"unknown model 'legs'; valid: {valid}"):
        experiment.task.find_model("legs", "here")


def test_a_constant_signal_has_no_rms():
    with pytest.raises(ValueError, match="rms is an option of noise"):
        UnitSignals(signal="constant", rms=2.0)
