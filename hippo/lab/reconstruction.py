"""Feed a signal once to an online memory and reconstruct all of it (Gu et al. 2020, section 4.3)."""

import math
import time

import numpy as np
from numpy.polynomial.legendre import legvander

from hippo.data.dataset import Dataset
from hippo.lab.experiment import Trial
from hippo.lab.tasks import MemoryOptions
from hippo.memory import OnlineMemory, reconstruct

CHUNK = 16384  # samples whose polynomials are held at once: 32 MB at order 256


def run(trial: Trial, dataset: Dataset, recorder) -> dict:
    """Reconstruct the test signal; returns status, mse, optimal_mse (its floor), steps_per_second.

    Measures with a window remember the whole signal: their theta is its length.
    """
    options = MemoryOptions(**{key: value for key, value in trial.model.items() if key != "name"})
    signal = dataset.parts["test"].inputs[0, :, 0].astype(options.dtype)
    theta = None if options.measure == "legs" else float(len(signal))
    memory = OnlineMemory(options.measure, options.order, theta=theta, method=options.discretization)
    memory.update(signal[:1])  # makes the matrices
    started = time.perf_counter()
    memory.update(signal[1:])
    seconds = time.perf_counter() - started
    reconstructed = reconstruct(memory.coefficients, options.measure, points=len(signal))
    mse = float(np.mean((reconstructed - signal) ** 2, dtype=np.float64))
    if not math.isfinite(mse):
        return {"status": "diverged", "epochs": 1}
    row = {
        "mse": mse,
        "optimal_mse": optimal_mse(signal, options.order),
        "steps_per_second": (len(signal) - 1) / seconds,
    }
    recorder.epoch({"epoch": 1, **row})
    return {"status": "finished", "parameters": 0, "epochs": 1, **row}


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
    return float((signal @ signal - explained) / len(signal))
