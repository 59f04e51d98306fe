"""Reconstruction of a signal by an online memory, which has nothing to train.

References
----------
Gu, Dao, Ermon, Rudra and Ré, "HiPPO: Recurrent Memory with Optimal Polynomial Projections", NeurIPS 2020, section 4.3.
"""

import time

import numpy as np

from hippo.lab.plan.reconstruction_options import MemoryOptions
from hippo.memory import OnlineMemory, reconstruct
from hippo.propagation import BLOCK


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
