"""A flow and its adjoint in PyTorch: any dtype and device. Letters in shape comments are those of `equation`."""

from collections import defaultdict

import torch
from torch import Tensor

from hippo_baselines.flows.equation import Equation, Gradients, Inputs, Weights, input_count


class TorchFlow:
    """One flow over a whole sequence.

    Parameters
    ----------
    equation : Equation
        Functions and rule.
    inputs : Inputs
        Initial state, path and inputs.
    weights : Weights
        Weights.
    keep : bool
        Keep the activations for `backward`.
    """

    def __init__(self, equation: Equation, inputs: Inputs, weights: Weights, keep: bool):
        self.equation, self.inputs, self.weights, self.keep = equation, inputs, weights, keep
        self.steps = input_count(equation, inputs)
        self.tape: dict[str, list[Tensor]] = defaultdict(list)

    def forward(self, every_step: bool) -> Tensor:
        """Return the hidden states after every input (L, B, H), or after the last one (B, H)."""
        h, hidden = self.inputs.state, []
        for t in range(self.steps):
            if t:
                for step in range((t - 1) * self.equation.substeps, t * self.equation.substeps):
                    h = self._solve(step, h)
            if self.inputs.x is not None:
                h = self._update(self.inputs.x[t], h)
            if every_step:
                hidden.append(h)
        return torch.stack(hidden) if every_step else h.clone()

    def backward(self, grad: Tensor, every_step: bool, needs_x: bool) -> Gradients:
        """Return all gradients.

        Parameters
        ----------
        grad : Tensor, shape (L, B, H) or (B, H)
            Gradient of what `forward` returned.
        every_step : bool
            As in `forward`.
        needs_x : bool
            Compute the gradient of `inputs.x`.
        """
        # Gradients by name, those of the last evaluation or input first.
        self.grads: dict[str, list[Tensor]] = defaultdict(list)
        grad_h = torch.zeros_like(grad[0]) if every_step else grad
        for t in reversed(range(self.steps)):
            if every_step:
                grad_h = grad_h + grad[t]
            if self.inputs.x is not None:
                grad_h = self._update_adjoint(t, grad_h)
            if t:
                for step in reversed(range((t - 1) * self.equation.substeps, t * self.equation.substeps)):
                    grad_h = self._solve_adjoint(step, grad_h)
        return Gradients(grad_h, self._collect("controls"), *self._update_gradients(needs_x))

    # -- the equation -------------------------------------------------------------------------------------------

    def _save(self, **activations: Tensor) -> None:
        if self.keep:
            for name, activation in activations.items():
                self.tape[name].append(activation)

    def _solve(self, step: int, h: Tensor) -> Tensor:
        """Return the state after one step of the solver."""
        tableau, increments = self.equation.tableau, []
        for stage, row in enumerate(tableau.states):
            y = h + sum(factor * k for factor, k in zip(row, increments, strict=True)) if row else h  # (B, H)
            increments.append(self._increment(step * self.equation.stages + stage, y))
        return h + sum(factor * k for factor, k in zip(tableau.weights, increments, strict=True))

    def _increment(self, evaluation: int, y: Tensor) -> Tensor:
        """Evaluate the vector field at the state y (B, H)."""
        weights, control = self.weights, self.inputs.controls[evaluation]  # (B, C)
        a = self.equation.inner.function(y @ weights.inner_weight.t() + weights.inner_bias)  # (B, F)
        product = a @ weights.outer_weight.flatten(0, 1).t() + weights.outer_bias.flatten()  # (B, C*H)
        p = self.equation.outer.function(product.unflatten(1, weights.outer_bias.shape))  # (B, C, H)
        self._save(y=y, a=a, p=p)
        return (p * control.unsqueeze(2)).sum(1)  # (B, H)

    def _solve_adjoint(self, step: int, grad_h: Tensor) -> Tensor:
        """Return the gradient of the state before one step of the solver from that after it."""
        tableau, stages = self.equation.tableau, self.equation.stages
        grads_y: dict[int, Tensor] = {}
        for stage in reversed(range(stages)):
            grad_k = tableau.weights[stage] * grad_h
            for later, grad_y in grads_y.items():
                grad_k = grad_k + tableau.states[later][stage] * grad_y
            grads_y[stage] = self._increment_adjoint(step * stages + stage, grad_k)
        return grad_h + sum(grads_y.values())

    def _increment_adjoint(self, evaluation: int, grad_k: Tensor) -> Tensor:
        """Return the gradient of the state of a stage from that of its increment (B, H)."""
        weights, control = self.weights, self.inputs.controls[evaluation]  # (B, C)
        a, p = self.tape["a"][evaluation], self.tape["p"][evaluation]  # (B, F), (B, C, H)
        grad_p = grad_k.unsqueeze(1) * control.unsqueeze(2) * self.equation.outer.derivative(p)  # (B, C, H)
        grad_a = grad_p.flatten(1) @ weights.outer_weight.flatten(0, 1) * self.equation.inner.derivative(a)  # (B, F)
        self.grads["controls"].append((p * grad_k.unsqueeze(1)).sum(2))  # (B, C)
        self.grads["p"].append(grad_p)
        self.grads["a"].append(grad_a)
        return grad_a @ weights.inner_weight

    # -- the update ---------------------------------------------------------------------------------------------

    def _update(self, x: Tensor, h: Tensor) -> Tensor:
        """Return the state after the input x (B, I): r, v = sigmoid;  n = tanh;  h' = n + v (h - n)."""
        size = h.shape[1]
        z = x @ self.weights.w_in.t()  # (B, 4*H)
        z[:, : 3 * size] += h @ self.weights.w_rec.t()
        reset, keep, recurrent, new = z.chunk(4, 1)  # (B, H) each
        reset, keep = reset.sigmoid(), keep.sigmoid()
        new = (new + reset * recurrent).tanh()
        self._save(h=h, z=torch.cat([reset, keep, recurrent, new], 1))
        return new + keep * (h - new)

    def _update_adjoint(self, t: int, grad_h: Tensor) -> Tensor:
        """Return the gradient of the state before input t from that after it."""
        before = self.tape["h"][t]  # (B, H)
        reset, keep, recurrent, new = self.tape["z"][t].chunk(4, 1)  # (B, H) each
        grad_keep = grad_h * (before - new) * keep * (1 - keep)
        grad_new = grad_h * (1 - keep) * (1 - new * new)
        grad_recurrent = grad_new * reset
        grad_reset = grad_recurrent * recurrent * (1 - reset)
        grad_z = torch.cat([grad_reset, grad_keep, grad_recurrent, grad_new], 1)  # (B, 4*H)
        self.grads["z"].append(grad_z)
        return grad_h * keep + grad_z[:, : len(self.weights.w_rec)] @ self.weights.w_rec

    # -- gradients of weights -----------------------------------------------------------------------------------

    def _collect(self, name: str) -> Tensor:
        """Return the gradients of all evaluations or inputs, first one first; empty like the controls if none."""
        found = self.grads[name]
        return torch.stack(found[::-1]) if found else torch.zeros_like(self.inputs.controls)

    def _update_gradients(self, needs_x: bool) -> tuple[Tensor | None, Weights]:
        """Return the gradients of `inputs.x` and of the weights, each as one product over the whole sequence."""
        weights = self.weights
        if self.grads["a"]:
            y, a = (torch.cat(self.tape[name]) for name in ("y", "a"))  # (E*B, H), (E*B, F)
            grad_a, grad_p = self._collect("a").flatten(0, 1), self._collect("p").flatten(0, 1)  # (E*B, F), (E*B, C, H)
            outer_weight = (grad_p.flatten(1).t() @ a).view_as(weights.outer_weight)  # (C, H, F)
            field = grad_a.t() @ y, grad_a.sum(0), outer_weight, grad_p.sum(0)
        else:  # a sequence of one input
            field = tuple(torch.zeros_like(weight) for weight in weights[:4])
        if self.inputs.x is None:
            return None, Weights(*field)
        grad_z = self._collect("z").flatten(0, 1)  # (L*B, 4*H)
        grad_x = (grad_z @ weights.w_in).view_as(self.inputs.x) if needs_x else None  # (L, B, I)
        grad_w_in = grad_z.t() @ self.inputs.x.flatten(0, 1)  # (4*H, I)
        grad_w_rec = grad_z[:, : len(weights.w_rec)].t() @ torch.cat(self.tape["h"])  # (3*H, H)
        return grad_x, Weights(*field, grad_w_in, grad_w_rec)
