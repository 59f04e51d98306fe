"""ExpRNN (Lezcano-Casado, Martínez-Rubio, ICML 2019): an orthogonal recurrent matrix by the exponential map."""

import math

import torch
from torch import Tensor, nn

from hippo.nn.cells.unrolled import UnrolledCell, with_bias
from hippo.nn.engine.recurrence import Recurrence


class ModReLURecurrence(Recurrence):
    """h' = modReLU(W x + U h) = sign(z) relu(|z| + b); extra = (b,)."""

    kernel = "mod_relu"

    def __init__(self, hidden_size, compute, w_in, w_rec, bias):
        super().__init__(hidden_size, compute, w_in, w_rec, bias)
        self.bias = bias.to(compute)

    def step(self, t: int, k: int) -> None:
        """The equation above."""
        z, hidden, h = self.tape["z"][t], self.tape["hidden"], self.state["h"]
        self.recur(z, hidden[t])
        torch.mul(z.sign(), (z.abs() + self.bias).relu_(), out=hidden[t + 1])
        h.copy_(hidden[t + 1])

    def adjoint(self, t: int, k: int) -> None:
        """Backwards: where |z| + b > 0, the slope is 1 in z and sign(z) in b."""
        z, grad_h = self.tape["z"][t], self.grad["h"]
        z.copy_(grad_h * (z.abs() + self.bias > 0))
        grad_h.copy_(self.pull_back(z))

    def extra_gradients(self, x: Tensor) -> tuple[Tensor, ...]:
        """Gradient of b: what passed has the sign of z, which is also that of h'."""
        return ((self.tape["z"] * self.hidden().sign()).sum((0, 1), dtype=self.working),)


class ExpRNNCell(UnrolledCell):
    """h' = modReLU(W x + exp(S - S^T) h), S strictly upper triangular, learning at a tenth of the rate.

    Cayley initialisation of the paper: rotation angles theta = -sqrt((1 - cos s) / (1 + cos s)) with s uniform
    on [0, pi / 2] (Helfrich et al. 2018), in 2 x 2 blocks; W Kaiming normal, b zero.
    """

    learning_rate_factors = {"skew": 0.1}

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__(input_size, hidden_size)
        self.weight_ih = nn.Parameter(torch.empty(hidden_size, input_size))
        nn.init.kaiming_normal_(self.weight_ih, nonlinearity="relu")
        self.skew = nn.Parameter(torch.zeros(hidden_size, hidden_size))
        s = torch.empty(hidden_size // 2).uniform_(0, math.pi / 2)
        angles = -((1 - s.cos()) / (1 + s.cos())).sqrt()
        with torch.no_grad():
            even = torch.arange(0, hidden_size - 1, 2)
            self.skew[even, even + 1] = angles
        self.bias = nn.Parameter(torch.zeros(hidden_size))

    def orthogonal(self) -> Tensor:
        """The recurrent matrix (hidden, hidden)."""
        upper = self.skew.triu(1)
        return torch.linalg.matrix_exp(upper - upper.t())

    def weights(self) -> tuple[Tensor, ...]:
        """(W, exp of the skew matrix, b)."""
        return with_bias(self.weight_ih), self.orthogonal(), self.bias

    def recurrence(self, shares: Tensor | None):
        """The engine's form of this cell."""
        return ModReLURecurrence
