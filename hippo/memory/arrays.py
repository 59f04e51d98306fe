"""Signals of any kind as NumPy arrays, and results in the kind of the input."""

import os
import sys
from typing import Any

import numpy as np

from hippo.kernels.arrays import FLOATS, detached, is_tensor


def real_array(name: str, value) -> np.ndarray:
    """Return numbers as an array of float32 or float64.

    float32 stays float32; all other real numbers become float64.

    Parameters
    ----------
    name : str
        Name of the argument, for error messages.
    value : array_like or torch.Tensor

    Returns
    -------
    ndarray
        On the CPU; shares memory with `value` if no conversion is necessary.

    Raises
    ------
    TypeError
        If `value` does not hold real numbers, or is a masked array or a sparse matrix.
    ValueError
        If `value` is a tensor that requires a gradient.
    """
    check_dense(name, value)
    if is_tensor(value):
        torch = sys.modules["torch"]
        exporting = getattr(torch.compiler, "is_exporting", bool)()
        if exporting or torch._C._are_functorch_transforms_active():
            raise TypeError(
                f"{name} is a tensor without values: torch.export and torch.func cannot read a memory of hippo; "
                "use the layers of hippo.nn"
            )
        value = detached(name, value)
        if value.is_complex():
            raise TypeError(f"{name} must hold real numbers, got {value.dtype}")
        value = value.to(torch.float32 if value.dtype == torch.float32 else torch.float64).cpu().resolve_neg().numpy()
    array = as_array(name, value)
    if array.dtype in FLOATS:
        return array
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}")
    return array.astype(np.float64)


def as_array(name: str, value) -> np.ndarray:
    """Return `np.asarray(value)`; ValueError that names the argument if its parts have unequal lengths."""
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is no array, its parts may have unequal lengths: {error}") from None


def check_dense(name: str, value) -> None:
    """Raise TypeError if `value` is a masked array, a SciPy sparse matrix or a sparse tensor."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array: fill its masked values first")
    sparse = sys.modules.get("scipy.sparse")
    if sparse is not None and sparse.issparse(value):
        raise TypeError(f"{name} is a sparse matrix: pass {name}.toarray()")
    if is_tensor(value) and value.layout != sys.modules["torch"].strided:
        raise TypeError(f"{name} is a sparse tensor: pass {name}.to_dense()")


def float_dtype(dtype) -> np.dtype:
    """Return a NumPy or torch dtype, or its name, as a NumPy dtype; TypeError unless it is float32 or float64."""
    name = str(dtype).removeprefix("torch.") if not isinstance(dtype, type) else np.dtype(dtype).name
    if name not in ("float32", "float64"):
        raise TypeError(f"dtype must be float32 or float64, got {dtype!r}")
    return np.dtype(name)


def on_device(array: np.ndarray, device) -> Any:
    """Return `array` as a tensor on `device`, or unchanged if `device` is None."""
    return array if device is None else sys.modules["torch"].from_numpy(array).to(device)


def index_text(flat: int, shape: tuple[int, ...]) -> str:
    """Describe position `flat`, counted in C order, of an array of `shape`: " at index (0, 3)"; "" for a scalar."""
    index = tuple(int(i) for i in np.unravel_index(flat, shape)) if shape else ()
    return f" at index {index[0] if len(index) == 1 else index}" if index else ""


def check_allocation(what: str, size: int) -> None:
    """Raise MemoryError if `size` bytes are more than the physical memory of this machine.

    Without the check, Linux grants the address space and the process is ended later, or fails after long work.
    """
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not known on this operating system
        return
    if size > total > 0:
        raise MemoryError(f"{what} needs {size:,} bytes; this machine has {total:,} bytes of memory")
