"""Convolution with a state-space system by the compiled kernels (csrc/ssm).

It is two functions with gradients: the impulse response of the system, and the convolution of inputs with a response.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

from hippo.kernels import backend
from hippo.nn.engine.first_derivative import first_derivative_only
from hippo.nn.engine.tracing import is_traced
from hippo.nn.ssm.discretization import DiscreteSystem
from hippo.nn.ssm.inputs import check_response
from hippo.nn.ssm.side_by_side import join, samples_side_by_side, split
from hippo.nn.ssm.step_gradient import with_step_gradient
from hippo.nn.ssm.system import StateSpace

TYPES = {torch.float32: torch.complex64, torch.float64: torch.complex128}


def serves(inputs: Tensor, system: DiscreteSystem) -> bool:
    """Return True if the compiled kernels compute the convolution of these inputs with this system.

    Parameters
    ----------
    inputs : Tensor, shape (batch, length, features)
        Inputs.
    system : DiscreteSystem
        The system.
    """
    return TYPES.get(inputs.dtype) == system.a.dtype and system.rank <= 2 and _is_compiled(inputs)


def _is_compiled(inputs: Tensor) -> bool:
    """Whether there are compiled kernels for inputs on this device."""
    return not is_traced() and inputs.device.type == "cpu" and backend().compiled is not None


def discretize(space: StateSpace, inputs: Tensor, rate: float) -> tuple[DiscreteSystem, Tensor | None]:
    """Discretize the systems of a layer for their impulse response, in the form of which the gradients cost least.

    Parameters
    ----------
    space : StateSpace
        The systems.
    inputs : Tensor, shape (batch, length, features)
        Inputs that the response will act on.
    rate : float
        As in `StateSpace.discretize`.

    Returns
    -------
    system : DiscreteSystem
        The discrete systems.
    log_step : Tensor, shape (features,), or None
        As in `response`.

    Raises
    ------
    ValueError, TypeError, Diverged
        As in `StateSpace.discretize`.
    """
    found = space.discretize_without_steps(rate) if space.rank <= 2 and _is_compiled(inputs) else None
    return found or (space.discretize(rate), None)


def convolve(
    inputs: Tensor, system: DiscreteSystem, skip: Tensor, gelu: bool = False, log_step: Tensor | None = None
) -> Tensor:
    """Compute the outputs of `hippo.nn.ssm.convolution.convolve`. They have first derivatives only.

    The convolution kernel follows from the recurrence of the system in float64. Each thread transforms one sequence of
    a cache line of features at a time: six complex arrays of twice the length in the backward pass.

    Parameters
    ----------
    inputs : Tensor, shape (batch, length, features)
        float32 or float64, in the CPU's memory.
    system : DiscreteSystem
        The system, complex of the same precision.
    skip : Tensor, shape (features,)
        Factor of the inputs that is added to the outputs.
    gelu : bool, default False
        Return GELU of the outputs. In float32 it is part of the same passes over memory.
    log_step : Tensor, shape (features,), optional
        As in `response`.

    Returns
    -------
    Tensor, shape (batch, length, features)

    Raises
    ------
    ValueError
        If a shape does not fit.
    """
    check_shapes(inputs, system, skip)
    kernel = response(system, max(inputs.shape[1], 1), log_step)
    if not inputs.numel():
        return inputs * skip + 0 * kernel.sum()  # in the graph of all parameters
    count = samples_side_by_side(inputs)
    fused, batch = gelu and inputs.dtype == torch.float32, len(inputs)
    if count > 1:
        inputs, kernel, skip = join(inputs, count), kernel.repeat(1, 1, count), skip.repeat(count)
    outputs = _Convolution.apply(inputs, kernel, skip, fused)
    if count > 1:
        outputs = split(outputs, count, batch)
    return torch.nn.functional.gelu(outputs) if gelu and not fused else outputs


def response(system: DiscreteSystem, length: int, log_step: Tensor | None = None) -> Tensor:
    """Compute the impulse response of a system. It has first derivatives only.

    Parameters
    ----------
    system : DiscreteSystem
        The system, in the CPU's memory, of at most rank 2.
    length : int
        Number of steps, at least 1.
    log_step : Tensor, shape (features,), optional
        Logarithms of the step sizes, of whose graph the system is free (`discretize`). They get their gradient
        from the response.

    Returns
    -------
    Tensor, shape (channels, length, features)
        K[i, l, h] of `hippo.nn.ssm.kernels.kernel`.

    Raises
    ------
    MemoryError
        If the response is larger than the memory of this machine.
    """
    if log_step is None:
        return _Response.apply(length, *system)
    return with_step_gradient(_Response.apply(length + 1, *system), log_step)


def check_shapes(inputs: Tensor, system: DiscreteSystem, skip: Tensor) -> None:
    """Check that inputs, system and skip fit to each other and to the kernels.

    Parameters
    ----------
    inputs : Tensor, shape (batch, length, features)
        Inputs.
    system : DiscreteSystem
        The system, of at most rank 2, with 1 or 2 channels.
    skip : Tensor, shape (features,)
        Weights of the inputs in the outputs.

    Raises
    ------
    ValueError
        If a shape or a type does not fit.
    """
    features, states = system.a.shape
    rank, channels = system.p.shape[1], len(system.c)
    expected = [(features, states), *[(features, rank, states)] * 2, (features, states), (channels, features, states)]
    found = [tuple(part.shape) for part in system]
    if rank > 2 or channels not in (1, 2):
        raise ValueError(
            f"the system has rank {rank} and {channels} channels; expected at most rank 2, and 1 or 2 channels"
        )
    types = {part.dtype for part in system} | {TYPES.get(inputs.dtype), TYPES.get(skip.dtype)}
    if len(types) > 1:
        raise ValueError(
            f"inputs are {inputs.dtype}, skip {skip.dtype}, the system {system.a.dtype}; expected one precision"
        )
    if found != expected or inputs.ndim != 3 or inputs.shape[2] != features or skip.shape != (features,):
        raise ValueError(
            f"inputs have shape {tuple(inputs.shape)}, skip {tuple(skip.shape)}, the system {found}; expected (batch, "
            f"length, {features}), ({features},) and {expected}"
        )


class _Convolution(Function):
    @staticmethod
    def forward(ctx, inputs: Tensor, kernel: Tensor, skip: Tensor, gelu: bool) -> Tensor:
        outputs = torch.empty_like(inputs, memory_format=torch.contiguous_format)  # (B, L, H)
        activated = torch.empty_like(outputs) if gelu else inputs.new_empty(0)
        arrays = map(view, (inputs, kernel, skip, outputs, activated))
        backend().require().ssm_convolution(torch.get_num_threads(), *arrays)
        ctx.save_for_backward(inputs, kernel, skip, outputs if gelu else activated)
        return activated if gelu else outputs

    @staticmethod
    @first_derivative_only
    def backward(ctx, grad_outputs: Tensor):
        inputs, kernel, skip, outputs = ctx.saved_tensors
        threads = torch.get_num_threads()
        grad_inputs = torch.empty_like(inputs, memory_format=torch.contiguous_format)  # (B, L, H)
        slots = inputs.new_zeros(threads, *kernel.shape)  # (threads, channels, L, H)
        arrays = map(view, (inputs, kernel, skip, outputs, grad_outputs, grad_inputs, slots))
        backend().require().ssm_convolution_backward(threads, *arrays)
        grad_kernel = slots.sum(dim=0) if threads > 1 else slots[0]  # (channels, L, H)
        grad_skip = grad_kernel[0, 0].clone()  # the skip is one more summand of the kernel at lag 0
        return grad_inputs, grad_kernel, grad_skip, None


class _Response(Function):
    @staticmethod
    def forward(ctx, length: int, *system: Tensor) -> Tensor:
        kernel, functionals = impulse_response(length, system)
        ctx.save_for_backward(functionals, *system)
        return kernel

    @staticmethod
    @first_derivative_only
    def backward(ctx, grad_kernel: Tensor):
        functionals, *system = ctx.saved_tensors
        *dynamics, _ = ctx.needs_input_grad[1:]
        if any(dynamics):
            return None, *gradients(system, functionals, grad_kernel)
        return None, *[None] * len(dynamics), gradient_of_outputs(system, functionals, grad_kernel)


def impulse_response(length: int, system: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Compute an impulse response without a graph.

    Parameters
    ----------
    length : int
        Number of steps.
    system : sequence of Tensor
        Parts of a `DiscreteSystem`.

    Returns
    -------
    kernel : Tensor, shape (channels, length, features)
        The impulse response.
    functionals : Tensor, shape (rank, length, features)
        Re(v_r . Abar^l b), which the gradients need.

    Raises
    ------
    MemoryError
        If the response is larger than the memory of this machine.
    """
    channels, features, _ = system[-1].shape
    sizes = channels, system[1].shape[1]
    check_response(sum(sizes) * features, length, system[0])
    kernel, functionals = (system[0].real.new_empty(size, length, features) for size in sizes)
    backend().require().ssm_kernel(torch.get_num_threads(), *map(view, (*system, kernel, functionals)))
    return kernel, functionals


