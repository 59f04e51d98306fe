"""A cell's whole stretch of steps in one compiled call (csrc/recurrent_cell.hpp, csrc/hippo_cell.hpp)."""

import torch
from torch import Tensor

from hippo.kernels import backend


def serves(recurrence) -> bool:
    """Whether a compiled form computes this `Recurrence`: there is one, its states are float32, on a CPU."""
    return (
        recurrence.kernel is not None
        and recurrence.working == torch.float32
        and recurrence.w_in.device.type == "cpu"
        and backend().compiled is not None
    )


def run(recurrence, steps: int, updated: dict[str, Tensor | None], adjoint: bool, sizes: dict, weights: dict) -> None:
    """Call the kernel over the tape that `recurrence` holds.

    updated: what the call writes, and the gradient from outside that it reads; sizes, weights: what this cell has
    besides those that all cells have.
    """
    tape = recurrence.tape
    sizes = {
        "steps": steps,
        "batch": tape["z"].shape[1],
        "hidden": recurrence.hidden_size,
        "bfloat16": recurrence.compute == torch.bfloat16,
        "adjoint": adjoint,
        **sizes,
    }
    # The contiguous copies live until the call returns; what the call writes to is contiguous already.
    tensors = {"w_rec": recurrence.w_rec, **weights, **updated, **tape}
    tensors = {name: tensor.detach().contiguous() for name, tensor in tensors.items() if tensor is not None}
    arrays = {name: _view(tensor) for name, tensor in tensors.items()}
    getattr(backend().compiled, recurrence.kernel)(sizes, arrays, torch.get_num_threads())


def _view(tensor: Tensor):
    """A NumPy view; bfloat16, which NumPy lacks, as its bits."""
    return (tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor).numpy()
