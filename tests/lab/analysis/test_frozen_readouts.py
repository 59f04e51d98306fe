"""Trials of the tasks that train nothing: every smoke trial of the experiment files, and their numbers."""

import math

import pytest

from hippo.config import ConfigError
from hippo.lab.plan.experiment import load_experiment
from hippo.lab.plan.kernel_options import BasisKernelsOptions
from hippo.lab.plan.readout_options import FrozenStatesOptions
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
            # The mean square error of a signal is a mean of squares of normal variables: its variance is twice the
            # square of its mean at most. Four standard deviations of the mean over the signals:
            assert outcome["test_mse"] == pytest.approx(outcome["expected_mse"], rel=4 * math.sqrt(2 / SAMPLES))
        elif experiment.task_name == "kernels":
            # The step of 0.002 follows oscillations of up to some hundred radians per unit of time.
            assert outcome["sampled_distance"] == pytest.approx(outcome["distance"], rel=0.02, abs=3e-4)
        else:
            assert outcome["sampled_variance"] == pytest.approx(outcome["variance_256"], rel=0.15)


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
