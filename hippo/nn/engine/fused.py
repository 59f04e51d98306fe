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


def forward(recurrence, x: Tensor, first: int) -> None:
    """Advance the states over inputs `x`, onto the tape that `recurrence` holds."""
    _call(recurrence, x, first, recurrence.state, adjoint=False)


def backward(recurrence, x: Tensor, first: int, grad_hidden: Tensor | None) -> tuple[Tensor, ...]:
    """Take the states' gradients back over the tape; returns those of w_in, u_in and u_rec."""
    slots = {
        f"grad_{name}": weight.new_zeros(torch.get_num_threads(), *weight.shape)
        for name, weight in _small_weights(recurrence).items()
    }
    _call(recurrence, x, first, {**recurrence.grad, **slots, "grad_hidden": grad_hidden}, adjoint=True)
    return tuple(slot.sum(0) for slot in slots.values())


def _small_weights(recurrence) -> dict[str, Tensor]:
    return {"w_in": recurrence.w_in, "u_in": recurrence.u_in, "u_rec": recurrence.u_rec}


def _call(recurrence, x: Tensor, first: int, updated: dict[str, Tensor | None], adjoint: bool) -> None:
    steps, batch, inputs = x.shape
    shares = recurrence.shares
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
        "w_rec": recurrence.w_rec,
        **_small_weights(recurrence),
        "shares": None if shares is None else shares[:: recurrence.channels],
        **updated,
        **{name: recurrence.tape[name] for name in ("z", "hidden", "memory", "u")},
    }
    # The contiguous copies live until the call returns; what the call writes to is contiguous already.
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items() if tensor is not None}
    arrays = {name: _view(tensor) for name, tensor in tensors.items()}
    backend().compiled.hippo_cell(sizes, arrays, torch.get_num_threads())


def _view(tensor: Tensor):
    """A NumPy view; bfloat16, which NumPy lacks, as its bits."""
    return (tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor).numpy()
