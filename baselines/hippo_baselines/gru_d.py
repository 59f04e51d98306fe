"""GRU-D: a GRU whose hidden state and missing inputs decay with the time elapsed.

Its hyperparameters are `GRUDOptions` in `options.py`. Letters in shape comments: B samples, L steps of a sequence, C
input channels, H hidden units.
"""

import torch
from torch import Tensor, nn

from hippo.nn.cells.times import intervals, stream_times, unseen
from hippo.nn.cells.unrolled import UnrolledCell, with_bias
from hippo.nn.engine.recurrence import Buffers, Recurrence


class GRUDRecurrence(Recurrence):
    """The engine's form of `GRUDCell`, whose inputs are [x, m, d].

    h~ = exp(-max(0, W_d d + b_d)) h;  r, v = sigmoid(W x + U h~ + V m);  n = tanh(W_n x + U_n (r h~) + V_n m);
    h' = (1 - v) h~ + v n

    On the tape z = [r, v, n, W_d d + b_d]. W_rec is U of r and v, and extra = (U_n,).
    """

    kernel = "gru_d"

    def arrange_weights(self) -> None:
        """Store both layouts of U and of U_n."""
        super().arrange_weights()
        (w_new,) = self.extra
        self.forward_new = w_new.t().to(self.compute).contiguous()
        self.backward_new = w_new.to(self.compute).contiguous()

    def buffers(self, steps: int, batch: int) -> Buffers:
        """Add the operands of the two products: the decayed hidden state h~, and r h~."""
        shape = (steps, batch, self.hidden_size)
        return {"decayed": (shape, self.compute), "passed": (shape, self.compute)}

    def operand(self) -> Tensor:
        """Return the decayed hidden states (T, B, H)."""
        return self.tape["decayed"]

    def step(self, t: int, k: int) -> None:
        """Compute one step (equations in the class docstring)."""
        z, h = self.tape["z"][t], self.state["h"]
        decayed, passed = self.tape["decayed"][t], self.tape["passed"][t]  # (B, H) each
        reset, gate, new, decay = z.chunk(4, 1)  # (B, H) each
        h.mul_(decay.relu().neg_().exp_())
        decayed.copy_(h)
        self.add_recurrent_product(z, decayed)
        z[:, : 2 * self.hidden_size].sigmoid_()
        torch.mul(reset, decayed, out=passed)
        new.addmm_(passed, self.forward_new).tanh_()
        h.add_(gate * (new - h))
        self.tape["hidden"][t + 1].copy_(h)

    def adjoint(self, t: int, k: int) -> None:
        """Backpropagate through one step."""
        z, decayed, grad_h = self.tape["z"][t], self.tape["decayed"][t], self.grad["h"]
        reset, gate, new, decay = z.chunk(4, 1)  # (B, H) each
        grad_gated = grad_h * gate
        gate.copy_(grad_h * (new - decayed) * gate * (1 - gate))
        new.copy_(grad_gated * (1 - new * new))
        grad_passed = new @ self.backward_new
        grad_h += grad_passed * reset - grad_gated
        reset.copy_(grad_passed * decayed * reset * (1 - reset))
        grad_h += self.operand_gradient(z)
        factor = decay.relu().neg_().exp_()
        decay.copy_(-grad_h * decayed * (decay > 0))
        grad_h *= factor

    def extra_gradients(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the gradient of U_n (H, H)."""
        H = self.hidden_size
        return (self.outer(self.tape["z"][..., 2 * H : 3 * H], self.tape["passed"]),)


class GRUDCell(UnrolledCell):
    """A GRU whose hidden state, and whose inputs where they are NaN (not observed), decay with the time elapsed.

    m = 1 where x is observed, else 0. d is the time since the last observation of that channel before this step.
    Unobserved inputs are replaced: x^ = m x + (1 - m) (g x' + (1 - g) mean), where x' is the last observation and
    g = exp(-max(0, w d + b)) with one w and b per channel. The mean over the training part is 0, because datasets here
    are normalized by it. Without timestamps, inputs are one unit of time apart. The reset gate comes before the
    product, as published.

    Parameters
    ----------
    input_size, hidden_size : int
        Input channels and hidden units.

    References
    ----------
    Che, Purushotham, Cho, Sontag, Liu, "Recurrent Neural Networks for Multivariate Time Series with Missing Values",
    Scientific Reports 2018.
    """

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
        # The initial value is positive: a negative one would get no gradient through max(0, ·).
        self.input_decay = nn.Parameter(torch.empty(input_size).uniform_(0, bound))
        self.input_decay_bias = nn.Parameter(torch.empty(input_size).uniform_(0, bound))

    def weights(self) -> tuple[Tensor, ...]:
        """Return ([W, V, 0, b] of r, v, n over [0, 0, W_d, b_d]; U of r and v; U_n)."""
        H, C = self.hidden_size, self.input_size
        zeros = self.bias.new_zeros
        gates = torch.cat([self.weight_input, self.weight_mask, zeros(3 * H, C)], dim=1)  # (3*H, 3*C)
        decay = torch.cat([zeros(H, 2 * C), self.hidden_decay], dim=1)  # (H, 3*C)
        w_in = torch.cat([with_bias(gates, self.bias), with_bias(decay, self.hidden_decay_bias)])  # (4*H, 3*C + 1)
        return w_in, self.weight_hidden[: 2 * H], self.weight_hidden[2 * H :]

    def recurrence(self, step_ratios: Tensor | None):
        """Return the engine's form of this cell."""
        return GRUDRecurrence

    def hidden_states(self, inputs: Tensor, times: Tensor | None, lengths: Tensor | None, every_step: bool) -> Tensor:
        """Run the engine on [x^, m, d]; arguments and result as in `Cell.hidden_states`."""
        return super().hidden_states(self.impute(inputs, times, lengths), None, lengths, every_step)

    def impute(self, inputs: Tensor, times: Tensor | None, lengths: Tensor | None) -> Tensor:
        """Replace unobserved inputs, and append mask and elapsed time.

        Parameters
        ----------
        inputs : Tensor, shape (batch, length, channels)
            NaN where a channel was not observed.
        times, lengths
            As in `Cell.forward`.

        Returns
        -------
        Tensor, shape (batch, length, 3 * channels)
            [x^, m, d] of the class docstring.
        """
        length = inputs.shape[1]
        if times is None:
            now = torch.arange(length, device=inputs.device).expand(inputs.shape[0], length)
        else:
            now = intervals(times, lengths).cumsum(1)
        now = now.to(inputs.dtype).unsqueeze(2)  # (B, L, 1)
        start = torch.zeros_like(inputs[:, 0]), now[:, 0].expand_as(inputs[:, 0])
        return self._impute(inputs, now, *start)[0]

    def _impute(self, inputs: Tensor, now: Tensor, newest: Tensor, when: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`impute` for the last observation of each channel before the inputs, `newest` (B, C), at the times `when`.

        Also returns both after the inputs.
        """
        batch, length, channels = inputs.shape
        number = torch.arange(1, length + 1, device=inputs.device).view(1, length, 1)
        observed = ~inputs.isnan()
        last = torch.where(observed, number, 0).cummax(dim=1).values  # step of the last observation, (B, L, C)
        before = torch.cat([torch.zeros_like(last[:, :1]), last[:, :-1]], dim=1)  # strictly before each step
        known = torch.cat([newest.unsqueeze(1), torch.where(observed, inputs, 0)], dim=1)  # (B, 1 + L, C)
        at = torch.cat([when.unsqueeze(1), now.expand(batch, length, channels)], dim=1)
        elapsed = (at[:, 1:] - at.gather(1, before)).to(inputs.dtype)
        decay = torch.exp(-torch.relu(self.input_decay * elapsed + self.input_decay_bias))
        x = torch.where(observed, known[:, 1:], decay * known.gather(1, before))
        end = last[:, -1:]
        newest, when = known.gather(1, end).squeeze(1), at.gather(1, end).squeeze(1)
        return torch.cat([x, observed, elapsed], dim=2), newest, when

    def resume(
        self, inputs: Tensor, state: tuple[Tensor, ...], times: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run the engine from a state; arguments and result as in `Cell.resume`."""
        h, newest, when, time = state
        now = stream_times(time, times, inputs.shape[1]).double().unsqueeze(2)  # (B, L, 1)
        when = when.where(time.unsqueeze(1) >= 0, now[:, 0])
        features, newest, when = self._impute(inputs, now, newest, when)
        hidden, h = self.unroll(features, None, True, (h,))
        return hidden, (h, newest, when, now[:, -1, 0])

    # -- reference form -----------------------------------------------------------------------------------------

    def start(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Return (h, x', s, t): hidden state (B, H), last observations and their times (B, C), last time (B,)."""
        (h,) = super().start(inputs)
        time = unseen(inputs)
        return h, torch.zeros_like(inputs[:, 0]), time.unsqueeze(1).repeat(1, inputs.shape[2]), time

    def step(
        self, x: Tensor, state: tuple[Tensor, ...], step_ratio: float | Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Return (h, x', s, t) after the input x (B, C), one unit of time after the input before."""
        return self._next(x, state, state[-1] + 1)

    def reference(self, inputs: Tensor, times: Tensor | None = None, lengths: Tensor | None = None) -> Tensor:
        """Compute the hidden states step by step; `step` is not given the time of an input."""
        batch, length, _ = inputs.shape
        times = torch.arange(length, device=inputs.device).expand(batch, length) if times is None else times
        state, hidden = self.start(inputs), []
        for k in range(length):
            state = self._next(inputs[:, k], state, times[:, k].double())
            hidden.append(state[0])
        return torch.stack(hidden, 1)  # (B, L, H)

    def _next(self, x: Tensor, state: tuple[Tensor, ...], now: Tensor) -> tuple[Tensor, ...]:
        """The state after the input x (B, C) at the times `now` (B,)."""
        h, newest, when, time = state
        when = torch.where(time.unsqueeze(1) < 0, now.unsqueeze(1), when)  # (B, C)
        elapsed, mask = (now.unsqueeze(1) - when).to(x.dtype), ~x.isnan()  # (B, C)
        decay = torch.exp(-torch.relu(self.input_decay * elapsed + self.input_decay_bias))
        filled = torch.where(mask, x, decay * newest)
        h = torch.exp(-torch.relu(elapsed @ self.hidden_decay.T + self.hidden_decay_bias)) * h
        z = filled @ self.weight_input.T + mask.to(x.dtype) @ self.weight_mask.T + self.bias
        xr, xv, xn = z.chunk(3, 1)  # (B, H) each
        ur, uv, un = self.weight_hidden.chunk(3, 0)  # (H, H) each
        r, v = torch.sigmoid(xr + h @ ur.T), torch.sigmoid(xv + h @ uv.T)
        h = (1 - v) * h + v * torch.tanh(xn + (r * h) @ un.T)
        return h, torch.where(mask, x, newest), torch.where(mask, now.unsqueeze(1), when), now
