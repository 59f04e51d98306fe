"""Calls of the compiled cells: all steps of a chunk in one call (csrc/cells)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from hippo.kernels import backend
from hippo.nn.engine.phases import phase

# With fewer columns than a vector of the kernels has, PyTorch's product is faster.
LEAST_COLUMNS = 32


@dataclass(frozen=True)
class CompiledCall:
    """One call of a compiled cell.

    The names of tensors and numbers are those of csrc/cells/interface.hpp. The compiled function refuses a name that it
    does not know, a tensor that is missing, and one of another dtype or shape, and names it.

    Attributes
    ----------
    kernel : str
        Name of the compiled cell, for example "gru"; one that `serves` accepts.
    backward : bool
        Run the adjoint of the chunk, otherwise the chunk itself.
    steps, batch_size, hidden_size : int
        Steps of the chunk, samples, hidden units.
    compute : torch.dtype
        Type of the tape, float32 or bfloat16.
    tensors : mapping of str to Tensor or None
        Weights and inputs, which are read; states or their gradients, the tape and gradients of weights, which are
        updated in place and must be contiguous. None stands for an optional tensor that is not given.
    numbers : mapping of str to number
        What the cell needs besides the attributes above.
    """

    kernel: str | None
    backward: bool
    steps: int
    batch_size: int
    hidden_size: int
    compute: torch.dtype
    tensors: Mapping[str, Tensor | None]
    numbers: Mapping[str, int | float | bool] = field(default_factory=dict)


def serves(kernel: str | None, compute: torch.dtype, weight: Tensor) -> bool:
    """Return True if a compiled form exists and computes with these types here.

    Parameters
    ----------
    kernel : str or None
        Name of the compiled cell; None if there is none.
    compute : torch.dtype
        Type of products and of the tape.
    weight : Tensor
        A weight; its dtype is that of the states.

    Returns
    -------
    bool
        True for float32 states on a CPU whose kernels are compiled and have such products.
    """
    chosen = backend()
    return (
        kernel is not None
        and weight.dtype == torch.float32
        and weight.device.type == "cpu"
        and chosen.compiled is not None
        and (compute == torch.float32 or chosen.policy is not None)
    )


def run(call: CompiledCall) -> None:
    """Run all steps of a chunk in one call of the compiled module, on as many threads as PyTorch uses."""
    assert call.kernel is not None  # `serves` refuses it
    # The contiguous copies exist until the call returns. What the call updates is contiguous already.
    tensors = {name: tensor.detach().contiguous() for name, tensor in call.tensors.items() if tensor is not None}
    with phase("loop backward" if call.backward else "loop forward"):
        getattr(backend().compiled, call.kernel)(
            threads=torch.get_num_threads(),
            steps=call.steps,
            batch_size=call.batch_size,
            hidden_size=call.hidden_size,
            bfloat16=call.compute == torch.bfloat16,
            backward=call.backward,
            **call.numbers,
            **{name: _view(tensor) for name, tensor in tensors.items()},
        )


def has_weight_gradient(left: Tensor, right: Tensor) -> bool:
    """Return True if `weight_gradient` serves for these operands, and is faster than PyTorch's product."""
    chosen = backend()
    return (
        left.dtype in (torch.float32, torch.bfloat16)
        and left.device.type == "cpu"
        and chosen.compiled is not None
        and chosen.compiled.has_weight_gradient(bfloat16=left.dtype == torch.bfloat16)
        and min(left.shape[1], right.shape[1]) >= LEAST_COLUMNS
    )


def weight_gradient(left: Tensor, right: Tensor) -> Tensor:
    """Compute left^T right in float32 from operands of one type, (rows, m) and (rows, n) -> (m, n)."""
    out = torch.empty(left.shape[1], right.shape[1])  # (m, n)
    module = backend().compiled
    assert module is not None  # `has_weight_gradient` refuses
    module.weight_gradient(torch.get_num_threads(), _view(left), _view(right), out.numpy())
    return out


def _view(tensor: Tensor):
    """Return a NumPy view; that of bfloat16, a type that NumPy lacks, shows the bits as int16."""
    return (tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor).numpy()
