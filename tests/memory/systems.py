"""Every memory that there is, and its recurrence written out in dense float64 matrices."""

import numpy as np
from scipy.linalg import expm

from hippo import transition
from hippo.operators import MEASURES

# (measure, dynamics), where None means the measure's default
SYSTEMS = [(measure, None) for measure in MEASURES] + [("legs", "time-invariant")]
WINDOWS = {"fout": 2.0}  # of the matrices at theta = 1; the other measures have 1


def valid_order(measure, order):
    """`order`, or the next even number for systems whose states are pairs."""
    return order + order % 2 if measure == "fout" or measure.startswith("diag_") else order


def is_scale_invariant(measure, dynamics=None):
    return measure == "legs" and dynamics is None


def theta_of(measure, dynamics, theta):
    """`theta`, or None for the memory that has none."""
    return None if is_scale_invariant(measure, dynamics) else theta


def textbook(signal, order, measure, dynamics=None, *, theta=None, alpha=0.5, times=None):
    """Coefficients (length, order) after each input; scale-invariant by weight alpha, the others by zero-order hold."""
    signal = np.asarray(signal, dtype=np.float64)
    A, B = transition(measure, order)
    if is_scale_invariant(measure, dynamics):
        return _scale_invariant(signal, A, B, alpha, np.arange(len(signal)) if times is None else times)
    step = WINDOWS.get(measure, 1.0) / (len(signal) if theta is None else theta)
    held = expm(np.block([[A * step, B[:, None] * step], [np.zeros((1, order + 1))]]))
    c, coefficients = np.zeros(order), []
    for f in signal:
        c = held[:order, :order] @ c + held[:order, order] * f
        coefficients.append(c)
    return np.stack(coefficients)


def _scale_invariant(signal, A, B, alpha, times):
    order = len(B)
    c = np.zeros(order)
    c[0] = signal[0]
    coefficients = [c]
    for k in range(1, len(signal)):
        s = (times[k] - times[k - 1]) / times[k] if times[k] > times[k - 1] else 0.0
        c = np.linalg.solve(np.eye(order) - alpha * s * A, c + (1 - alpha) * s * A @ c + s * B * signal[k])
        coefficients.append(c)
    return np.stack(coefficients)
