"""Impulse responses of diagonal-plus-low-rank systems with generating functions from Cauchy sums, as in the S4 paper.

Letters in shape comments: H features, n conjugate pairs, I outputs and J inputs of the open system, m nodes of a chunk.
"""

import torch
from torch import Tensor

from hippo.nn.ssm.discretization import DiscreteSystem
from hippo.nn.ssm.generating_function import CHUNK_BYTES, Circle, close_loop, open_system
from hippo.nn.ssm.recomputation import recomputed


def cauchy_kernel(system: DiscreteSystem, length: int) -> Tensor:
    """Compute the impulse response of a system of any rank, by Cauchy sums at the nodes of a circle.

    The S4 paper writes the sums over 1 / (g - lambda) at the bilinear images g of the nodes. Here the low-rank form is
    that of the discrete system, so that the sums are over 1 / (1 - z a) and no node is infinite. The nodes are taken in
    chunks, whose terms are computed again in the backward pass.

    Parameters
    ----------
    system : DiscreteSystem
        The system.
    length : int
        Number of steps.

    Returns
    -------
    Tensor, shape (channels, features, length)
        K[i, h, l] = Re(c[i, h] . Abar[h]^l b[h]).

    References
    ----------
    Gu, Goel, Ré, "Efficiently Modeling Long Sequences with Structured State Spaces", arXiv 2111.00396, appendix C.3.
    """
    circle = Circle(length, system.a.real.dtype, system.a.device)
    left, a, right = open_system(system)
    weights = (left.unsqueeze(2) * right.unsqueeze(1)).flatten(1, 2)  # (H, I J, n)
    weights = torch.cat([weights, weights.conj()], 2) / 2  # (H, I J, 2 n): over both halves of the conjugate pairs
    poles = torch.cat([a, a.conj()], 1)  # (H, 2 n)

    def values(weights: Tensor, poles: Tensor, nodes: Tensor) -> Tensor:
        sums = weights @ (1 / (1 - poles.unsqueeze(2) * nodes))  # (H, I J, m)
        return close_loop(sums.unflatten(1, (left.shape[1], right.shape[1])), nodes, system.rank)

    chunk = max(1, CHUNK_BYTES // (16 * poles.numel()))
    parts = [recomputed(values, weights, poles, nodes) for nodes in circle.nodes.split(chunk)]
    return circle.coefficients(torch.cat(parts, 2))
