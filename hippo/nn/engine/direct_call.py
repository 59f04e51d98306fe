"""Calls that `torch.compile` does not read. Imported on first use, because it imports PyTorch's compiler."""

import inspect
from collections.abc import Callable
from typing import Any

import torch

EAGER = "its kernels are faster outside of the compiled program: compile without fullgraph=True"
# PyTorch 2.6 knows no reason.
REASON = {"reason": EAGER} if "reason" in inspect.signature(torch.compiler.disable).parameters else {}


def _call(method: Callable, *arguments: Any, **options: Any) -> Any:
    return method(*arguments, **options)


call = torch.compiler.disable(_call, **REASON)
