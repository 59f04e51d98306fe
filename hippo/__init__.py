"""HiPPO: recurrent memory by optimal polynomial projections, as a library and a laboratory."""

from importlib import import_module

# The workflow imports `hippo.lab.plan.experiment` while it parses its DAG, so the public face loads on first use.
_HOME = {
    "transition": "hippo.operators.measures",
    "project": "hippo.memory",
    "reconstruct": "hippo.memory",
    "OnlineMemory": "hippo.memory",
}
__all__ = ["OnlineMemory", "project", "reconstruct", "transition"]


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'hippo' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOME[name]), name)
