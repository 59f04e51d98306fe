"""Checks of the tensors that an S4 layer is called with."""

import torch
from torch import Tensor

from hippo.memory.arrays import check_allocation
from hippo.nn.divergence import Diverged
from hippo.nn.engine.tracing import is_traced
from hippo.nn.tensors import check_tensor


class NonFiniteInputs(Diverged, ValueError):
    """Inputs or state of a layer contain NaN or infinity: from the data, or because the training has diverged."""


def check_inputs(inputs: Tensor, expected: tuple[str | int, ...], dtype: torch.dtype) -> Tensor:
    """Check shape and type of the inputs of a layer.

    Under `torch.autocast` the layers before return bfloat16 or float16: the inputs are then converted.

    Parameters
    ----------
    inputs : Tensor
        Inputs.
    expected : tuple of str and int
        Sizes of its dimensions; a name is any size of at least 1, and a batch may be empty.
    dtype : torch.dtype
        Type of the parameters.

    Returns
    -------
    Tensor
        The inputs, in the type of the parameters.

    Raises
    ------
    ValueError
        If the shape or the type differs, or the parameters are neither float32 nor float64.
    TypeError
        If the inputs are not a dense tensor.
    """
    check_tensor("inputs", inputs)
    fits = inputs.ndim == len(expected) and inputs.shape[-1] == expected[-1] and inputs.shape[1] > 0
    if not fits:
        raise ValueError(f"inputs have shape {tuple(inputs.shape)}; expected ({', '.join(map(str, expected))})")
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(
            f"the parameters are {dtype}; expected torch.float32 or torch.float64: convert the layer by float(), and "
            "use torch.autocast for mixed precision"
        )
    if inputs.dtype != dtype:
        if inputs.is_floating_point() and torch.is_autocast_enabled(inputs.device.type):
            return inputs.to(dtype)
        raise ValueError(f"inputs are {inputs.dtype}, the parameters {dtype}; expected the same type")
    return inputs


def check_state(state: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    """Check shape and type of a state.

    Parameters
    ----------
    state : Tensor of complex
        The state.
    shape : tuple of int
        Expected shape: (batch, features, state_size / 2).
    dtype : torch.dtype
        Expected type.

    Raises
    ------
    ValueError
        If they differ.
    """
    if not isinstance(state, Tensor) or state.shape != shape or state.dtype != dtype:
        found = f"{state.dtype} {tuple(state.shape)}" if isinstance(state, Tensor) else type(state).__name__
        raise ValueError(f"the state is {found}; expected {dtype} {shape}: initial_state(batch) makes one")


def check_finite(values: Tensor) -> None:
    """Check that the inputs or the state of a layer are finite.

    Parameters
    ----------
    values : Tensor, shape (batch, length, channels) or (batch, channels), or complex, (batch, channels, pairs)
        Inputs, or a state.

    Raises
    ------
    NonFiniteInputs
        If a number is NaN or infinite. The message names its place.
    """
    if is_traced() or values.detach().sum().isfinite():  # one fast pass; the sum of finite numbers may overflow
        return
    finite = values.isfinite()
    if finite.all():
        return
    place = finite.logical_not().nonzero()[0].tolist()
    if values.is_complex():
        names, what, remedy = ["sample", "channel", "pair"], "the state contains", "begin from initial_state(batch)"
    else:
        names = ["sample", "step", "channel"] if values.ndim == 3 else ["sample", "channel"]
        what = "inputs contain"
        remedy = "replace missing values first, or lower the learning rate if the model computed this input"
    where = ", ".join(f"{name} {index}" for name, index in zip(names, place, strict=True))
    raise NonFiniteInputs(f"{what} {values[tuple(place)].item()} at {where}; expected finite numbers: {remedy}")


def check_response(responses: int, length: int, like: Tensor) -> None:
    """Check that impulse responses fit into the memory of their device.

    Parameters
    ----------
    responses : int
        Arrays (length,).
    length : int
        Number of steps.
    like : Tensor
        A tensor on the device, of the real or complex type of the system.

    Raises
    ------
    MemoryError
        If they do not.
    """
    size = responses * length * like.element_size() // (2 if like.is_complex() else 1)
    _check_size(f"an array of {responses} impulse responses of {length:,} steps", size, like.device)


def check_memory(inputs: Tensor) -> None:
    """Check that a convolution with its gradients fits into the memory of its device.

    Besides outputs and gradients, each thread of a CPU holds up to six complex arrays of a power of two of steps, for
    the features of one cache line.

    Parameters
    ----------
    inputs : Tensor, shape (batch, length, features)
        Inputs of the convolution.

    Raises
    ------
    MemoryError
        If it does not.
    """
    batch, length, features = inputs.shape
    size = 2 * batch * length * features * inputs.element_size()
    if inputs.device.type == "cpu":
        circle = 2 ** (2 * length - 1).bit_length()
        size += min(torch.get_num_threads(), batch * features) * 6 * 64 * circle
    what = f"the convolution of {batch} sequences of {length:,} steps and {features} features"
    _check_size(what, size, inputs.device)


def _check_size(what: str, size: int, device: torch.device) -> None:
    """Raise MemoryError if `size` bytes are more than the memory of a device."""
    if device.type != "cuda":
        check_allocation(what, size)
    elif not is_traced():
        _, total = torch.cuda.mem_get_info(device)
        if size > total:
            raise MemoryError(f"{what} needs {size:,} bytes; {device} has {total:,} bytes of memory")
