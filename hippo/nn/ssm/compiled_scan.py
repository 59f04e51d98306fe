"""The recurrent form of S4 layers in one call of the compiled kernels, without gradients (csrc/ssm)."""

import numpy as np
import torch
from torch import Tensor

from hippo.kernels import backend
from hippo.kernels.threads import threads_for
from hippo.nn.ssm import compiled_convolution
from hippo.nn.ssm.compiled_convolution import view
from hippo.nn.ssm.discretization import DiscreteSystem
from hippo.nn.ssm.inputs import check_state

FEW = 4  # samples up to which a step is one call: beyond them, PyTorch's matrix product is faster
NOTHING = np.empty(0, dtype=np.float32)


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


class CompiledStep:
    """A step of a layer as one call: recurrence, GELU, linear map and GLU.

    The arrays share the memory of the tensors, so that a parameter that is changed in place needs no new object.

    Parameters
    ----------
    system : DiscreteSystem
        The system, complex64, with one channel.
    skip : Tensor, shape (features,)
        Weights of the inputs in the outputs.
    gelu : bool
        Apply GELU to the outputs of the recurrence.
    output : torch.nn.Linear or None
        Linear map to twice the features, which GLU follows; None: neither.
    """

    def __init__(self, system: DiscreteSystem, skip: Tensor, gelu: bool, output: torch.nn.Linear | None):
        self.tensors = system, *self._of_layer(skip, output)
        weights = (NOTHING, NOTHING) if output is None else (view(output.weight), view(output.bias))
        self.arrays = *map(view, (*system, skip)), *weights, gelu

    @staticmethod
    def _of_layer(skip: Tensor, output: torch.nn.Linear | None) -> tuple:
        """What identifies the memory of the layer's parameters."""
        return skip.data_ptr(), None if output is None else (output.weight.data_ptr(), output.bias.data_ptr())

    @staticmethod
    def serves(output: torch.nn.Linear | None) -> bool:
        """Return True if the arrays of a layer's output map share the memory of its parameters."""
        return output is None or (output.weight.is_contiguous() and output.bias.is_contiguous())

    def is_of(self, system: DiscreteSystem, skip: Tensor, output: torch.nn.Linear | None) -> bool:
        """Return True if this object was made of these tensors."""
        return self.tensors[0] is system and self.tensors[1:] == self._of_layer(skip, output)

    def __call__(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the outputs (batch, features) and the next state of inputs (batch, features) and a state."""
        outputs, after = inputs.new_empty(inputs.shape), state.new_empty(state.shape)
        backend().require().ssm_step(*self.arrays, view(state), view(after), view(inputs), view(outputs))
        return outputs, after
