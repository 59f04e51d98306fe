"""NumPy arrays and torch tensors at the kernels' door: checked, and shared without copies."""

import sys

import numpy as np

FLOATS = frozenset({np.dtype(np.float32), np.dtype(np.float64)})  # of native byte order


def is_tensor(value) -> bool:
    """True for a torch tensor; never imports torch, for there are no tensors where nobody has."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_foreign(value) -> bool:
    """True for a tensor outside the CPU's memory, which only the PyTorch twin can serve."""
    return is_tensor(value) and value.device.type != "cpu"


def viewed(value):
    """The NumPy view of a CPU tensor; anything else as it is."""
    if not is_tensor(value):
        return value
    return (value.detach() if value.requires_grad else value).numpy()


def shared(name: str, value, ndim: int) -> np.ndarray:
    """The array (or the view of a CPU tensor) that a kernel updates in place; error unless that is possible."""
    array = viewed(value)
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
    """`value` as a contiguous array of `dtype` and `shape`, shared where it already is one."""
    array = viewed(value)
    if not (isinstance(array, np.ndarray) and array.dtype == dtype and array.flags.c_contiguous):
        array = np.ascontiguousarray(array, dtype=dtype)
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {array.shape}")
    return array


def step_ratios(step, dtype: np.dtype, batch: int) -> np.ndarray:
    """The step ratios as an array (1,) or (batch,) of `dtype`; ValueError unless they fit."""
    if isinstance(step, float) and 0 <= step < np.inf:
        return np.array([step], dtype=dtype)
    array = np.ascontiguousarray(viewed(step), dtype=dtype)  # a number comes out as (1,)
    if array.ndim > 1 or len(array) not in (1, batch):
        raise ValueError(f"step must be a number or have shape ({batch},), got {array.shape}")
    return check_ratios(array)


def check_ratios(array: np.ndarray) -> np.ndarray:
    """`array` itself; ValueError unless every step ratio is finite and not negative."""
    if not ((array >= 0) & (array < np.inf)).all():
        raise ValueError("step ratios must be finite and not negative")
    return array
