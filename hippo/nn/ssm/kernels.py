"""The impulse response of a discrete system, in the form that fits the system."""

from torch import Tensor

from hippo.nn.ssm.discretization import DiscreteSystem
from hippo.nn.ssm.generating_function import woodbury_kernel
from hippo.nn.ssm.inputs import check_response
from hippo.nn.ssm.vandermonde import vandermonde_kernel


def kernel(system: DiscreteSystem, length: int) -> Tensor:
    """Compute the impulse response of a system.

    The memory that the computation needs is linear in the length, also with gradients.

    Parameters
    ----------
    system : DiscreteSystem
        The system.
    length : int
        Number of steps, at least 1.

    Returns
    -------
    Tensor, shape (channels, features, length)
        K[i, h, l] = Re(c[i, h] . Abar[h]^l b[h]), in the real dtype of the system.

    Raises
    ------
    MemoryError
        If the response is larger than the memory of this machine.
    """
    channels, features, _ = system.c.shape
    check_response(channels * features, length, system.a)
    return vandermonde_kernel(system, length) if system.rank == 0 else woodbury_kernel(system, length)
