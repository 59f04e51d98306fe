"""Memories of one measure at one or several window lengths: what all estimators read sequences with."""

from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any, cast

import numpy as np

from hippo.memory import OnlineMemory, project
from hippo.memory.settings import MemorySettings
from hippo.operators.dynamics import SCALE_INVARIANT, check_dynamics


class MemoryBank:
    """Memories that differ only in the length of their window.

    Parameters
    ----------
    order : int
        Coefficients of each memory.
    measure : str
        Name of the measure.
    dynamics : {"scale-invariant", "time-invariant"} or None
        As in `hippo.OnlineMemory`.
    theta : float, sequence of float or None
        Window lengths in samples. None: the memory is scale-invariant, or its window is as long as each sequence.
    discretization : str, float or None
        As in `hippo.OnlineMemory`.

    Raises
    ------
    ValueError
        If an argument is refused by `hippo.OnlineMemory`, or there is no window length in a sequence.
    TypeError
        If an argument has the wrong type.
    """

    def __init__(
        self,
        order: int,
        measure: str = "legs",
        dynamics: str | None = None,
        theta: float | Sequence[float] | None = None,
        discretization: str | float | None = None,
    ):
        single = theta is None or isinstance(theta, Real | str)  # a string is refused below
        self.thetas: list[Any] = [theta] if single else list(cast("Sequence[float]", theta))
        if not self.thetas:
            raise ValueError("theta is an empty sequence; give one window length or more, or None")
        self.scale_invariant = check_dynamics(measure, dynamics) == SCALE_INVARIANT
        for length in self.thetas:
            if length is None and not self.scale_invariant:
                length = 1.0  # each sequence gives its own; the other arguments are checked
            MemorySettings(measure, order, dynamics, length, discretization)
        self._arguments: dict[str, Any] = {
            "measure": measure,
            "order": order,
            "dynamics": dynamics,
            "discretization": discretization,
        }

    @property
    def features(self) -> int:
        """Coefficients of one channel."""
        return len(self.thetas) * self._arguments["order"]

    def memories(self, **options) -> list[OnlineMemory]:
        """Return new memories, one for each window length; `options` are further arguments of `OnlineMemory`."""
        return [OnlineMemory(**self._arguments, theta=theta, **options) for theta in self.thetas]

    def coefficients(self, sequences: np.ndarray, times: np.ndarray | None = None) -> np.ndarray:
        """Return the coefficients of each channel.

        Parameters
        ----------
        sequences : ndarray, shape (samples, length, channels)
        times : ndarray, shape (samples, length), optional

        Returns
        -------
        ndarray, shape (samples, channels * windows * order)
            Channels outermost, coefficients innermost.
        """
        samples, length, channels = sequences.shape
        signals = sequences.swapaxes(1, 2).reshape(-1, length)  # (samples * channels, length)
        timestamps = None if times is None else np.repeat(times, channels, axis=0)
        found = [project(signals, **self._arguments, theta=theta, timestamps=timestamps) for theta in self.thetas]
        return np.stack(found, axis=1).reshape(samples, -1)

    def names(self, channels: Iterable[str]) -> np.ndarray:
        """Return the names of the coefficients of channels with the given names, in the order of `coefficients`."""
        measure, order = self._arguments["measure"], self._arguments["order"]
        windows = [
            f"{measure}{'' if theta is None else repr(float(theta)).removesuffix('.0')}" for theta in self.thetas
        ]
        return np.array([f"{c}_{w}_{n}" for c in channels for w in windows for n in range(order)], dtype=object)
