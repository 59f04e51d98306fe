"""ExpRNN: an orthogonal recurrent matrix, parametrized by the matrix exponential.

Its hyperparameters are `ExpRNNOptions` in `options.py`. Letters in shape comments: B samples, C input channels, H
hidden units.
"""

import math

import torch
from torch import Tensor, nn

from hippo.nn.cells.unrolled import UnrolledCell, with_bias
from hippo.nn.engine.recurrence import Recurrence
from hippo.nn.parameter_groups import ParameterOptions


class ModReLURecurrence(Recurrence):
    """The engine's form of `ExpRNNCell`: h' = modReLU(z) = sign(z) relu(|z| + b), z = W x + U h; extra = (b,)."""

    kernel = "mod_relu"

    def __init__(self, hidden_size, compute, w_in, w_rec, bias):
        super().__init__(hidden_size, compute, w_in, w_rec, bias)
        self.bias = bias.to(compute)

    def step(self, t: int, k: int) -> None:
        """Compute one step (equation in the class docstring)."""
        z, hidden, h = self.tape["z"][t], self.tape["hidden"], self.state["h"]  # (B, H), (T + 1, B, H), (B, H)
        self.add_recurrent_product(z, hidden[t])
        torch.mul(z.sign(), (z.abs() + self.bias).relu_(), out=hidden[t + 1])
        h.copy_(hidden[t + 1])

    def adjoint(self, t: int, k: int) -> None:
        """Backpropagate through one step: where |z| + b > 0, the derivative is 1 in z and sign(z) in b."""
        z, grad_h = self.tape["z"][t], self.grad["h"]
        z.copy_(grad_h * (z.abs() + self.bias > 0))
        grad_h.copy_(self.operand_gradient(z))

    def extra_gradients(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the gradient of b (H,). Where it is not zero, z has the sign of h'."""
        return ((self.tape["z"] * self.hidden().sign()).sum((0, 1), dtype=self.working),)


class ExpRNNCell(UnrolledCell):
    """h' = modReLU(W x + exp(S - S^T) h), S strictly upper triangular with a tenth of the learning rate.

    Cayley initialization of the paper: rotation angles -sqrt((1 - cos s) / (1 + cos s)) with s uniform on [0, pi / 2]
    (Helfrich et al. 2018), in 2 x 2 blocks; W Kaiming normal, b zero.

    Parameters
    ----------
    input_size, hidden_size : int
        Input channels and hidden units.

    References
    ----------
    Lezcano-Casado, Martínez-Rubio, "Cheap Orthogonal Constraints in Neural Networks", ICML 2019.
    """

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

    def parameter_options(self) -> dict[str, ParameterOptions]:
        """Return the learning rate of the orthogonal matrix, a tenth of the global one as in the paper."""
        return {"skew": ParameterOptions(learning_rate_factor=0.1)}

    def orthogonal(self) -> Tensor:
        """Return the recurrent matrix exp(S - S^T), shape (hidden, hidden)."""
        upper = self.skew.triu(1)
        return torch.linalg.matrix_exp(upper - upper.t())

    def weights(self) -> tuple[Tensor, ...]:
        """Return (W, exp(S - S^T), b)."""
        return with_bias(self.weight_ih), self.orthogonal(), self.bias

    def recurrence(self, step_ratios: Tensor | None):
        """Return the engine's form of this cell."""
        return ModReLURecurrence

    # -- reference form -----------------------------------------------------------------------------------------

    def step(
        self, x: Tensor, state: tuple[Tensor, ...], step_ratio: float | Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Return (h,) after the input x (B, C). Each call computes the recurrent matrix."""
        (h,) = state
        return (self._next(x, h, self._exponential()),)

    def reference(self, inputs: Tensor, times: Tensor | None = None, lengths: Tensor | None = None) -> Tensor:
        """Compute the hidden states step by step, with the recurrent matrix computed once."""
        (h,), orthogonal, hidden = self.start(inputs), self._exponential(), []
        for x in inputs.unbind(1):  # x (B, C)
            h = self._next(x, h, orthogonal)
            hidden.append(h)
        return torch.stack(hidden, 1)  # (B, L, H)

    def _exponential(self) -> Tensor:
        """The recurrent matrix (H, H)."""
        upper = torch.triu(self.skew, 1)
        return torch.linalg.matrix_exp(upper - upper.T)

    def _next(self, x: Tensor, h: Tensor, orthogonal: Tensor) -> Tensor:
        """The hidden state after the input x (B, C)."""
        z = x @ self.weight_ih.T + h @ orthogonal.T
        return torch.sign(z) * torch.relu(z.abs() + self.bias)
