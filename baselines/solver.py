"""torchdiffeq's solvers as the cells here use them: counted, capped, and with one word for failure."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from hippo.nn.divergence import Diverged

# What torchdiffeq says by AssertionError when a solution cannot be continued.
GIVEN_UP = ("underflow in dt", "non-finite values in state")


class Solver:
    """A torchdiffeq `method` with `steps` per unit of time if fixed-step, else with a `tolerance`.

    `tolerance` is relative and absolute, per step; the error norm spans the batch, so samples of a batch then share
    their steps. `begin` starts a forward pass, which may evaluate the vector field `max_evaluations` times.
    """

    def __init__(self, method: str, steps: int, tolerance: float | None, max_evaluations: int):
        self.method, self.steps, self.tolerance = method, steps, tolerance
        self.max_evaluations = max_evaluations
        self.evaluations = self._in_this_pass = 0

    def begin(self) -> None:
        """A forward pass starts: its evaluations are counted from zero."""
        self._in_this_pass = 0

    def take_count(self) -> int:
        """Evaluations since this was last asked."""
        count, self.evaluations = self.evaluations, 0
        return count

    def __call__(self, odeint: Callable, field: Callable, state: Tensor, points: Sequence[int]) -> Tensor:
        """What `odeint`(field, state, times) returns, where times are the increasing `points`.

        Diverged where the step underflows, the state is not finite, or the cap is passed.
        """

        def counted(t, y):
            self.evaluations += 1
            self._in_this_pass += 1
            if self._in_this_pass > self.max_evaluations:
                raise Diverged(f"{self.method}: more than {self.max_evaluations} evaluations in one forward pass")
            return field(t, y)

        times = state.new_tensor(points)
        if self.tolerance is None:
            steps = (points[-1] - points[0]) * self.steps
            grid = torch.linspace(points[0], points[-1], steps + 1, dtype=state.dtype, device=state.device)
            how = {"options": {"grid_constructor": lambda f, y0, t: grid}}
        else:
            how = {"rtol": self.tolerance, "atol": self.tolerance}
        try:
            return odeint(counted, state, times, method=self.method, **how)
        except AssertionError as error:
            if not str(error).startswith(GIVEN_UP):
                raise
            reason = str(error).split(":")[0]  # what follows is the whole state
            raise Diverged(f"{self.method}: {reason}") from error
