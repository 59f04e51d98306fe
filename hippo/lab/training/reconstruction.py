"""Reconstruction of a signal from the memory that is left after one pass over it.

References
----------
Gu, Dao, Ermon, Rudra and Ré, "HiPPO: Recurrent Memory with Optimal Polynomial Projections", NeurIPS 2020, section 4.3.
"""

import math
import time

import numpy as np
import pandas as pd

from hippo.data.dataset import Dataset
from hippo.files import write_text
from hippo.lab.analysis.memory_reconstruction import reconstruct_by_memory
from hippo.lab.analysis.only_epoch import finish_in_one_epoch
from hippo.lab.analysis.optimum import optimal_mse
from hippo.lab.plan.reconstruction_options import LSTMOptions
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.trials.status import Status

PLOTTED = 4000  # points of the signal and of its reconstruction in reconstruction.csv


def run(trial: TrialSpec, dataset: Dataset, recorder) -> dict:
    """Read the test signal once, and reconstruct all of it.

    Writes reconstruction.csv, which the trial's figure plots, to the folder of the trial.

    Parameters
    ----------
    trial : TrialSpec
        A trial whose model options are `MemoryOptions` or `LSTMOptions`.
    dataset : Dataset
        Its prepared dataset: one signal.
    recorder : Recorder
        Takes the numbers of the only epoch, and the states of a trained LSTM.

    Returns
    -------
    dict
        The outcome: status, epochs, mse, optimal_mse (the least that `order` coefficients allow), parameters and
        steps_per_second. The status is `diverged` if the error is not finite.
    """
    started = time.perf_counter()
    options = trial.model_options
    signal = dataset.parts["test"].inputs[0, :, 0]
    if isinstance(options, LSTMOptions):
        from hippo.lab.training.lstm_reconstruction import reconstruct_by_lstm

        reconstructed, row = reconstruct_by_lstm(signal, options, trial.dataset.cycles, trial.entropy, recorder)
    else:
        reconstructed, row = reconstruct_by_memory(signal, options)
    mse = float(np.mean((reconstructed - signal) ** 2, dtype=np.float64))
    if not math.isfinite(mse):
        return {"status": Status.DIVERGED, "epochs": 1}
    row = {"mse": mse, "optimal_mse": optimal_mse(signal, options.order), **row}
    outcome = finish_in_one_epoch(recorder, row, started)
    samples = np.linspace(0, len(signal) - 1, min(PLOTTED, len(signal))).astype(int)
    plotted = pd.DataFrame({"sample": samples, "signal": signal[samples], "reconstructed": reconstructed[samples]})
    write_text(recorder.folder / "reconstruction.csv", plotted.to_csv(index=False, float_format="%.6g"))
    return outcome
