"""The LegS kernels for NumPy arrays and torch tensors, with their checks."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from hippo.kernels.arrays import (
    FLOATS,
    check_alpha,
    check_step_ratios,
    detached,
    is_on_other_device,
    is_tensor,
    operand,
    real,
    step_ratio_array,
    updatable,
)
from hippo.kernels.backend import NUMPY, backend
from hippo.kernels.threads import threads_for

# The least step ratio that a float32 state takes. With smaller ones its rounding would exceed the changes.
LEAST_STEP_RATIO = 2.0**-20
CHUNK = 2**16  # inputs that are held in float64 at once


def legs_step(state, inputs, step_ratio, alpha: float = 0.5) -> None:
    """Update a batch of LegS memories by one input each, in place.

    The update is c <- (I - alpha s A)^-1 [(I + (1 - alpha) s A) c + s B f] with the step ratio s.

    Parameters
    ----------
    state : ndarray or Tensor, shape (batch, N)
        The memories, float32 or float64, C-contiguous.
    inputs : array_like, shape (batch,)
        One input f for each memory.
    step_ratio : float or array_like, shape (batch,)
        Δt/t of the step, where t is the time at its end: 1/k at input k of a uniform signal. Not negative.
    alpha : float, default 0.5
        Discretization rule: 0 Euler, 1/2 bilinear, 1 backward Euler, and numbers between them.

    Raises
    ------
    ValueError, TypeError
        If shapes, dtypes or memory layouts do not fit, or if `state` or `inputs` require a gradient.

    References
    ----------
    Gu et al. (NeurIPS 2020), proposition 4.

    Examples
    --------
    >>> state = np.array([[1.0, 0.0]])  # the memory of one input, 1
    >>> legs_step(state, [3.0], 1 / 1)
    >>> state.round(3)
    array([[2.333, 0.577]])
    """
    check_alpha(alpha)
    if is_on_other_device(state):
        return _on_device().legs_step(detached("state", state), inputs, step_ratio, alpha)
    array = updatable("state", state, ndim=2)
    inputs = operand("inputs", inputs, array.dtype, array.shape[:1])
    step_ratios = step_ratio_array(step_ratio, array.dtype, len(array))
    if 0 in array.shape:
        return None
    if compiled := backend().compiled:
        return compiled.legs_step(array, inputs, step_ratios, alpha)
    return _reference("legs_step")(array, inputs, step_ratios, alpha)


def legs_step_adjoint(grad, step_ratio, alpha: float = 0.5):
    """Backpropagate through `legs_step`.

    Parameters
    ----------
    grad : ndarray or Tensor, shape (batch, N)
        Gradient of the new state. Overwritten by the gradient of the old state.
    step_ratio, alpha
        As in the step itself.

    Returns
    -------
    ndarray or Tensor, shape (batch,)
        Gradient of the inputs, of the kind and dtype of `grad`.

    Raises
    ------
    ValueError, TypeError
        If shapes, dtypes or memory layouts do not fit.
    """
    check_alpha(alpha)
    if is_on_other_device(grad):
        return _on_device().legs_step_adjoint(detached("grad", grad), step_ratio, alpha)
    array = updatable("grad", grad, ndim=2)
    step_ratios = step_ratio_array(step_ratio, array.dtype, len(array))
    inputs = np.zeros(len(array), dtype=array.dtype)
    if 0 not in array.shape:
        if compiled := backend().compiled:
            compiled.legs_step_adjoint(array, inputs, step_ratios, alpha)
        else:
            inputs[:] = _reference("legs_step_adjoint")(array, step_ratios, alpha)
    return _tensor(inputs) if is_tensor(grad) else inputs


def legs_project(state, inputs, first: int = 0, *, step_ratios=None, alpha: float = 0.5, stride: int = 0):
    """Update a batch of LegS memories by a signal each, in place and in one pass.

    The signals are divided among as many threads as PyTorch uses. Their number does not change the results.

    From the first step ratio below 2^-20 on, a float32 state is carried in float64 and rounded at the end of the call.
    Many short calls that late need a float64 state; `OnlineMemory` keeps one.

    Parameters
    ----------
    state : ndarray or Tensor, shape (batch, N)
        The memories, float32 or float64, C-contiguous.
    inputs : array_like, shape (batch, length)
        The signals.
    first : int, default 0
        Number of the first input. Input 0 sets the memory to [f, 0, ..., 0]; input k >= 1 has step ratio 1/k.
    step_ratios : array_like, shape (length,) or (batch, length), optional
        Step ratio of every input, in place of 1/k.
    alpha : float, default 0.5
        Discretization rule, as in `legs_step`.
    stride : int, default 0
        Interval of snapshots, in inputs; 0 for none.

    Returns
    -------
    ndarray, shape (batch, length // stride, N), or None
        The coefficients after every `stride` inputs; None if `stride` is 0.

    Raises
    ------
    ValueError, TypeError
        If shapes, dtypes or memory layouts do not fit.

    Examples
    --------
    >>> state = np.zeros((1, 2))
    >>> legs_project(state, [[1.0, 3.0]], stride=1).round(3)
    array([[[1.   , 0.   ],
            [2.333, 0.577]]])
    """
    check_alpha(alpha)
    array = updatable("state", state, ndim=2)
    length = real("inputs", inputs, ndim=2).shape[1]
    inputs = operand("inputs", inputs, array.dtype, (len(array), length))
    if not all(isinstance(n, int | np.integer) and n >= 0 for n in (first, stride)):
        raise ValueError(f"first and stride must be integers, not negative, got {first!r} and {stride!r}")
    if step_ratios is not None:
        shape = (length,) if real("step_ratios", step_ratios).ndim == 1 else inputs.shape
        step_ratios = check_step_ratios(operand("step_ratios", step_ratios, np.dtype(np.float64), shape))
    end, snapshots = legs_project_unchecked(array, inputs, first, step_ratios, alpha, stride)
    array[:] = end
    return snapshots


def legs_project_unchecked(
    state: np.ndarray, inputs: np.ndarray, first: int, step_ratios: np.ndarray | None, alpha: float, stride: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Compute `legs_project` for arrays that are known to fit, and return the state too.

    Parameters
    ----------
    state, inputs, first, step_ratios, alpha, stride
        As in `legs_project`; step_ratios float64.

    Returns
    -------
    state : ndarray, shape (batch, N)
        `state` itself, updated in place; a float64 array if a float32 state met step ratios below LEAST_STEP_RATIO.
    snapshots : ndarray, shape (batch, length // stride, N), or None
        Of the dtype of `inputs`.
    """
    batch, length = inputs.shape
    if state.dtype == np.float32:
        in_float64 = _first_small(first, step_ratios, length)  # from this input on
    else:
        in_float64 = length if inputs.dtype == np.float64 else 0
    if in_float64 == length:
        return state, _project_chunk(state, inputs, first, step_ratios, alpha, stride, 0)
    snapshots = np.empty((batch, length // stride, state.shape[1]), dtype=inputs.dtype) if stride else None
    for begin, end in pairwise(sorted({0, *range(in_float64, length, CHUNK), length})):
        if begin == in_float64:
            state = state.astype(np.float64, copy=False)
        ratios = None if step_ratios is None else step_ratios[..., begin:end]
        rows = _project_chunk(state, inputs[:, begin:end], first + begin, ratios, alpha, stride, begin)
        if snapshots is not None:
            snapshots[:, begin // stride : end // stride] = rows
    return state, snapshots


def _project_chunk(state, inputs, first, step_ratios, alpha, stride, seen):
    """Call the kernel once, in the dtype of `state`; `seen` inputs before these count for the stride."""
    (batch, length), (_, order), dtype = inputs.shape, state.shape, state.dtype
    none = _NONE[dtype]
    snapshots = np.empty((batch, (seen % stride + length) // stride, order), dtype=dtype) if stride else none
    if inputs.size and order:
        inputs = np.ascontiguousarray(inputs, dtype=dtype)
        step_ratios = none if step_ratios is None else np.ascontiguousarray(step_ratios, dtype=dtype)
        if compiled := backend().compiled:
            threads = threads_for(batch, work=batch * length * order)
            compiled.legs_project(state, inputs, step_ratios, first, alpha, stride, seen, snapshots, threads)
        else:
            _reference("legs_project")(state, inputs, step_ratios, first, alpha, stride, seen, snapshots)
    return snapshots if stride else None


def first_nonfinite(values: np.ndarray) -> int:
    """Return the position of the first NaN or infinity.

    Parameters
    ----------
    values : ndarray
        float32 or float64, of any shape.

    Returns
    -------
    int
        Position in C order; -1 if all values are finite.

    Examples
    --------
    >>> first_nonfinite(np.array([[0.0, 1.0], [np.nan, 2.0]]))
    2
    """
    if values.flags.c_contiguous and (compiled := backend().compiled):
        return compiled.first_nonfinite(values)
    wrong = np.flatnonzero(~np.isfinite(values))
    return int(wrong[0]) if len(wrong) else -1


_NONE = {dtype: np.empty(0, dtype=dtype) for dtype in FLOATS}


def _first_small(first: int, step_ratios: np.ndarray | None, length: int) -> int:
    """Return the first input whose step ratio is in (0, LEAST_STEP_RATIO), otherwise `length`; 0 changes nothing."""
    if step_ratios is None:
        return min(max(int(1 / LEAST_STEP_RATIO) + 1 - first, 0), length)
    small = np.atleast_2d((step_ratios > 0) & (step_ratios < LEAST_STEP_RATIO)).any(axis=0)
    return int(small.argmax()) if small.any() else length


def _on_device():
    """The reference implementation for tensors on any device."""
    from hippo.kernels import reference

    return reference


def _reference(name: str) -> Callable:
    """A function of the reference implementation, for arrays: in NumPy if PyTorch is not in use."""
    if backend().instruction_set == NUMPY:
        from hippo.kernels import numpy_reference

        return getattr(numpy_reference, name)

    def call(*arguments):
        tensors = [_tensor(value) if isinstance(value, np.ndarray) else value for value in arguments]
        result = getattr(_on_device(), name)(*tensors)
        return None if result is None else result.numpy()

    return call


def _tensor(array: np.ndarray):
    import torch

    # torch warns of read-only arrays, so it gets copies of them. They are not updated.
    return torch.from_numpy(array if array.flags.writeable else array.copy())
