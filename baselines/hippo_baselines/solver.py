"""The solvers of torchdiffeq with a count and a limit of evaluations, and one exception for every failure."""

from collections.abc import Callable, Sequence

from torch import Tensor

from hippo.nn.divergence import Diverged
from hippo_baselines.flows.runge_kutta import TABLEAUS, Tableau, fixed_grid

# Beginnings of the messages of the AssertionErrors that torchdiffeq raises when it cannot continue a solution.
SOLVER_FAILURES = ("underflow in dt", "non-finite values in state")


class Solver:
    """A method of torchdiffeq.

    Call `begin` at the start of each forward pass.

    Parameters
    ----------
    method : str
        Name of the method in torchdiffeq.
    steps : int
        Steps per unit of time, for a fixed-step method.
    tolerance : float or None
        Relative and absolute error per step, for an adaptive method; None for a fixed-step method. The norm of the
        error is taken over the batch, so the step sizes of a sample depend on the other samples of its batch.
    max_evaluations : int
        Largest number of evaluations of the vector field in one forward pass.
    """

    def __init__(self, method: str, steps: int, tolerance: float | None, max_evaluations: int):
        self.method, self.steps, self.tolerance = method, steps, tolerance
        self.max_evaluations = max_evaluations
        self.evaluations = self._in_this_pass = 0

    @property
    def tableau(self) -> Tableau | None:
        """Coefficients of a fixed-step method; None for an adaptive method."""
        return TABLEAUS.get(self.method)

    def begin(self) -> None:
        """Start a forward pass: reset the count that `max_evaluations` limits."""
        self._in_this_pass = 0

    def take_count(self) -> int:
        """Return the number of evaluations since the last call."""
        count, self.evaluations = self.evaluations, 0
        return count

    def count(self, evaluations: int) -> None:
        """Count evaluations of the vector field.

        Raises
        ------
        Diverged
            If they exceed the limit of one forward pass.
        """
        counted = min(evaluations, self.max_evaluations + 1 - self._in_this_pass)  # the one past the limit is the last
        self.evaluations += counted
        self._in_this_pass += counted
        if self._in_this_pass > self.max_evaluations:
            raise Diverged(f"{self.method}: more than {self.max_evaluations} evaluations in one forward pass")

    def __call__(self, odeint: Callable, field: Callable, state: Tensor, points: Sequence[int]) -> Tensor:
        """Solve an equation.

        Parameters
        ----------
        odeint : callable
            `torchdiffeq.odeint` or a function with its arguments.
        field : callable
            Vector field, `field(t, y)`.
        state : Tensor
            Initial value.
        points : sequence of int
            Increasing times at which the solution is returned; the first is that of `state`.

        Returns
        -------
        Tensor
            What `odeint` returns.

        Raises
        ------
        Diverged
            If the step size underflows, the state is not finite, or the limit of evaluations is exceeded.
        """

        def counted(t, y):
            self.count(1)
            return field(t, y)

        times = state.new_tensor(points)
        if self.tolerance is None:
            grid = fixed_grid(points[0], points[-1], self.steps, like=state)
            settings = {"options": {"grid_constructor": lambda f, y0, t: grid}}
        else:
            settings = {"rtol": self.tolerance, "atol": self.tolerance}
        try:
            return odeint(counted, state, times, method=self.method, **settings)
        except AssertionError as error:
            if not str(error).startswith(SOLVER_FAILURES):
                raise
            reason = str(error).split(":")[0]  # the rest of the message is the whole state
            raise Diverged(f"{self.method}: {reason}") from error
