"""Read a signal once and reconstruct all of it from the memory that is left (Gu et al. 2020, section 4.3)."""

import math
import time

import numpy as np
import pandas as pd
from numpy.polynomial.legendre import legvander

from hippo.data.dataset import Dataset
from hippo.files import write_text
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.plan.reconstruction_options import LSTMOptions, MemoryOptions
from hippo.memory import OnlineMemory, reconstruct
from hippo.propagation import BLOCK

CHUNK = 16384  # samples whose polynomials are held at once: 32 MB at order 256
DRAWN = 4000  # points of the signal and of its reconstruction that a figure shows


def run(trial: TrialSpec, dataset: Dataset, recorder) -> dict:
    """Reconstruct the test signal; returns status, mse, optimal_mse (its floor), steps_per_second and more.

    `reconstruction.csv` in the trial's folder holds what a figure draws. An error that is not finite ends the
    trial with status `diverged`.
    """
    started = time.perf_counter()
    options = {key: value for key, value in trial.model.items() if key != "name"}
    signal = dataset.parts["test"].inputs[0, :, 0]
    if trial.model["name"] == "lstm":
        from hippo.lab.training.lstm_reconstruction import reconstruct_by_lstm

        cycles = trial.dataset["cycles"]
        reconstructed, row = reconstruct_by_lstm(signal, LSTMOptions(**options), cycles, trial.entropy, recorder)
    else:
        reconstructed, row = reconstruct_by_memory(signal, MemoryOptions(**options))
    mse = float(np.mean((reconstructed - signal) ** 2, dtype=np.float64))
    if not math.isfinite(mse):
        return {"status": "diverged", "epochs": 1}
    row = {"mse": mse, "optimal_mse": optimal_mse(signal, options["order"]), **row}
    recorder.epoch({"epoch": 1, **row, "seconds": time.perf_counter() - started})
    shown = np.linspace(0, len(signal) - 1, min(DRAWN, len(signal))).astype(int)
    drawn = pd.DataFrame({"sample": shown, "signal": signal[shown], "reconstructed": reconstructed[shown]})
    write_text(recorder.folder / "reconstruction.csv", drawn.to_csv(index=False, float_format="%.6g"))
    return {"status": "finished", "epochs": 1, **row}


def reconstruct_by_memory(signal: np.ndarray, options: MemoryOptions) -> tuple[np.ndarray, dict]:
    """The reconstruction of `signal` (length,) by an online memory, and its steps per second.

    Measures with a window remember the whole signal: their theta is its length.
    """
    signal = signal.astype(options.dtype)
    span = options.time_constants or 1.0
    theta = None if options.measure == "legs" else len(signal) / span
    settings = {"theta": theta, "discretization": options.discretization, "dtype": options.dtype, "nonfinite": "pass"}
    # Time-invariant memories of the same settings share their matrices, one pair for each width of block.
    OnlineMemory(options.measure, options.order, **settings).update(np.zeros(2 * BLOCK - 1))
    memory = OnlineMemory(options.measure, options.order, **settings)
    started = time.perf_counter()
    memory.update(signal)
    seconds = time.perf_counter() - started
    reconstructed = reconstruct(memory.coefficients, options.measure, points=len(signal), span=span)
    return reconstructed, {"parameters": 0, "steps_per_second": len(signal) / seconds}


def optimal_mse(signal: np.ndarray, order: int) -> float:
    """Mean squared error of the best polynomial of degree `order` − 1 on the samples of `signal` (length,).

    Least squares in float64. The Legendre polynomials are nearly orthogonal on a grid of many more than order²
    samples, where the normal equations are perfectly conditioned and one pass in chunks is enough.
    """
    signal = signal.astype(np.float64)
    x = (2 * np.arange(len(signal)) + 1) / len(signal) - 1
    norms = np.sqrt(2 * np.arange(order) + 1)
    gram, moments = np.zeros((order, order)), np.zeros(order)
    for start in range(0, len(signal), CHUNK):
        basis = legvander(x[start : start + CHUNK], order - 1) * norms
        gram += basis.T @ basis
        moments += basis.T @ signal[start : start + CHUNK]
    explained = moments @ np.linalg.lstsq(gram, moments)[0]
    return float(max(signal @ signal - explained, 0) / len(signal))  # rounding may leave less than nothing
