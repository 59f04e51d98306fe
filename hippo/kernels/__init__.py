"""The LegS kernels in O(N): one step of a batch of memories, its adjoint, and the projection of long signals.

Each runs compiled where it can and as its PyTorch twin where it cannot (`backend`), on NumPy arrays or torch
tensors, sharing their memory. No gradient passes through them by itself: tensors that require one are refused
unless gradients are off, as they are inside an autograd function. Source of the operator: Gu et al. 2020
(arXiv 2008.07669), section 3.3.
"""

from itertools import pairwise

import numpy as np

from hippo.kernels.arrays import (
    FLOATS,
    check_alpha,
    check_ratios,
    detached,
    is_foreign,
    is_tensor,
    operand,
    real,
    shared,
    step_ratios,
)
from hippo.kernels.backend import Backend, backend

__all__ = ["Backend", "backend", "first_nonfinite", "legs_project", "legs_step", "legs_step_adjoint"]

# The least step ratio that a float32 state takes: of smaller ones its rounding would swallow the changes.
LEAST_RATIO = 2.0**-20
PIECE = 2**16  # inputs that are held in float64 at once


def legs_step(state, inputs, step, alpha: float = 0.5) -> None:
    """One LegS step, in place: c <- (I - alpha s A)^-1 [(I + (1 - alpha) s A) c + s B f].

    state (batch, N) float32 or float64, C-contiguous; inputs (batch,); step the ratio s of the step to the time
    it ends at (1/k at input k of a uniform signal), one number or (batch,); alpha 0 Euler, 1/2 bilinear,
    1 backward Euler. ValueError or TypeError: shapes, dtypes or layouts that do not fit.
    """
    check_alpha(alpha)
    if is_foreign(state):
        return _twin().legs_step(detached("state", state), inputs, step, alpha)
    array = shared("state", state, ndim=2)
    inputs = operand("inputs", inputs, array.dtype, array.shape[:1])
    step = step_ratios(step, array.dtype, len(array))
    if 0 in array.shape:
        return None
    if compiled := backend().compiled:
        return compiled.legs_step(array, inputs, step, alpha)
    return _twin().legs_step(*_tensors(array, inputs, step), alpha)


def legs_step_adjoint(grad, step, alpha: float = 0.5):
    """The adjoint of `legs_step`: grad (batch, N) of the new state becomes, in place, that of the old state.

    Returns the gradient of inputs (batch,), of grad's kind and dtype. step and alpha as in the step itself.
    ValueError or TypeError: shapes, dtypes or layouts that do not fit.
    """
    check_alpha(alpha)
    if is_foreign(grad):
        return _twin().legs_step_adjoint(detached("grad", grad), step, alpha)
    array = shared("grad", grad, ndim=2)
    step = step_ratios(step, array.dtype, len(array))
    inputs = np.zeros(len(array), dtype=array.dtype)
    if 0 not in array.shape:
        if compiled := backend().compiled:
            compiled.legs_step_adjoint(array, inputs, step, alpha)
        else:
            inputs[:] = _twin().legs_step_adjoint(*_tensors(array, step), alpha).numpy()
    return _tensors(inputs)[0] if is_tensor(grad) else inputs


def legs_project(state, inputs, first: int = 0, *, steps=None, alpha: float = 0.5, stride: int = 0):
    """Feed the signals inputs (batch, length) to the memories state (batch, N), in place, in one pass.

    The inputs are numbers first, first + 1, ...: input 0 sets c = [f, 0, ..., 0], input k >= 1 has step ratio
    1/k, or with steps, (length,) or (batch, length), the ratio there. state float32 or float64, C-contiguous;
    alpha as in `legs_step`. From the first ratio below 2^-20 on, a float32 state is carried in float64 and rounded
    at the end of the call: many short calls that late need a float64 state (`OnlineMemory` keeps one). Returns the
    coefficients after every stride inputs, an array (batch, length // stride, N), if stride.
    ValueError or TypeError: shapes, dtypes or layouts that do not fit.
    """
    check_alpha(alpha)
    array = shared("state", state, ndim=2)
    length = real("inputs", inputs, ndim=2).shape[1]
    inputs = operand("inputs", inputs, array.dtype, (len(array), length))
    if not all(isinstance(n, int | np.integer) and n >= 0 for n in (first, stride)):
        raise ValueError(f"first and stride must be integers, not negative, got {first!r} and {stride!r}")
    if steps is not None:
        shape = (length,) if real("steps", steps).ndim == 1 else inputs.shape
        steps = check_ratios(operand("steps", steps, np.dtype(np.float64), shape))
    end, snapshots = feed(array, inputs, first, steps, alpha, stride)
    array[:] = end
    return snapshots


