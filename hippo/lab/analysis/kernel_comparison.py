"""Comparison of basis kernels with the basis under a measure: exact, and sampled by a layer that reads an impulse."""

import time

import numpy as np

from hippo.data.dataset import Dataset
from hippo.lab.analysis.kernel_distances import kernel_distances, sampled_distance, weighted_basis
from hippo.lab.analysis.linear_states import impulse_responses
from hippo.lab.analysis.low_rank_terms import with_low_rank_term
from hippo.lab.analysis.only_epoch import finish_in_one_epoch
from hippo.lab.plan.trial_spec import TrialSpec


def run(trial: TrialSpec, dataset: Dataset, recorder) -> dict:
    """Compute the distances of the kernels.

    Parameters
    ----------
    trial : TrialSpec
        A trial whose model options are `BasisKernelsOptions` and whose dataset options are `Impulse`.
    dataset : Dataset
        Its prepared dataset.
    recorder : Recorder
        Takes the numbers of the only epoch.

    Returns
    -------
    dict
        The outcome: status, epochs, `sampled_distance` and the numbers of `kernel_distances`, each averaged over the
        draws of a noisy or random low-rank term.
    """
    started = time.perf_counter()
    options, impulse = trial.model_options, trial.dataset
    inputs = dataset.parts["test"].inputs[0, :, 0].astype(np.float64)
    basis = weighted_basis(options.system, options.kernels)
    numbers = []
    for draw in range(options.draws if options.low_rank in ("noisy", "random") else 1):
        generator = np.random.default_rng([trial.entropy, draw])
        A, B = with_low_rank_term(options.system, options.order, options.low_rank, options.deviation, generator)
        states = inputs[0] * impulse_responses(A, B, impulse.interval, len(inputs))[: options.kernels]
        numbers.append(
            {
                **kernel_distances(A, B, basis, impulse.oldest),
                "sampled_distance": sampled_distance(states, basis, impulse.interval),
            }
        )
    row = {name: float(np.mean([each[name] for each in numbers])) for name in numbers[0]}
    return finish_in_one_epoch(recorder, row, started)
