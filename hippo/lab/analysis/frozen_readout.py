"""Fitting of the readout of frozen states, and its error: exact, and on test signals."""

import math
import time

import numpy as np

from hippo.data.dataset import Dataset
from hippo.lab.analysis.linear_states import BilinearStates
from hippo.lab.analysis.only_epoch import finish_in_one_epoch
from hippo.lab.analysis.readout import fit_readout
from hippo.lab.plan.trial_spec import TrialSpec


def run(trial: TrialSpec, dataset: Dataset, recorder) -> dict:
    """Fit the readout of a trial to the exact covariance of the noise.

    Parameters
    ----------
    trial : TrialSpec
        A trial whose model options are `FrozenStatesOptions` and whose dataset options are a `FrozenTask`.
    dataset : Dataset
        Its prepared dataset: test signals.
    recorder : Recorder
        Takes the numbers of the only epoch.

    Returns
    -------
    dict
        The outcome: status, epochs, `expected_mse` (exact, no sampling), its logarithm `log_mse`, `expected_nrmse` (its
        root in units of the targets' deviation), `test_mse` (of the test signals) and `sweeps`.
    """
    started = time.perf_counter()
    options, task, test = trial.model_options, trial.dataset, dataset.parts["test"]
    copies = [
        (BilinearStates(name, options.order, dt), n) for name in options.systems for dt, n in options.steps().items()
    ]
    coordinates = [task.coordinates(states) for states, _ in copies]
    readout = fit_readout(
        [states for states, _ in coordinates],
        coordinates[0][1],
        [features for _, features in copies],
        options.cutoff,
        options.sweeps,
    )
    inputs = test.inputs[:, :, 0].astype(np.float64)
    pairs = zip(readout.weights, copies, strict=True)
    predicted = sum(task.predict(weights, states, inputs) for weights, (states, _) in pairs)
    row = {
        "expected_mse": readout.mse,
        "log_mse": math.log(readout.mse),
        "expected_nrmse": math.sqrt(readout.mse / readout.power),
        "test_mse": float(np.mean(np.square(predicted - test.targets))),
        "sweeps": readout.sweeps,
    }
    return finish_in_one_epoch(recorder, row, started)
