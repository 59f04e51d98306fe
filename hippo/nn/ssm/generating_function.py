"""Impulse responses of diagonal-plus-low-rank systems from their generating functions on a circle.

The generating function of the response K is F(z) = sum_l K[l] z^l = c (I - z Abar)^-1 b. For Abar = diag(a) + low rank
it follows by the Woodbury identity from generating functions of diagonal systems alone, which are computed

* by an FFT of their responses (`woodbury_kernel`, the default), or
* as Cauchy sums over the eigenvalues at every node (`hippo.nn.ssm.cauchy`, as in the S4 paper).

The nodes z = rho e^(-2 pi i j / M) lie on a circle of radius rho < 1. An inverse FFT of F then returns
sum_m K[l + m M] rho^(l + m M): later values of K are damped by rho^M, and dividing by rho^l multiplies rounding errors
by at most rho^-L. The S4 paper takes rho = 1 and removes the later values by C~ = C (I - Abar^L), which needs powers of
the dense matrix; the circle needs none. Both errors are equal if rho^-L = eps^(-1 / (1 + M / L)).

Letters in shape comments: H features, I outputs and J inputs of the open system, M / 2 + 1 nodes, L steps.
"""

import math

import torch
from torch import Tensor

from hippo.nn.ssm.discretization import DiscreteSystem
from hippo.nn.ssm.fast_sizes import fast_fft_size
from hippo.nn.ssm.recomputation import over_features
from hippo.nn.ssm.vandermonde import diagonal_responses

# Nodes per step: errors of about 1e-8 of the response's scale for float32 results, and 1e-12 for float64.
NODES = {torch.float32: 1, torch.float64: 4}
CHUNK_BYTES = 1 << 25  # of one array over the nodes of one chunk of features


class Circle:
    """The nodes of a generating function whose first `length` coefficients are wanted, in complex128.

    Parameters
    ----------
    length : int
        Number of coefficients L.
    dtype : torch.dtype
        Type of the result, float32 or float64.
    device : torch.device
        Device of the tensors.
    """

    def __init__(self, length: int, dtype: torch.dtype, device: torch.device):
        self.length, self.dtype = length, dtype
        self.size = fast_fft_size(NODES[dtype] * length)
        growth = torch.finfo(torch.float64).eps ** (-1 / (1 + self.size / length))  # rho^-L
        decay = math.log(growth) / length
        self.damping = torch.exp(-decay * torch.arange(length, dtype=torch.float64, device=device))  # (L,): rho^l
        angles = torch.arange(self.size // 2 + 1, dtype=torch.float64, device=device) * (2 * math.pi / self.size)
        self.nodes = torch.polar(torch.full_like(angles, math.exp(-decay)), -angles)  # (M / 2 + 1,)

    def values(self, coefficients: Tensor) -> Tensor:
        """Return the generating functions (..., M / 2 + 1) of coefficients (..., L)."""
        return torch.fft.rfft(coefficients * self.damping, self.size)

    def coefficients(self, values: Tensor) -> Tensor:
        """Return the first L coefficients (..., L) of real generating functions (..., M / 2 + 1)."""
        return (torch.fft.irfft(values, self.size)[..., : self.length] / self.damping).to(self.dtype)


def open_system(system: DiscreteSystem) -> tuple[Tensor, Tensor, Tensor]:
    """Return the diagonal system without feedback, in complex128.

    Its outputs are those of the system followed by the functionals v, its inputs the input of the system followed by
    the vectors p. Feeding output v_r back to input p_r, one step later, gives the system itself.

    Parameters
    ----------
    system : DiscreteSystem
        The system.

    Returns
    -------
    left : Tensor, shape (features, channels + rank, n)
    a : Tensor, shape (features, n)
    right : Tensor, shape (features, 1 + rank, n)
    """
    left = torch.cat([system.c.transpose(0, 1), system.v], 1)
    right = torch.cat([system.b.unsqueeze(1), system.p], 1)
    return left.to(torch.complex128), system.a.to(torch.complex128), right.to(torch.complex128)


def close_loop(values: Tensor, nodes: Tensor, rank: int) -> Tensor:
    """Apply the Woodbury identity, as one Sherman-Morrison update per rank.

    Parameters
    ----------
    values : Tensor of complex, shape (features, channels + rank, 1 + rank, nodes)
        Generating functions of the open system.
    nodes : Tensor of complex, shape (nodes,)
        The nodes z.
    rank : int
        Number of outputs that are fed back.

    Returns
    -------
    Tensor of complex, shape (channels, features, nodes)
        Generating functions of the system.
    """
    for _ in range(rank):  # of the remaining outputs and inputs, the last output is fed back to the last input
        outputs, inputs = values.shape[1] - 1, values.shape[2] - 1
        gain = nodes / (1 - nodes * values[:, outputs, inputs])  # (H, M / 2 + 1)
        into = (values[:, outputs, :inputs] * gain.unsqueeze(1)).unsqueeze(1)  # (H, 1, J - 1, M / 2 + 1)
        values = values[:, :outputs, :inputs] + values[:, :outputs, inputs:] * into
    return values.squeeze(2).transpose(0, 1)


def woodbury_kernel(system: DiscreteSystem, length: int) -> Tensor:
    """Compute the impulse response of a system of any rank, from responses of diagonal systems.

    Computed in float64 and complex128, in chunks of features that are computed again in the backward pass.

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

    def responses(left: Tensor, a: Tensor, right: Tensor) -> Tensor:
        values = circle.values(diagonal_responses(left, a, right, length))  # (H, I, J, M / 2 + 1)
        return circle.coefficients(close_loop(values, circle.nodes, system.rank)).transpose(0, 1)  # (H, channels, L)

    left, a, right = open_system(system)
    per_feature = 8 * circle.size * left.shape[1] * right.shape[1]
    return over_features(responses, (left, a, right), CHUNK_BYTES // per_feature).transpose(0, 1)
