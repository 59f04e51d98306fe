"""Impulse responses of diagonal systems, by products with two short tables of powers.

With l = C i + j the response sum_n c_n b_n a_n^l is a matrix product of the table c a^(C i) with the table b a^j.
Nothing of size features x state_size x length is stored: both tables have about sqrt(length) columns.
Letters in shape comments: H features, n conjugate pairs, I left and J right vectors, L steps.
"""

import torch
from torch import Tensor

from hippo.nn.ssm.discretization import DiscreteSystem


def vandermonde_kernel(system: DiscreteSystem, length: int) -> Tensor:
    """Compute the impulse response of a diagonal system.

    Parameters
    ----------
    system : DiscreteSystem
        A system of rank 0.
    length : int
        Number of steps.

    Returns
    -------
    Tensor, shape (channels, features, length)
        K[i, h, l] = Re(c[i, h] . a[h]^l b[h]).

    Raises
    ------
    ValueError
        If the system has a low-rank part.

    References
    ----------
    Gu, Gupta, Goel, Ré, "On the Parameterization and Initialization of Diagonal State Space Models", arXiv 2206.11893,
    section 3.2.
    """
    if system.rank:
        raise ValueError(f"the system has a low-rank part of rank {system.rank}; expected a diagonal system")
    responses = diagonal_responses(system.c.transpose(0, 1), system.a, system.b.unsqueeze(1), length)  # (H, I, 1, L)
    return responses.squeeze(2).transpose(0, 1)


def diagonal_responses(left: Tensor, a: Tensor, right: Tensor, length: int) -> Tensor:
    """Compute Re(left_i . a^l right_j) for every pair of vectors.

    The powers are computed in complex128, because rounding errors grow with the exponent, and the products in the dtype
    of `left`.

    Parameters
    ----------
    left : Tensor of complex, shape (features, I, n)
        Output vectors.
    a : Tensor of complex, shape (features, n)
        Diagonals.
    right : Tensor of complex, shape (features, J, n)
        Input vectors.
    length : int
        Number of steps.

    Returns
    -------
    Tensor, shape (features, I, J, length)
        Real responses.
    """
    features, outputs, pairs = left.shape
    inputs = right.shape[1]
    columns = 1  # C: a power of 2 that balances the sizes of both tables
    while columns * columns * inputs < length * outputs and columns < length:
        columns *= 2
    blocks = -(-length // columns)
    wide = a.to(torch.complex128)
    inner = powers(wide, columns)  # (H, n, C): a^j
    outer = powers(inner[..., -1] * wide, blocks)  # (H, n, L / C): a^(C i)
    left_table = left.unsqueeze(3) * outer.unsqueeze(1).to(left.dtype)  # (H, I, n, L / C)
    right_table = right.unsqueeze(3) * inner.unsqueeze(1).to(left.dtype)  # (H, J, n, C)
    # Re(x y) = Re x Re y - Im x Im y is one real product over 2 n terms
    rows = torch.cat([left_table.real, -left_table.imag], 2).transpose(2, 3).flatten(1, 2)  # (H, I L / C, 2 n)
    cols = torch.cat([right_table.real, right_table.imag], 2).transpose(1, 2).flatten(2, 3)  # (H, 2 n, J C)
    products = torch.bmm(rows, cols).view(features, outputs, blocks, inputs, columns)
    return products.transpose(2, 3).reshape(features, outputs, inputs, blocks * columns)[..., :length]


def powers(base: Tensor, count: int) -> Tensor:
    """Return base^0, ..., base^(count - 1) in a new last dimension, by repeated doubling of the table.

    Parameters
    ----------
    base : Tensor
        Numbers, of any shape.
    count : int
        Number of powers, at least 1.

    Returns
    -------
    Tensor, shape (*base.shape, count)
    """
    table, factor = torch.ones_like(base).unsqueeze(-1), base.unsqueeze(-1)
    while table.shape[-1] < count:
        table = torch.cat([table, table * factor], -1)
        factor = factor * factor
    return table[..., :count]
