"""The recurrent form of S4 layers in one call of the compiled kernels, without gradients (csrc/ssm)."""

import torch
from torch import Tensor

from hippo.kernels import backend
from hippo.kernels.threads import threads_for
from hippo.nn.ssm import compiled_convolution
from hippo.nn.ssm.compiled_convolution import view
from hippo.nn.ssm.discretization import DiscreteSystem
from hippo.nn.ssm.inputs import check_state


def serves(inputs: Tensor, state: Tensor, system: DiscreteSystem, skip: Tensor) -> bool:
    """Return True if the compiled recurrence serves: a CPU, compiled kernels, and nothing that needs a gradient."""
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (inputs, state, skip, *system)):
        return False
    return compiled_convolution.serves(inputs, system)


def scan(inputs: Tensor, state: Tensor, system: DiscreteSystem, skip: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the outputs and the last state of `hippo.nn.ssm.recurrence.scan`.

    Parameters
    ----------
    inputs : Tensor, shape (batch, length, features)
        Inputs.
    state : Tensor of complex, shape (batch, features, state_size / 2)
        State before the first input.
    system : DiscreteSystem
        The system, with one channel.
    skip : Tensor, shape (features,)
        Weights of the inputs in the outputs.

    Returns
    -------
    outputs : Tensor, shape (batch, length, features)
    state : Tensor of complex, shape (batch, features, state_size / 2)
    """
    compiled_convolution.check_shapes(inputs, system, skip)
    batch, _, features = inputs.shape
    check_state(state, (batch, *system.a.shape), system.a.dtype)
    if len(system.c) != 1:
        raise ValueError(f"the system has {len(system.c)} channels; expected 1, that of the past")
    if not inputs.numel():
        return torch.empty_like(inputs), state.clone()
    outputs = torch.empty_like(inputs, memory_format=torch.contiguous_format)  # (B, L, H)
    after = torch.empty_like(state, memory_format=torch.contiguous_format)  # (B, H, n)
    threads = threads_for(batch * features, work=inputs.numel() * system.a.shape[1])
    backend().require().ssm_scan(threads, *map(view, (*system, skip, state, after, inputs, outputs)))
    return outputs, after
