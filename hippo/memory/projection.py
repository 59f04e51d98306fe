"""Project whole signals."""

from typing import Any

import numpy as np

from hippo.kernels.arrays import is_tensor
from hippo.memory.arrays import as_array, check_dense, real_array
from hippo.memory.online import OnlineMemory
from hippo.operators.checks import check_integer
from hippo.operators.dynamics import SCALE_INVARIANT, check_dynamics


def project(
    signal,
    order: int,
    measure: str = "legs",
    *,
    dynamics: str | None = None,
    theta: float | None = None,
    discretization: str | float | None = None,
    timestamps=None,
    stride: int | None = None,
    dtype=None,
    nonfinite: str = "raise",
    seed: int = 0,
) -> Any:
    """Return the coefficients of signals after one pass over them.

    Parameters
    ----------
    signal : array_like or torch.Tensor, shape (..., length)
        float32 is computed in float32, all other real numbers in float64.
    order : int
        Number of coefficients.
    measure : {"legs", "legt", "lmu", "lagt", "fout", "random", "diag_legs", ...}, default "legs"
        Name of the measure, or of a diagonal system; see `hippo.transition`.
    dynamics : {"scale-invariant", "time-invariant"}, optional
        As in `OnlineMemory`.
    theta : float, optional
        As in `OnlineMemory`, in samples; default for time-invariant dynamics: the length of the signal.
    discretization : str or float, optional
        As in `OnlineMemory`.
    timestamps : array_like or torch.Tensor, shape (length,) or (..., length), optional
        Times of the samples, only for scale-invariant dynamics: finite, not negative and never decreasing.
    stride : int, optional
        Interval, in samples, after which coefficients are returned; default: only after the last sample.
    dtype : {"float32", "float64"}, optional
        Precision; default: that of the signal.
    nonfinite : {"raise", "pass"}, default "raise"
        As in `OnlineMemory`.
    seed : int, default 0
        Seed of the measure `random`.

    Returns
    -------
    ndarray or torch.Tensor, shape (..., order), or (..., length // stride, order) with `stride`
        Of the kind and on the device of `signal`.

    Raises
    ------
    ValueError
        If the signal is empty, or `OnlineMemory` refuses an argument, a sample or a timestamp.
    TypeError
        If an argument has the wrong type.
    MemoryError
        If the memory needs more bytes than this machine has.

    Examples
    --------
    >>> import numpy as np
    >>> project(np.ones(100), order=3).round(6) + 0.0
    array([1., 0., 0.])
    """
    check_dense("signal", signal)
    if not is_tensor(signal):
        signal = as_array("signal", signal)
    shape = tuple(signal.shape)
    if not shape or 0 in shape:
        raise ValueError(f"signal must have shape (..., length) with at least one sample, got {shape}")
    stride = 0 if stride is None else check_integer("stride", stride)
    dynamics = check_dynamics(measure, dynamics)
    if theta is None and dynamics != SCALE_INVARIANT:
        theta = shape[-1]
    signals = int(np.prod(shape[:-1], dtype=np.int64))
    memory = OnlineMemory(
        measure,
        order,
        dynamics=dynamics,
        theta=theta,
        discretization=discretization,
        batch=signals,
        dtype=dtype,
        nonfinite=nonfinite,
        seed=seed,
    )
    if timestamps is not None:
        timestamps = real_array("timestamps", timestamps)
        if timestamps.ndim > 1 and timestamps.shape != shape:
            raise ValueError(f"timestamps must have shape {(shape[-1],)} or {shape}, got {timestamps.shape}")
    result = memory._project(signal, shape, timestamps, stride)
    return result.reshape((*shape[:-1], *result.shape[1:]))
