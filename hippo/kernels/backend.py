"""Which kernels serve: the compiled module for the best instruction set of this processor, or the PyTorch twin.

`HIPPO_KERNELS=torch|scalar|avx2|avx512` forces one. A compiled module that is absent, broken, or built for
another machine is no error: the twin serves, and one warning names the cause.
"""

import importlib
import os
import warnings
from dataclasses import dataclass
from functools import cache
from types import ModuleType

INTERFACE = 3  # of the compiled module, csrc/bindings.cpp: both change with any signature
BACKENDS = ("torch", "scalar", "avx2", "avx512")


@dataclass(frozen=True)
class Backend:
    """The kernels in use: name (one of BACKENDS), why they were chosen, the compiled module (None for torch)."""

    name: str
    reason: str
    compiled: ModuleType | None = None


@cache
def backend() -> Backend:
    """The kernels in use, chosen on the first call. ValueError if HIPPO_KERNELS names what cannot run here."""
    forced = os.environ.get("HIPPO_KERNELS", "")
    if forced and forced not in BACKENDS:
        raise ValueError(f"HIPPO_KERNELS={forced}: expected one of {', '.join(BACKENDS)}")
    if forced == "torch":
        return Backend("torch", "HIPPO_KERNELS=torch asks for it")
    try:
        compiled = importlib.import_module("hippo._kernels")
    except ImportError as error:  # absent, wrong ABI, missing symbol or truncated: all reach us as ImportError
        return _twin(f"the compiled module hippo._kernels does not load: {error}")
    if getattr(compiled, "interface", None) != INTERFACE:
        return _twin("the compiled module hippo._kernels was built from another version of the source")
    runnable = compiled.supported()
    if forced and forced not in runnable:
        raise ValueError(f"HIPPO_KERNELS={forced}: this processor and build run only {', '.join(runnable)}")
    name = forced or runnable[-1]
    compiled.choose(name)
    reason = f"HIPPO_KERNELS={forced} asks for it" if forced else f"the best of {', '.join(runnable)} here"
    return Backend(name, reason, compiled)


def _twin(cause: str) -> Backend:
    warnings.warn(
        f"{cause}; the PyTorch twin serves instead, slower. Reinstall with a C++ compiler to get the kernels.",
        RuntimeWarning,
        stacklevel=3,
    )
    return Backend("torch", cause)