def gradients(system: Sequence[Tensor], functionals: Tensor, grad_kernel: Tensor) -> tuple[Tensor, ...]:
    """Compute the gradients of the parts of a system, from that of its impulse response.

    Parameters
    ----------
    system : sequence of Tensor
        Parts of a `DiscreteSystem`.
    functionals : Tensor, shape (rank, length, features)
        Second result of `impulse_response`.
    grad_kernel : Tensor, shape (channels, length, features)
        Gradient of the impulse response.

    Returns
    -------
    tuple of Tensor
        In the shapes of the parts.
    """
    grads = tuple(torch.empty_like(part, memory_format=torch.contiguous_format) for part in system)
    parts = (*system, functionals, grad_kernel, *grads)
    backend().require().ssm_kernel_backward(torch.get_num_threads(), *map(view, parts))
    return grads


def gradient_of_outputs(system: Sequence[Tensor], functionals: Tensor, grad_kernel: Tensor) -> Tensor:
    """Compute the gradient of the vectors c alone, which takes a fifth of the arithmetic of all gradients.

    Parameters
    ----------
    system : sequence of Tensor
        Parts of a `DiscreteSystem`.
    functionals : Tensor, shape (rank, length, features)
        Second result of `impulse_response`.
    grad_kernel : Tensor, shape (channels, length, features)
        Gradient of the impulse response.

    Returns
    -------
    Tensor of complex, shape (channels, features, state_size / 2)
    """
    grad_c = torch.empty_like(system[-1], memory_format=torch.contiguous_format)
    parts = (*system, functionals, grad_kernel, grad_c)
    backend().require().ssm_kernel_backward_outputs(torch.get_num_threads(), *map(view, parts))
    return grad_c


def view(tensor: Tensor) -> np.ndarray:
    """Return the array that shares the memory of a contiguous tensor; complex numbers are pairs in a last dimension.

    A tensor that is not contiguous, or whose conjugation is pending, is copied first.

    Parameters
    ----------
    tensor : Tensor
        In the CPU's memory.

    Returns
    -------
    ndarray, shape of the tensor, or (*shape, 2) if it is complex
    """
    tensor = tensor.detach().resolve_conj().contiguous()
    return (torch.view_as_real(tensor) if tensor.is_complex() else tensor).numpy()
