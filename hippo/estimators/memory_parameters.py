"""Parameters of the estimators of sktime that read series through HiPPO memories."""

from collections.abc import Sequence


class MemoryParameters:
    """Constructor that the estimators have in common; `HiPPOTransformer` describes the parameters."""

    def __init__(
        self,
        order: int = 32,
        measure: str = "legs",
        dynamics: str | None = None,
        theta: float | Sequence[float] | None = None,
        discretization: str | float | None = None,
        timestamps: str | None = None,
    ):
        self.order, self.measure, self.dynamics = order, measure, dynamics
        self.theta, self.discretization, self.timestamps = theta, discretization, timestamps
        super().__init__()
