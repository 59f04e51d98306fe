"""Reference implementation: real dense matrices and power iteration."""

import torch
from torch import Tensor

from hippo.nn.ssm.discretization import DiscreteSystem


def dense_system(system: DiscreteSystem) -> tuple[Tensor, Tensor, Tensor]:
    """Write a system in real coordinates (Re x, Im x).

    Parameters
    ----------
    system : DiscreteSystem
        The system.

    Returns
    -------
    A : Tensor, shape (features, state_size, state_size)
    B : Tensor, shape (features, state_size)
    C : Tensor, shape (channels, features, state_size)
        Real matrices of x' = A x + B u, y = C x'.
    """
    a, p, v, b, c = system
    real, imag = torch.diag_embed(a.real), torch.diag_embed(a.imag)
    A = torch.cat([torch.cat([real, -imag], 2), torch.cat([imag, real], 2)], 1)
    columns = torch.cat([p.real, p.imag], 2).transpose(1, 2)  # (H, N, rank)
    rows = torch.cat([v.real, -v.imag], 2)  # (H, rank, N)
    return A + columns @ rows, torch.cat([b.real, b.imag], 1), torch.cat([c.real, -c.imag], 2)


def dense_kernel(system: DiscreteSystem, length: int) -> Tensor:
    """Compute the impulse response of a system by multiplying with its dense matrix, step by step.

    Parameters
    ----------
    system : DiscreteSystem
        The system.
    length : int
        Number of steps.

    Returns
    -------
    Tensor, shape (channels, features, length)
        K[i, h, l] = C[i, h] A[h]^l B[h].
    """
    A, x, C = dense_system(system)
    response = []
    for _ in range(length):
        response.append((C * x).sum(2))  # (channels, H)
        x = torch.einsum("hij,hj->hi", A, x)
    return torch.stack(response, 2)
