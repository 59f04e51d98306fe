"""Variance of the output of a new S4 layer: exact, and sampled over signals and output maps."""

import time
from collections.abc import Sequence

import numpy as np

from hippo.data.dataset import Dataset
from hippo.lab.analysis.linear_states import BilinearStates, mean_square
from hippo.lab.analysis.only_epoch import finish_in_one_epoch
from hippo.lab.plan.trial_spec import TrialSpec

MAPS = 4096  # random output maps


def run(trial: TrialSpec, dataset: Dataset, recorder, orders: Sequence[int], sampled: int) -> dict:
    """Compute the variance of the output for several numbers of states.

    Parameters
    ----------
    trial : TrialSpec
        A trial whose model options are a `RandomReadoutOptions` and whose dataset options are `UnitSignals`.
    dataset : Dataset
        Its prepared dataset.
    recorder : Recorder
        Takes the numbers of the only epoch.
    orders : sequence of int
        Numbers of states of the exact variances.
    sampled : int
        Number of states of the sampled variance.

    Returns
    -------
    dict
        The outcome: status, epochs, `variance_<order>`, `sampled_variance`, and `deviation`, the distance of the last
        exact variance from that of the signals.
    """
    started = time.perf_counter()
    signals, system = trial.dataset, trial.model_options.system
    angles = signals.angles if signals.signal == "noise" else None
    row = {
        f"variance_{order}": signals.rms**2 * mean_square(BilinearStates(system, order, signals.interval), angles)
        for order in orders
    }
    inputs = dataset.parts["test"].inputs[:, ::-1, 0].astype(np.float64)
    states = inputs @ BilinearStates(system, sampled, signals.interval).impulse_responses(inputs.shape[1]).T
    maps = np.random.default_rng(trial.entropy).standard_normal((MAPS, sampled))
    row["sampled_variance"] = float(np.mean(np.square(states @ maps.T)))
    row["deviation"] = abs(row[f"variance_{orders[-1]}"] - signals.rms**2)
    return finish_in_one_epoch(recorder, row, started)
