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
from hippo.lab.plan.reconstruction_options import LSTMOptions, MemoryOptions
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.results.optimum import optimal_mse
from hippo.lab.training.only_epoch import finish_in_one_epoch
from hippo.memory import OnlineMemory, reconstruct
from hippo.propagation import BLOCK

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
        return {"status": "diverged", "epochs": 1}
    row = {"mse": mse, "optimal_mse": optimal_mse(signal, options.order), **row}
    outcome = finish_in_one_epoch(recorder, row, started)
    samples = np.linspace(0, len(signal) - 1, min(PLOTTED, len(signal))).astype(int)
    plotted = pd.DataFrame({"sample": samples, "signal": signal[samples], "reconstructed": reconstructed[samples]})
    write_text(recorder.folder / "reconstruction.csv", plotted.to_csv(index=False, float_format="%.6g"))
    return outcome


def reconstruct_by_memory(signal: np.ndarray, options: MemoryOptions) -> tuple[np.ndarray, dict]:
    """Reconstruct a signal from an online memory that read it once.

    Parameters
    ----------
    signal : ndarray, shape (length,)
        The signal.
    options : MemoryOptions
        Measure, order and discretization. A measure with a window remembers the whole signal: its theta is the length.

    Returns
    -------
    reconstructed : ndarray, shape (length,)
        The reconstruction.
    numbers : dict
        `parameters` (0) and `steps_per_second` of the pass.
    """
    signal = signal.astype(options.dtype)
    span = options.time_constants or 1.0
    theta = None if options.measure == "legs" else len(signal) / span
    settings = {"theta": theta, "discretization": options.discretization, "dtype": options.dtype, "nonfinite": "pass"}
    # Memories with the same settings use the same cached matrices, one pair per block width: they are computed here,
    # before the time is measured.
    OnlineMemory(options.measure, options.order, **settings).update(np.zeros(2 * BLOCK - 1))
    memory = OnlineMemory(options.measure, options.order, **settings)
    started = time.perf_counter()
    memory.update(signal)
    seconds = time.perf_counter() - started
    reconstructed = reconstruct(memory.coefficients, options.measure, points=len(signal), span=span)
    return reconstructed, {"parameters": 0, "steps_per_second": len(signal) / seconds}
