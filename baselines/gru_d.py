"""GRU-D (Che, Purushotham, Cho, Sontag, Liu, Scientific Reports 2018): what was not observed fades towards the mean."""

import torch
from torch import Tensor, nn

from hippo.nn.cells.cell import intervals
from hippo.nn.cells.unrolled import UnrolledCell, with_bias
from hippo.nn.engine.recurrence import Buffers, Recurrence


class GRUDRecurrence(Recurrence):
    """h~ = exp(-max(0, W_d d + b_d)) h;  r, v = sigmoid(W x + U h~ + V m);  n = tanh(W_n x + U_n (r h~) + V_n m);

    h' = (1 - v) h~ + v n. On the tape z = [r, v, n, W_d d + b_d]; W_rec holds U of r and v, extra holds U_n.
    """

    kernel = "gru_d"

    def lay_out(self) -> None:
        """Also of U_n."""
        super().lay_out()
        (w_new,) = self.extra
        self.forward_new = w_new.t().to(self.compute).contiguous()
        self.backward_new = w_new.to(self.compute).contiguous()

    def buffers(self, steps: int, batch: int) -> Buffers:
        """The decayed hidden state, and what of it the reset gate lets through: the operands of the two products."""
        shape = (steps, batch, self.hidden_size)
        return {"decayed": (shape, self.compute), "passed": (shape, self.compute)}

    def operand(self) -> Tensor:
        """The decayed hidden states."""
        return self.tape["decayed"]

    def step(self, t: int, k: int) -> None:
        """The equations above."""
        z, h = self.tape["z"][t], self.state["h"]
        decayed, passed = self.tape["decayed"][t], self.tape["passed"][t]
        reset, gate, new, fading = z.chunk(4, 1)
        h.mul_(fading.relu().neg_().exp_())
        decayed.copy_(h)
        self.recur(z, decayed)
        z[:, : 2 * self.hidden_size].sigmoid_()
        torch.mul(reset, decayed, out=passed)
        new.addmm_(passed, self.forward_new).tanh_()
        h.add_(gate * (new - h))
        self.tape["hidden"][t + 1].copy_(h)

    def adjoint(self, t: int, k: int) -> None:
        """Backwards."""
        z, decayed, grad_h = self.tape["z"][t], self.tape["decayed"][t], self.grad["h"]
        reset, gate, new, fading = z.chunk(4, 1)
        let_in = grad_h * gate
        gate.copy_(grad_h * (new - decayed) * gate * (1 - gate))
        new.copy_(let_in * (1 - new * new))
        grad_passed = new @ self.backward_new
        grad_h += grad_passed * reset - let_in
        reset.copy_(grad_passed * decayed * reset * (1 - reset))
        grad_h += self.pull_back(z)
        share = fading.relu().neg_().exp_()
        fading.copy_(-grad_h * decayed * (fading > 0))
        grad_h *= share

    def extra_gradients(self, x: Tensor) -> tuple[Tensor, ...]:
        """Gradient of U_n."""
        H = self.hidden_size
        return (self.outer(self.tape["z"][..., 2 * H : 3 * H], self.tape["passed"]),)


class GRUDCell(UnrolledCell):
    """A GRU whose hidden state, and whose inputs where they are NaN (not observed), decay with the time elapsed.

    m = 1 where x is observed, else 0;  d = the time since that channel's last observation before this one;
    x^ = m x + (1 - m) (g x' + (1 - g) mean), x' the last observation and g = exp(-max(0, w d + b)), one w and b per
    channel. The mean over the training part is 0: datasets here are normalised by it. Without timestamps, inputs
    are one unit of time apart. The reset gate comes before the product, as published.
    """

    takes_times = True

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__(input_size, hidden_size)

        bound = hidden_size**-0.5

        def uniform(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(*shape).uniform_(-bound, bound))

        self.weight_input = uniform(3 * hidden_size, input_size)
        self.weight_mask = uniform(3 * hidden_size, input_size)
        self.weight_hidden = uniform(3 * hidden_size, hidden_size)
        self.bias = uniform(3 * hidden_size)
        self.hidden_decay = uniform(hidden_size, input_size)
        self.hidden_decay_bias = uniform(hidden_size)
        # Below zero a channel's only decay would be dead from the start.
        self.input_decay = nn.Parameter(torch.empty(input_size).uniform_(0, bound))
        self.input_decay_bias = nn.Parameter(torch.empty(input_size).uniform_(0, bound))

    def weights(self) -> tuple[Tensor, ...]:
        """([W, V, 0, b] of r, v, n over [0, 0, W_d, b_d]; U of r and v; U_n)."""
        H, C = self.hidden_size, self.input_size
        blank = self.bias.new_zeros
        gates = torch.cat([self.weight_input, self.weight_mask, blank(3 * H, C)], dim=1)
        decay = torch.cat([blank(H, 2 * C), self.hidden_decay], dim=1)
        w_in = torch.cat([with_bias(gates, self.bias), with_bias(decay, self.hidden_decay_bias)])
        return w_in, self.weight_hidden[: 2 * H], self.weight_hidden[2 * H :]

    def recurrence(self, shares: Tensor | None):
        """The engine's form of this cell."""
        return GRUDRecurrence

    def forward(
        self,
        inputs: Tensor,
        times: Tensor | None = None,
        lengths: Tensor | None = None,
        sequence: bool = False,
    ) -> Tensor:
        """As `Cell.forward`; inputs may be NaN where a channel was not observed."""
        return super().forward(self.filled(inputs, times, lengths), None, lengths, sequence)

    def filled(self, inputs: Tensor, times: Tensor | None, lengths: Tensor | None) -> Tensor:
        """[x^, m, d] (batch, length, 3 * channels)."""
        batch, length, channels = inputs.shape
        number = torch.arange(length, device=inputs.device).view(1, length, 1)
        observed = ~inputs.isnan()
        newest = torch.where(observed, number, 0).cummax(dim=1).values
        before = torch.cat([torch.zeros_like(newest[:, :1]), newest[:, :-1]], dim=1)  # strictly before each step
        now = number.expand(batch, length, 1) if times is None else intervals(times, lengths).cumsum(1).unsqueeze(2)
        now = now.to(inputs.dtype).expand(-1, -1, channels)
        elapsed = now - now.gather(1, before)
        known = torch.where(observed, inputs, 0)
        share = torch.exp(-torch.relu(self.input_decay * elapsed + self.input_decay_bias))
        return torch.cat([torch.where(observed, known, share * known.gather(1, before)), observed, elapsed], dim=2)
