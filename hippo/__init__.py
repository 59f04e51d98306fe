"""HiPPO: recurrent memory by optimal polynomial projections, as a library and a laboratory.

The names below are imported on first use, so that `import hippo` imports neither NumPy nor torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hippo.memory import OnlineMemory, project, reconstruct
    from hippo.operators import transition

__all__ = ["OnlineMemory", "project", "reconstruct", "transition"]

_MODULES = {
    "OnlineMemory": "hippo.memory",
    "project": "hippo.memory",
    "reconstruct": "hippo.memory",
    "transition": "hippo.operators",
}


def __getattr__(name: str):
    if name not in _MODULES:
        raise AttributeError(f"module 'hippo' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
