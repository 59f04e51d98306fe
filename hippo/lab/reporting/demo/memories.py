"""The memories that the page compares, and what one of them keeps of a signal."""

from dataclasses import dataclass

import numpy as np

from hippo.memory import OnlineMemory, reconstruct
from hippo.operators.dynamics import SCALE_INVARIANT, TIME_INVARIANT


@dataclass(frozen=True)
class Memory:
    """One memory as the page presents it.

    Parameters
    ----------
    label : str
        Its name in the papers.
    measure, dynamics : str
        Arguments of `hippo.OnlineMemory`.
    remembers : str
        The past that it remembers, in a few words.
    """

    label: str
    measure: str
    dynamics: str
    remembers: str

    @property
    def key(self) -> str:
        """Name of the memory in the page."""
        return self.measure if self.dynamics == SCALE_INVARIANT or self.measure != "legs" else "s4_legs"

    @property
    def scale_invariant(self) -> bool:
        """True if the memory covers all of the signal and has no window."""
        return self.dynamics == SCALE_INVARIANT

    def read(self, signal: np.ndarray, order: int, window: float) -> OnlineMemory:
        """Return the memory with `order` coefficients after it has read a signal (length,), one sample at a time.

        `window` is its window or time constant in samples. A scale-invariant memory has none.
        """
        theta = None if self.scale_invariant else window
        memory = OnlineMemory(self.measure, order, dynamics=self.dynamics, theta=theta)
        for sample in signal:
            memory.update(sample)
        return memory

    def recall(self, memory: OnlineMemory) -> np.ndarray:
        """Return the newest samples as the coefficients represent them, oldest first.

        They are all samples for a scale-invariant memory, and those of one window or time constant for the others.
        """
        span = memory.samples if self.scale_invariant else memory.theta
        ages = np.arange(min(memory.samples, int(span)), 0, -1) - 0.5  # of the centers of the samples
        return reconstruct(memory.coefficients, self.measure, 1 - ages / span, dynamics=self.dynamics)


def relative_error(recalled: np.ndarray, signal: np.ndarray) -> float:
    """Return the root mean squared error of recalled samples over the root mean square of these samples.

    Parameters
    ----------
    recalled : ndarray, shape (recalled,)
        The newest samples, as a memory recalls them.
    signal : ndarray, shape (length,)

    Returns
    -------
    float
        0 for an exact memory; about 1 for one that has nothing of the signal. NaN if these samples are all 0.
    """
    newest = signal[len(signal) - len(recalled) :]
    norm = np.linalg.norm(newest)
    return float(np.linalg.norm(recalled - newest) / norm) if norm else float("nan")


MEMORIES = (
    Memory("LegS", "legs", SCALE_INVARIANT, "all of the past, evenly"),
    Memory("LegT", "legt", TIME_INVARIANT, "the last window, evenly"),
    Memory("FouT", "fout", TIME_INVARIANT, "the last window, as waves"),
    Memory("LMU", "lmu", TIME_INVARIANT, "LegT in other units"),
    Memory("S4-LegS", "legs", TIME_INVARIANT, "a fading past, sharp near now"),
    Memory("LagT", "lagt", TIME_INVARIANT, "a fading past, as decaying waves"),
)
