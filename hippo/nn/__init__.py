"""Recurrent models. Imports torch only when a model is built."""

from importlib import import_module

_HOME = {
    "available_models": "hippo.nn.build",
    "build_model": "hippo.nn.build",
    "SequenceModel": "hippo.nn.sequence",
}
__all__ = ["SequenceModel", "available_models", "build_model"]


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'hippo.nn' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOME[name]), name)
