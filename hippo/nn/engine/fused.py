"""The LegS cell's whole stretch of steps in one compiled call (csrc/hippo_cell.hpp)."""

import torch
from torch import Tensor

from hippo.kernels import backend
from hippo.nn.memory_update import ScaledLegendre


def serves(recurrence) -> bool:
    """Whether the compiled form computes this `HiPPORecurrence`: LegS, in float32 states, on a CPU."""
    return (
        isinstance(recurrence.memory, ScaledLegendre)
        and recurrence.working == torch.float32
        and recurrence.w_in.device.type == "cpu"
        and backend().compiled is not None
    )


def run(recurrence, x: Tensor, first: int, states: dict, grad_hidden: Tensor | None, adjoint: bool) -> None:
    """Advance `states`, or with `adjoint` take their gradients back, over the tape that `recurrence` holds."""
    steps, batch, inputs = x.shape
    tape, shares = recurrence.tape, recurrence.shares
    sizes = {
        "steps": steps,
        "batch": batch,
        "inputs": inputs,
        "hidden": recurrence.hidden_size,
        "channels": recurrence.channels,
        "order": recurrence.memory.order,
        "first": first,
        "share_stride": 0 if shares is None else shares.shape[1],
        "gated": recurrence.gated,
        "bfloat16": recurrence.compute == torch.bfloat16,
        "adjoint": adjoint,
        "alpha": recurrence.memory.alpha,
    }
    tensors = {
        "x": x,
        "w_in": recurrence.w_in,
        "w_rec": recurrence.w_rec,
        "u_rec": recurrence.u_rec,
        "shares": None if shares is None else shares[:: recurrence.channels],
        "grad_hidden": grad_hidden,
        **states,
        **{name: tape[name] for name in ("z", "hidden", "memory", "u")},
    }
    # The contiguous copies live until the call returns; states and tapes are contiguous already.
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items() if tensor is not None}
    arrays = {name: _view(tensor) for name, tensor in tensors.items()}
    backend().compiled.hippo_cell(sizes, arrays, torch.get_num_threads())


def _view(tensor: Tensor):
    """A NumPy view; bfloat16, which NumPy lacks, as its bits."""
    return (tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor).numpy()
