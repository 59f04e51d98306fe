"""Checks of NumPy arrays and torch tensors that are passed to the kernels, which share their memory."""

import sys
from numbers import Real

import numpy as np

LARGEST_RATIO = 1e30  # its products with orders stay far below the largest float32
FLOATS = frozenset({np.dtype(np.float32), np.dtype(np.float64)})  # of native byte order


def is_tensor(value) -> bool:
    """Return True for a torch tensor. Does not import torch: where nobody has imported it there are no tensors."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_on_other_device(value) -> bool:
    """Return True for a tensor outside the CPU's memory, which needs the PyTorch reference implementation."""
    return is_tensor(value) and value.device.type != "cpu"


def detached(name: str, tensor):
    """Return the tensor without its graph; ValueError if autograd would expect a gradient through it."""
    if not tensor.requires_grad:
        return tensor
    if sys.modules["torch"].is_grad_enabled():
        raise ValueError(
            f"{name} requires a gradient, and the kernels pass none: use {name}.detach(), call under "
            "torch.no_grad(), or use hippo.nn.HiPPOLayer, whose memory passes gradients"
        )
    return tensor.detach()


def _shared(name: str, tensor) -> np.ndarray:
    """The memory of a CPU tensor as an array; TypeError for a type that NumPy does not have."""
    if tensor.device.type != "cpu":
        raise TypeError(f"{name} is on {tensor.device}, and other arguments on the CPU: move it with {name}.cpu()")
    try:
        return detached(name, tensor).resolve_neg().numpy()
    except TypeError as error:
        raise TypeError(
            f"{name} is {tensor.dtype}, which NumPy cannot read ({error}): pass float32 or float64"
        ) from None


def real(name: str, value, ndim: int | None = None) -> np.ndarray:
    """Return an array of real numbers, of `ndim` dimensions if given, that shares the memory of `value` if it can."""
    array = np.asarray(_shared(name, value) if is_tensor(value) else value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}")
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimensions, got shape {array.shape}")
    return array


def updatable(name: str, value, ndim: int) -> np.ndarray:
    """Return an array (or the view of a CPU tensor) that a kernel can update in place; raise if there is none."""
    array = _shared(name, value) if is_tensor(value) else value
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} must be a numpy array or a torch tensor, got {type(value).__name__}")
    if array.dtype not in FLOATS:
        raise TypeError(f"{name} must be float32 or float64, got {array.dtype}")
    if array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimensions, got shape {array.shape}")
    flags = array.flags
    if not (flags.c_contiguous and flags.writeable):
        kind = "read-only" if flags.c_contiguous else "not C-contiguous"
        raise ValueError(f"{name} is updated in place and is {kind}: pass a contiguous, writable copy")
    return array


def operand(name: str, value, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """Return a contiguous array of `dtype` and `shape`, which shares the memory of `value` if it is one already."""
    array = real(name, value)
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    return array if array.dtype == dtype and array.flags.c_contiguous else np.ascontiguousarray(array, dtype=dtype)


def check_alpha(alpha: float) -> None:
    """Raise ValueError unless `alpha` is a number between 0 and 1."""
    if not (isinstance(alpha, Real) and 0 <= alpha <= 1):
        raise ValueError(f"alpha must be a number between 0 and 1, got {alpha!r}")


def step_ratio_array(step_ratio, dtype: np.dtype, batch: int) -> np.ndarray:
    """Return the step ratios as an array (1,) or (batch,) of `dtype`; raise ValueError unless they fit."""
    if isinstance(step_ratio, float) and 0 <= step_ratio <= LARGEST_RATIO:
        return np.array([step_ratio], dtype=dtype)
    array = np.ascontiguousarray(real("step_ratio", step_ratio), dtype=dtype)  # a number becomes an array (1,)
    if array.ndim > 1 or len(array) not in (1, batch):
        raise ValueError(f"step_ratio must be a number or have shape ({batch},), got {array.shape}")
    return check_step_ratios(array)


def check_step_ratios(array: np.ndarray) -> np.ndarray:
    """Return `array`; raise ValueError unless every step ratio is a number between 0 and `LARGEST_RATIO`."""
    if not ((array >= 0) & (array <= LARGEST_RATIO)).all():
        raise ValueError(f"step ratios must be numbers from 0 to {LARGEST_RATIO:g}; those of timestamps are at most 1")
    return array
