"""Project a whole signal, and reconstruct the past from coefficients."""

from typing import Any

import numpy as np

from hippo.kernels.arrays import is_tensor
from hippo.memory.arrays import check_dense, on_device, real_array
from hippo.memory.online import OnlineMemory
from hippo.operators.checks import check_integer, check_positive
from hippo.operators.dynamics import SCALE_INVARIANT, ScaleInvariant, TimeInvariant, check_dynamics

POINTS_AT_ONCE = 4096  # points of a reconstruction: their basis (4096, order) fits in the cache


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
    shape = tuple(signal.shape) if is_tensor(signal) else tuple(np.shape(signal))
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


def reconstruct(
    coefficients, measure: str = "legs", points=100, *, dynamics: str | None = None, span: float = 1.0
) -> Any:
    """Return the signal that coefficients represent.

    The past that is reconstructed is all of the signal for scale-invariant legs, the window for legt, lmu and fout,
    and one time constant, of length theta, for lagt and time-invariant legs.

    Parameters
    ----------
    coefficients : array_like or torch.Tensor, shape (..., order)
    measure : str, default "legs"
        Name of the measure that the coefficients belong to.
    points : int or array_like, shape (P,), default 100
        Number P of points, at the centers of P equal parts of the past, oldest first; or positions in the past, from
        0 (the oldest) to 1 (now).
    dynamics : {"scale-invariant", "time-invariant"}, optional
        Dynamics of the memory that the coefficients come from; default: scale-invariant for legs, time-invariant for
        all others.
    span : float, default 1
        Factor by which the past that is reconstructed is longer than that stated above.

    Returns
    -------
    ndarray or torch.Tensor, shape (..., P)
        Of the kind, dtype and device of `coefficients`.

    Raises
    ------
    ValueError
        If the measure has no basis (random), or a position or `span` is out of range.
    TypeError
        If `coefficients` does not hold real numbers, or `points` is a boolean.

    Examples
    --------
    >>> reconstruct([2.0, 0.0], points=3)
    array([2., 2., 2.])
    """
    dynamics = check_dynamics(measure, dynamics)
    span = check_positive("span", span)
    values = real_array("coefficients", coefficients)
    if values.ndim == 0 or 0 in values.shape:
        raise ValueError(f"coefficients must have shape (..., order), got {values.shape}")
    ages = span * (1 - _positions(points))
    order = values.shape[-1]
    if dynamics == SCALE_INVARIANT:
        system: ScaleInvariant | TimeInvariant = ScaleInvariant(measure, order)
    else:
        system = TimeInvariant(measure, order)
        ages = ages * system.time_unit
    result = np.empty((*values.shape[:-1], len(ages)), dtype=values.dtype)
    for start in range(0, len(ages), POINTS_AT_ONCE):
        part = slice(start, start + POINTS_AT_ONCE)
        result[..., part] = values @ system.basis(ages[part]).T
    return on_device(result, coefficients.device if is_tensor(coefficients) else None)


def _positions(points) -> np.ndarray:
    """Positions (P,) in the past, from 0 to 1."""
    if isinstance(points, int | np.integer | np.bool_):
        count = check_integer("points", points)
        return (np.arange(count) + 0.5) / count
    positions = np.asarray(real_array("points", points), dtype=np.float64)
    if positions.ndim != 1 or not ((positions >= 0) & (positions <= 1)).all():
        raise ValueError("points must be a count or positions (P,) between 0 (the oldest) and 1 (now)")
    return positions
