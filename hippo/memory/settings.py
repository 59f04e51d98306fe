"""Settings of an online memory, checked."""

from dataclasses import dataclass

from hippo.operators.checks import check_integer, check_positive
from hippo.operators.discretization import discretization_alpha
from hippo.operators.dynamics import SCALE_INVARIANT, TIME_INVARIANT, check_dynamics, default_dynamics
from hippo.operators.measures import check_order


@dataclass(frozen=True)
class MemorySettings:
    """What defines an online memory, except its dtype, which its first chunk may set.

    Parameters are those of `hippo.OnlineMemory`. After construction `dynamics` and `discretization` have their
    defaults filled in, and numbers are Python numbers.
    """

    measure: str
    order: int
    dynamics: str | None = None
    theta: float | None = None
    discretization: str | float | None = None
    batch: int | None = None
    nonfinite: str = "raise"
    seed: int = 0

    def __post_init__(self):
        self._set("order", check_order(self.measure, self.order))
        self._set("dynamics", check_dynamics(self.measure, self.dynamics))
        try:
            self._set("seed", check_integer("seed", self.seed, least=0))
        except (TypeError, ValueError):
            raise ValueError(
                f"seed must be an integer that is not negative, so that the memory can be reproduced: got {self.seed!r}"
            ) from None
        self._set("discretization", self._checked_discretization())
        self._set("theta", self._checked_theta())
        if self.batch is not None:
            self._set("batch", check_integer("batch", self.batch))
        if self.nonfinite not in ("raise", "pass"):
            raise ValueError(f"nonfinite must be 'raise' or 'pass', got {self.nonfinite!r}")

    @property
    def scale_invariant(self) -> bool:
        """True if the dynamics are scale-invariant."""
        return self.dynamics == SCALE_INVARIANT

    @property
    def signals(self) -> int:
        """Number of signals, also 1 for a memory without a batch."""
        return self.batch or 1

    def _set(self, name: str, value) -> None:
        object.__setattr__(self, name, value)

    def _checked_discretization(self) -> str | float:
        rule = self.discretization
        if rule is None:
            return "bilinear" if self.scale_invariant else "zoh"
        alpha = discretization_alpha(rule)
        if self.scale_invariant and alpha is None:
            raise ValueError(
                "scale-invariant legs has no 'zoh' in O(N): use 'bilinear', 'backward', 'euler' or a weight alpha"
            )
        return rule if isinstance(rule, str) or alpha is None else alpha

    def _checked_theta(self) -> float | None:
        theta = None if self.theta is None else check_positive("theta", self.theta, unit="samples")
        if self.scale_invariant and theta is not None:
            raise ValueError(
                f"{self.measure} remembers all of the signal: it has no theta, got {self.theta!r} "
                f"(dynamics={TIME_INVARIANT!r} has one)"
            )
        if not self.scale_invariant and theta is None:
            raise ValueError(
                f"measure {self.measure!r} needs theta, the length of its window or time constant in samples"
            )
        return theta


def rename_settings(settings: dict) -> dict:
    """Return saved settings with the names of this version; earlier ones had `method` and no `dynamics`."""
    if "method" not in settings:
        return settings
    settings = dict(settings)
    settings.setdefault("discretization", settings.pop("method"))
    if "dynamics" not in settings and "measure" in settings:
        settings["dynamics"] = default_dynamics(settings["measure"])
    return settings
