"""Explicit Runge-Kutta rules with fixed steps: the coefficients and stage times of torchdiffeq's fixed-step methods."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tableau:
    """Coefficients of an explicit Runge-Kutta rule.

    With increments k_i = Δt f(t + nodes_i Δt, y_i) at the states y_i = y + sum_j states_ij k_j, j < i, a step of size
    Δt leads from y to y + sum_i weights_i k_i.

    Attributes
    ----------
    nodes : tuple of float
        Time of each stage as a fraction of the step.
    states : tuple of tuple of float
        For each stage the coefficients of all earlier increments.
    weights : tuple of float
        Coefficients of the increments in the step.
    """

    nodes: tuple[float, ...]
    states: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]

    def matrix(self, like: Tensor) -> Tensor:
        """Return the coefficients (stages + 1, stages): those of the states, and in the last row the weights."""
        stages = len(self.weights)
        rows = [(*row, *(0.0,) * (stages - len(row))) for row in (*self.states, self.weights)]
        return like.new_tensor(rows)


# Method of torchdiffeq -> its coefficients. The method rk4 is the 3/8 rule (Kutta 1901).
TABLEAUS = {
    "euler": Tableau((0.0,), ((),), (1.0,)),
    "midpoint": Tableau((0.0, 1 / 2), ((), (1 / 2,)), (0.0, 1.0)),
    "rk4": Tableau(
        (0.0, 1 / 3, 2 / 3, 1.0), ((), (1 / 3,), (-1 / 3, 1.0), (1.0, -1.0, 1.0)), (1 / 8, 3 / 8, 3 / 8, 1 / 8)
    ),
}


def fixed_grid(start: int, end: int, steps: int, like: Tensor) -> Tensor:
    """Return the times of a fixed-step solution.

    Parameters
    ----------
    start, end : int
        First and last time.
    steps : int
        Steps per unit of time.
    like : Tensor
        Defines dtype and device.

    Returns
    -------
    Tensor, shape ((end - start) * steps + 1,)
    """
    return torch.linspace(start, end, (end - start) * steps + 1, dtype=like.dtype, device=like.device)


def stage_times(tableau: Tableau, grid: Tensor) -> Tensor:
    """Compute the times at which a fixed-step solution evaluates the vector field.

    Parameters
    ----------
    tableau : Tableau
        Rule with S stages.
    grid : Tensor, shape (steps + 1,)
        Times of the solution.

    Returns
    -------
    Tensor, shape (steps, S)
    """
    begin, end = grid[:-1], grid[1:]
    # A stage at the end of a step has exactly that time: the sum would round it into another piece of a spline.
    times = [end if node == 1 else begin + (end - begin) * node for node in tableau.nodes]
    return torch.stack(times, dim=1)