def feed(state: np.ndarray, inputs: np.ndarray, first: int, steps: np.ndarray | None, alpha: float, stride: int):
    """`legs_project` of arrays that are known to fit; returns the state, too.

    It is `state` itself, updated in place, or a float64 one if ratios below LEAST_RATIO came to a float32 state.
    steps float64; the coefficients on the way have the dtype of `inputs`.
    """
    batch, length = inputs.shape
    if state.dtype == np.float32:
        wide = _first_fine(first, steps, length)  # from here on in float64
    else:
        wide = length if inputs.dtype == np.float64 else 0
    if wide == length:
        return state, _run(state, inputs, first, steps, alpha, stride, 0)
    snapshots = np.empty((batch, length // stride, state.shape[1]), dtype=inputs.dtype) if stride else None
    for begin, end in pairwise(sorted({0, *range(wide, length, PIECE), length})):
        if begin == wide:
            state = state.astype(np.float64, copy=False)
        ratios = None if steps is None else steps[..., begin:end]
        rows = _run(state, inputs[:, begin:end], first + begin, ratios, alpha, stride, begin)
        if stride:
            snapshots[:, begin // stride : end // stride] = rows
    return state, snapshots


def _run(state, inputs, first, steps, alpha, stride, seen):
    """One call of the kernel, in the dtype of `state`; `seen` inputs before these count for the stride."""
    (batch, length), (_, order), dtype = inputs.shape, state.shape, state.dtype
    none = _NONE[dtype]
    snapshots = np.empty((batch, (seen % stride + length) // stride, order), dtype=dtype) if stride else none
    if inputs.size and order:
        inputs = np.ascontiguousarray(inputs, dtype=dtype)
        steps = none if steps is None else np.ascontiguousarray(steps, dtype=dtype)
        if compiled := backend().compiled:
            compiled.legs_project(state, inputs, steps, first, alpha, stride, seen, snapshots)
        else:
            _twin().legs_project(*_tensors(state, inputs, steps), first, alpha, stride, seen, *_tensors(snapshots))
    return snapshots if stride else None


def first_nonfinite(values: np.ndarray) -> int:
    """Position of the first NaN or infinity in the float32 or float64 array, counted in C order; -1 without any."""
    if values.flags.c_contiguous and (compiled := backend().compiled):
        return compiled.first_nonfinite(values)
    wrong = np.flatnonzero(~np.isfinite(values))
    return int(wrong[0]) if len(wrong) else -1


_NONE = {dtype: np.empty(0, dtype=dtype) for dtype in FLOATS}


def _first_fine(first: int, steps: np.ndarray | None, length: int) -> int:
    """The first input whose step ratio is below LEAST_RATIO, but not 0, which changes nothing; else `length`."""
    if steps is None:
        return min(max(int(1 / LEAST_RATIO) + 1 - first, 0), length)
    fine = np.atleast_2d((steps > 0) & (steps < LEAST_RATIO)).any(axis=0)
    return int(fine.argmax()) if fine.any() else length


def _twin():
    from hippo.kernels import twin  # imports torch, which whoever never needs the twin may be without

    return twin


def _tensors(*arrays: np.ndarray):
    import torch

    # What is read-only is only read: torch warns of such arrays, so it gets a copy.
    return [torch.from_numpy(a if a.flags.writeable else a.copy()) for a in arrays]
