"""A bidirectional S4 block in plain PyTorch, as the published implementation computes it: a benchmark's reference.

The terms of the Cauchy sums, and the powers of the Vandermonde product, are arrays of size features x state_size x
length. The convolution is by `torch.fft` in the layout (batch, features, length).
"""

import math

import torch
from torch import Tensor, nn

from hippo.nn.ssm.dense import dense_system
from hippo.nn.ssm.layer import S4
from hippo.nn.ssm.system import StateSpace


class ReferenceBlock(nn.Module):
    """A bidirectional block with the parameters of an S4 layer: kernel, convolution, skip, GELU, linear map and gate.

    Parameters
    ----------
    layer : S4
        A bidirectional layer with a gate, whose eigenvalues and step sizes are trained.
    length : int
        Length of the sequences. For a system with a low-rank part, C becomes C (I - Abar^length) here, as in the
        published implementation.
    """

    def __init__(self, layer: S4, length: int):
        super().__init__()
        system = layer.system
        values = {name: value.detach().clone() for name, value in system.named_parameters()}
        self.length, self.zoh = length, system.discretization == "zoh"
        self.n_ssm = len(values["B"])
        if system.rank:
            values["C"] = self._truncated(system, length)
        self.parameters_by_name = nn.ParameterDict(values)
        self.D = nn.Parameter(layer.D.detach().clone())
        linear = layer.output[0]
        self.output = nn.Conv1d(layer.hidden_size, 2 * layer.hidden_size, 1, dtype=layer.D.dtype)
        self.output.weight.data.copy_(linear.weight.unsqueeze(2))
        self.output.bias.data.copy_(linear.bias)

    @staticmethod
    def _truncated(system: StateSpace, length: int) -> Tensor:
        """The parameter C (I - Abar^length)."""
        with torch.no_grad():
            A, _, C = dense_system(system.discretize())
        end = torch.einsum("chi,hij->chj", C.double(), torch.linalg.matrix_power(A.double(), length))
        real, imag = ((C - end) / 2).chunk(2, 2)  # of the rows (Re c, -Im c) with c = 2 C
        return torch.stack([real, -imag], 3).to(C.dtype)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs (batch, length, features) to outputs of the same shape."""
        u = inputs.transpose(1, 2)  # (B, H, L)
        kernel = self.kernel()  # (2, H, L)
        both = nn.functional.pad(kernel[0], (0, self.length)) + nn.functional.pad(kernel[1].flip(1), (self.length, 0))
        spectrum = torch.fft.rfft(u, 2 * self.length) * torch.fft.rfft(both, 2 * self.length)
        y = torch.fft.irfft(spectrum, 2 * self.length)[..., : self.length] + self.D.unsqueeze(1) * u
        y = nn.functional.glu(self.output(nn.functional.gelu(y)), 1)
        return y.transpose(1, 2)

    def kernel(self) -> Tensor:
        """Return the causal and the anticausal response, (2, features, length)."""
        values = self.parameters_by_name
        step = values["log_step"].exp().unsqueeze(1)  # (H, 1)
        eigenvalues = self._repeat(torch.complex(-values["log_decay"].exp(), values["frequency"]))  # (H, n)
        B, C = self._repeat(torch.view_as_complex(values["B"])), torch.view_as_complex(values["C"])
        if "P" in values:
            return self._cauchy(step, eigenvalues, self._repeat(torch.view_as_complex(values["P"])), B, C)
        return self._vandermonde(step, eigenvalues, B, C)

    def _repeat(self, copies: Tensor) -> Tensor:
        """Copies (n_ssm, ...) as values of the features."""
        return copies.repeat(len(self.D) // self.n_ssm, *(1 for _ in copies.shape[1:]))

    def _vandermonde(self, step: Tensor, eigenvalues: Tensor, B: Tensor, C: Tensor) -> Tensor:
        """The response of a diagonal system from all powers, (features, n, length)."""
        z = step * eigenvalues
        if self.zoh:
            C, logarithm = C * B * (z.exp() - 1) / eigenvalues, z
        else:
            C, logarithm = C * B * step / (1 - z / 2), ((1 + z / 2) / (1 - z / 2)).log()
        powers = torch.exp(logarithm.unsqueeze(2) * torch.arange(self.length, device=z.device))  # (H, n, L)
        return 2 * torch.einsum("chn,hnl->chl", C, powers).real

    def _cauchy(self, step: Tensor, eigenvalues: Tensor, P: Tensor, B: Tensor, C: Tensor) -> Tensor:
        """The response of a system of rank 1 or 2 from all terms of the Cauchy sums, (..., H, 2 n, length / 2 + 1)."""
        angles = torch.arange(self.length // 2 + 1, device=B.device, dtype=torch.float64) * (-2 * math.pi / self.length)
        omega = torch.polar(torch.ones_like(angles), angles)
        nodes, factor = (2 * (1 - omega) / (1 + omega)).to(B.dtype), (2 / (1 + omega)).to(B.dtype)
        right = torch.cat([B.unsqueeze(0), P.transpose(0, 1)])  # (1 + r, H, n)
        left = torch.cat([C, P.transpose(0, 1).conj()])  # (2 + r, H, n)
        products = right.unsqueeze(1) * left.unsqueeze(0)  # (1 + r, 2 + r, H, n)
        products = torch.cat([products, products.conj()], 3)  # (1 + r, 2 + r, H, 2 n)
        poles = torch.cat([eigenvalues, eigenvalues.conj()], 1) * step  # (H, 2 n)
        sums = (products.unsqueeze(4) / (nodes - poles.unsqueeze(2))).sum(3) * step  # (1 + r, 2 + r, H, L / 2 + 1)
        channels = len(C)
        cb, cp = sums[0, :channels], sums[1:, :channels]  # (2, H, L / 2 + 1), (r, 2, H, L / 2 + 1)
        pb, pp = sums[0, channels:], sums[1:, channels:]  # (r, H, L / 2 + 1), (r, r, H, L / 2 + 1)
        if len(pp) == 1:
            values = cb - cp[0] * pb / (1 + pp[0])
        else:
            inner = pp.permute(2, 3, 1, 0) + torch.eye(len(pp), dtype=pp.dtype, device=pp.device)
            solved = torch.linalg.solve(inner, pb.permute(1, 2, 0).unsqueeze(3)).squeeze(3)  # (H, L / 2 + 1, r)
            values = cb - torch.einsum("schl,hls->chl", cp, solved)
        return torch.fft.irfft(values * factor, self.length)
