"""The convolution of an S4 layer, in the fastest form that fits its inputs."""

from torch import Tensor
from torch.nn import functional

from hippo.nn.ssm import compiled_convolution, direct_convolution, fft_convolution
from hippo.nn.ssm.discretization import DiscreteSystem
from hippo.nn.ssm.inputs import check_memory
from hippo.nn.ssm.kernels import kernel

SHORT = 64  # steps up to which the product with a Toeplitz matrix is used


def convolve(
    inputs: Tensor, system: DiscreteSystem, skip: Tensor, gelu: bool = False, log_step: Tensor | None = None
) -> Tensor:
    """Return the outputs of a system at rest for whole sequences.

    y[b, l, h] = skip[h] u[b, l, h] + sum_{j <= l} K[0, h, j] u[b, l - j, h], and with two channels also
    + sum_{j >= 1} K[1, h, j - 1] u[b, l + j, h]: the anticausal response acts on strictly later inputs.

    Parameters
    ----------
    inputs : Tensor, shape (batch, length, features)
        Inputs u, in the real dtype of the system.
    system : DiscreteSystem
        The system, with the impulse responses K.
    skip : Tensor, shape (features,)
        Weights of the inputs in the outputs.
    gelu : bool, default False
        Return GELU of the outputs.
    log_step : Tensor, shape (features,), optional
        As in `hippo.nn.ssm.compiled_convolution.response`.

    Returns
    -------
    Tensor, shape (batch, length, features)

    Raises
    ------
    MemoryError
        If the transforms of the inputs are larger than the memory of this machine.
    """
    length = inputs.shape[1]
    check_memory(inputs)
    if log_step is not None or compiled_convolution.serves(inputs, system):
        return compiled_convolution.convolve(inputs, system, skip, gelu, log_step)
    response = kernel(system, length)
    form = direct_convolution if length <= SHORT else fft_convolution
    outputs = form.convolve(inputs, response) + skip * inputs
    return functional.gelu(outputs) if gelu else outputs
