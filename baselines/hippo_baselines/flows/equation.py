"""What a flow is: its equation, its rule, its weights and its inputs.

Between two inputs the hidden state y follows dy = f(y) dX, and at each input a GRU may change it:

    a = inner(V y + b);  f_c(y) = outer(W_c a + b_c);  dy = sum over channels c of f_c(y) dX_c

Letters in shape comments: B samples, L inputs of a sequence, H hidden units, F hidden units of the vector field, C
channels of the path X, N steps of the solver, S stages of a step, E = N * S evaluations of the vector field, I channels
of the inputs of the GRU, the last of which is 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from hippo_baselines.flows.runge_kutta import Tableau


class Activation(NamedTuple):
    """A function of each unit, and its derivative in terms of the activation."""

    function: Callable[[Tensor], Tensor]
    derivative: Callable[[Tensor], Tensor]


RELU = Activation(torch.relu, lambda a: (a > 0).to(a.dtype))
TANH = Activation(torch.tanh, lambda a: 1 - a * a)
IDENTITY = Activation(lambda x: x, torch.ones_like)


@dataclass(frozen=True)
class Equation:
    """The functions of a flow and the rule that solves it.

    Attributes
    ----------
    kernel : str
        Name of the compiled form, which has the same activations.
    inner, outer : Activation
        Of the hidden layer of the vector field, and of its output.
    tableau : Tableau
        Coefficients of the rule.
    substeps : int
        Steps of the solver between two inputs.
    """

    kernel: str
    inner: Activation
    outer: Activation
    tableau: Tableau
    substeps: int

    @property
    def stages(self) -> int:
        """Evaluations of the vector field per step of the solver."""
        return len(self.tableau.weights)


class Weights(NamedTuple):
    """Weights of a flow. Those of the GRU are None where there is none."""

    inner_weight: Tensor  # (F, H)
    inner_bias: Tensor  # (F,)
    outer_weight: Tensor  # (C, H, F)
    outer_bias: Tensor  # (C, H)
    w_in: Tensor | None = None  # (4*H, I): rows of r, v, of an empty block with the bias of U_n h, and of n
    w_rec: Tensor | None = None  # (3*H, H)


class Inputs(NamedTuple):
    """Inputs of a flow."""

    state: Tensor  # (B, H), before the first input
    controls: Tensor  # (E, B, C): increments of X over a step of the solver, at the rate of the stage
    x: Tensor | None = None  # (L, B, I), of the GRU


class Gradients(NamedTuple):
    """Gradients of the inputs and weights of a flow; that of x is None if it is not needed."""

    state: Tensor
    controls: Tensor
    x: Tensor | None
    weights: Weights


def input_count(equation: Equation, inputs: Inputs) -> int:
    """Return the length L of the sequence."""
    return len(inputs.controls) // (equation.substeps * equation.stages) + 1
