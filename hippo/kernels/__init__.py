"""The LegS kernels in O(N): one step of a batch of memories, its adjoint, and the projection of long signals.

Each runs compiled where it can and as its PyTorch twin where it cannot (`backend`), on NumPy arrays or torch
tensors, sharing their memory. Source of the operator: Gu et al. 2020 (arXiv 2008.07669), section 3.3.
"""

import numpy as np

from hippo.kernels.arrays import FLOATS, check_ratios, is_foreign, is_tensor, operand, shared, step_ratios
from hippo.kernels.backend import Backend, backend

__all__ = ["Backend", "backend", "first_nonfinite", "legs_project", "legs_step", "legs_step_adjoint"]


def legs_step(state, inputs, step, alpha: float = 0.5) -> None:
    """One LegS step, in place: c <- (I - alpha s A)^-1 [(I + (1 - alpha) s A) c + s B f].

    state (batch, N) float32 or float64, C-contiguous; inputs (batch,); step the ratio s of the step to the time
    it ends at (1/k at input k of a uniform signal), one number or (batch,); alpha 0 Euler, 1/2 bilinear,
    1 backward Euler. ValueError or TypeError: shapes, dtypes or layouts that do not fit.
    """
    if is_foreign(state):
        return _twin().legs_step(state, inputs, step, alpha)
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
    if is_foreign(grad):
        return _twin().legs_step_adjoint(grad, step, alpha)
    array = shared("grad", grad, ndim=2)
    step = step_ratios(step, array.dtype, len(array))
    inputs = np.zeros(len(array), dtype=array.dtype)
    if 0 not in array.shape:
        if compiled := backend().compiled:
            compiled.legs_step_adjoint(array, inputs, step, alpha)
        else:
            inputs[:] = _twin().legs_step_adjoint(*_tensors(array, step), alpha).numpy()
    return _tensors(inputs)[0] if is_tensor(grad) else inputs


def legs_project(
    state: np.ndarray,
    inputs: np.ndarray,
    first: int = 0,
    *,
    steps: np.ndarray | None = None,
    alpha: float = 0.5,
    stride: int = 0,
) -> np.ndarray | None:
    """Feed the signals inputs (batch, length) to the memories state (batch, N), in place, in one pass.

    The inputs are numbers first, first + 1, ...: input 0 sets c = [f, 0, ..., 0], input k >= 1 has step ratio
    1/k, or with steps, (length,) or (batch, length), the ratio there. state float32 or float64, C-contiguous;
    alpha as in `legs_step`. Returns the coefficients after every stride inputs, (batch, length // stride, N), if
    stride.
    ValueError or TypeError: shapes, dtypes or layouts that do not fit.
    """
    array = shared("state", state, ndim=2)
    batch, order = array.shape
    inputs = operand("inputs", inputs, array.dtype, (batch, inputs.shape[-1]))
    length = inputs.shape[1]
    if first < 0 or stride < 0:
        raise ValueError(f"first and stride must not be negative, got {first} and {stride}")
    if steps is not None:
        steps = check_ratios(operand("steps", steps, array.dtype, (length,) if steps.ndim == 1 else (batch, length)))
    return feed(array, inputs, first, steps, alpha, stride)


def feed(state: np.ndarray, inputs: np.ndarray, first: int, steps: np.ndarray | None, alpha: float, stride: int):
    """`legs_project` of arrays that are known to fit: contiguous, of one dtype, of matching shapes."""
    batch, order = state.shape
    none = _NONE[state.dtype]
    snapshots = np.empty((batch, inputs.shape[1] // stride, order), dtype=state.dtype) if stride else none
    if inputs.size and state.size:
        steps = none if steps is None else steps
        if compiled := backend().compiled:
            compiled.legs_project(state, inputs, steps, first, alpha, stride, snapshots)
        else:
            _twin().legs_project(*_tensors(state, inputs, steps), first, alpha, stride, *_tensors(snapshots))
    return snapshots if stride else None


def first_nonfinite(values: np.ndarray) -> int:
    """Position of the first NaN or infinity in the float32 or float64 array, counted in C order; -1 without any."""
    if values.flags.c_contiguous and (compiled := backend().compiled):
        return compiled.first_nonfinite(values)
    wrong = np.flatnonzero(~np.isfinite(values))
    return int(wrong[0]) if len(wrong) else -1


_NONE = {dtype: np.empty(0, dtype=dtype) for dtype in FLOATS}


def _twin():
    from hippo.kernels import twin  # imports torch, which whoever never needs the twin may be without

    return twin


def _tensors(*arrays: np.ndarray):
    import torch

    # Inputs may be read-only; the twin only reads them, so the writable view that torch wants is harmless.
    return [torch.from_numpy(a if a.flags.writeable else a.copy()) for a in arrays]
