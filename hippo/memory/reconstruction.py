"""Reconstruct the past from coefficients."""

from typing import Any

import numpy as np

from hippo.kernels.arrays import is_tensor
from hippo.memory.arrays import on_device, real_array
from hippo.operators.checks import check_integer, check_positive
from hippo.operators.dynamics import SCALE_INVARIANT, ScaleInvariant, TimeInvariant, check_dynamics

POINTS_AT_ONCE = 4096  # points of a reconstruction: their basis (4096, order) fits in the cache


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
        If the measure is unknown or has no basis (random, diagonal systems), the dynamics do not fit it, or a shape,
        a position or `span` is out of range.
    TypeError
        If `coefficients` does not hold real numbers, `span` is not a number, or `points` is a boolean.

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
