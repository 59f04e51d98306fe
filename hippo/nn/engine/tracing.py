"""Programs that PyTorch reads instead of running them: `torch.compile`, `torch.export`, `torch.func`, `torch.jit`."""

from collections.abc import Callable
from typing import Any

import torch


def is_traced() -> bool:
    """Return True inside `torch.compile`, `torch.export` or a transform of `torch.func`.

    The values of tensors are then unknown, and a kernel runs only as an operator (`hippo.nn.engine.operators`).
    """
    return torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()


def runs_directly() -> bool:
    """Return True where PyTorch computes a call at once and reads no program from it."""
    return not (is_traced() or torch._C._get_tracing_state())


class NotScriptable:
    """A module that `torch.jit.script` refuses with a clear message."""

    def __prepare_scriptable__(self):
        raise RuntimeError(f"{type(self).__name__} cannot be compiled by torch.jit: use torch.export or torch.compile")


def leaves_graph(module: torch.nn.Module, inputs: torch.Tensor) -> bool:
    """Return True where `torch.compile` reads a call whose kernels for a CPU have no operator; they are faster."""
    refuse_jit(type(module).__name__)
    return torch.compiler.is_compiling() and not is_exported() and inputs.device.type == "cpu"


def is_exported() -> bool:
    """Return True inside `torch.export`."""
    exporting = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)  # PyTorch 2.6 does not tell
    return exporting()


def refuse_jit(name: str) -> None:
    """Raise RuntimeError inside `torch.jit.trace`, which would store a kernel's outputs as constants."""
    if torch.jit.is_tracing():
        raise RuntimeError(f"{name} cannot be compiled by torch.jit: use torch.export or torch.compile")


def refuse_tracing(name: str) -> None:
    """Raise RuntimeError where a kernel without an operator would be traced."""
    refuse_jit(name)
    if is_exported() or torch._C._are_functorch_transforms_active():
        raise RuntimeError(f"{name} has no operator for torch.export and torch.func: call it outside of them")


def call_directly(method: Callable, *arguments: Any, **options: Any) -> Any:
    """Call a method outside of the program that `torch.compile` reads."""
    from hippo.nn.engine.direct_call import call  # imports PyTorch's compiler

    return call(method, *arguments, **options)
