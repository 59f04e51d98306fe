"""river transformer of a stream of features into the coefficients of HiPPO memories."""

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np
from river.base import Transformer

from hippo.estimators.memory_bank import MemoryBank
from hippo.memory import OnlineMemory


class HiPPOStreamTransformer(Transformer):
    """Transform a stream into the coefficients of the past of each feature.

    Each feature of the stream has memories of its own, which start when the feature first appears. A sample without
    the feature leaves them unchanged.

    `transform_one` returns what the memories hold, as the statistics of river do: the sample that it receives counts
    once `learn_one` has received it. In a river pipeline, `predict_one` comes before `learn_one`. To predict from
    features that contain the present sample, predict inside ``river.compose.learn_during_predict()``.

    Parameters
    ----------
    order : int, default 32
        Coefficients of each feature and window length.
    measure : str, default "legs"
        Name of the measure; see `hippo.OnlineMemory`.
    dynamics : {"scale-invariant", "time-invariant"}, optional
        As in `hippo.OnlineMemory`.
    theta : float or sequence of float, optional
        Length of the window of a time-invariant memory, in samples. With several lengths there is one memory for each.
        Required by time-invariant memories.
    discretization : str or float, optional
        As in `hippo.OnlineMemory`.
    timestamps : hashable, optional
        Name of the feature that holds the time of the sample: not negative and never decreasing. It has no
        coefficients. Only scale-invariant memories read times.

    Attributes
    ----------
    memories : dict
        The memories (list of `hippo.OnlineMemory`, by window length) of each feature.

    Examples
    --------
    >>> from hippo.estimators import HiPPOStreamTransformer
    >>> transformer = HiPPOStreamTransformer(order=2)
    >>> for value in [1.0, 3.0]:
    ...     transformer.learn_one({"price": value})
    >>> {name: round(value, 3) for name, value in transformer.transform_one({}).items()}
    {'price_legs_0': 2.333, 'price_legs_1': 1.155}
    """

    def __init__(
        self,
        order: int = 32,
        measure: str = "legs",
        dynamics: str | None = None,
        theta: float | Sequence[float] | None = None,
        discretization: str | float | None = None,
        timestamps=None,
    ):
        self.order, self.measure, self.dynamics = order, measure, dynamics
        self.theta, self.discretization, self.timestamps = theta, discretization, timestamps
        self._bank = MemoryBank(order, measure, dynamics, theta, discretization)
        self._bank.memories()  # raises without the window length that each memory of a stream needs
        if timestamps is not None and not self._bank.scale_invariant:
            raise ValueError(f"timestamps={timestamps!r} needs scale-invariant memories, got measure {measure!r}")
        self.memories: dict[Any, list[OnlineMemory]] = {}

    def learn_one(self, x: dict) -> None:
        """Feed one sample to the memories.

        Parameters
        ----------
        x : dict
            Value of each feature: real and finite.

        Raises
        ------
        ValueError
            If a value or the time is refused, or the time is missing. All memories are then unchanged.
        TypeError
            If a value is no real number.
        """
        time = None
        if self.timestamps is not None:
            if self.timestamps not in x:
                raise ValueError(f"the sample has no {self.timestamps!r}, which holds its time; it has {list(x)}")
            time = x[self.timestamps]
        learned = {}
        for name, value in x.items():
            if name != self.timestamps:
                memories = self.memories.get(name) or self._bank.memories()
                learned[name] = [self._fed(name, memory, value, time) for memory in memories]
        self.memories.update(learned)

    def transform_one(self, x: dict) -> dict:
        """Return the coefficients of all features that were learned.

        Parameters
        ----------
        x : dict
            Not used: the coefficients are those of the past.

        Returns
        -------
        dict
            Coefficients by name: feature, measure with its window length, number of the coefficient.
        """
        features: dict[str, float] = {}
        for name, memories in self.memories.items():
            values = [value for memory in memories for value in memory.coefficients.tolist()]
            features.update(zip(self._bank.names([name]), values, strict=True))
        return features

    @staticmethod
    def _fed(name, memory: OnlineMemory, value, time) -> OnlineMemory:
        """A copy of a memory that has read one value."""
        if np.ndim(value):
            raise TypeError(f"feature {name!r}: expected one number, got {value!r:.80}")
        following = copy(memory)
        try:
            return following.update(value, time)
        except (TypeError, ValueError) as error:
            raise type(error)(f"feature {name!r}: {error}") from None
