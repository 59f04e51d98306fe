"""How a memory advances: LegS by its O(N) kernel, time-invariant measures by blocks of matrix products."""

from functools import lru_cache

import numpy as np

from hippo import kernels
from hippo.operators.discretization import discretize, method_alpha
from hippo.operators.measures import find_measure, transition

BLOCK = 1024  # samples that a time-invariant memory takes at once: a power of 4


class ScaleInvariant:
    """LegS: input k >= 1 changes the memory by the step ratio 1/k, or by the ratio that its timestamp gives."""

    def __init__(self, method: str | float, dtype: np.dtype):
        self.alpha, self.dtype = method_alpha(method), dtype
        self.overflow = _overflow("legs", method, dtype, "'bilinear' or 'backward'")

    def advance(self, state: np.ndarray, chunk: np.ndarray, first: int, steps: np.ndarray | None, stride: int):
        """Feed chunk (batch, length), whose first input is number `first`, to state (batch, N), which it may overwrite.

        Returns the new state, of a late float32 memory in float64, and the coefficients after every stride inputs,
        (batch, length // stride, N), or None if stride is 0.
        """
        return kernels.feed(state, chunk, first, steps, self.alpha, stride)


class TimeInvariant:  # the state keeps the dtype of its matrices
    """c_{k+1} = Abar c_k + Bbar f_k in blocks: w steps at once add (Abar^w - I) c + [Abar^(w-1) Bbar ... Bbar] f to c.

    The difference keeps in float32 what a slow memory changes in few steps: Abar^w itself, near I, would round it off.
    A chunk takes blocks of BLOCK samples, then of a quarter of that, and so on: few products, whatever its length.
    """

    def __init__(self, transition: np.ndarray, drive: np.ndarray, dtype: np.dtype, overflow: str):
        self.dtype, self.overflow = dtype, overflow
        self._exact = {1: (transition, drive[:, None])}  # by width, float64
        self._blocks: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def advance(self, state: np.ndarray, chunk: np.ndarray, first: int, steps: np.ndarray | None, stride: int):
        """Feed chunk (batch, length) to state (batch, N), in place; `first` and `steps` mean nothing here.

        Returns the state and the coefficients after every stride inputs, (batch, length // stride, N), or None if
        stride is 0. ValueError: a rule so unstable that its matrices are not finite.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            return state, self._strides(state, chunk, stride) if stride else self._advance(state, chunk)

    def _strides(self, state: np.ndarray, chunk: np.ndarray, stride: int) -> np.ndarray:
        batch, order = state.shape
        count = chunk.shape[1] // stride
        snapshots = np.empty((batch, count, order), dtype=state.dtype)
        # Snapshots on the way of one block need those before them, but blocks can be walked through side by side.
        each = max(1, BLOCK // stride)
        blocks = count // each
        starts = np.empty((batch, blocks, order), dtype=state.dtype)
        for i in range(blocks):
            starts[:, i] = state
            self._advance(state, chunk[:, i * each * stride : (i + 1) * each * stride])
        walked = snapshots[:, : blocks * each].reshape(batch, blocks, each, order)
        parts = chunk[:, : blocks * each * stride].reshape(batch * blocks, each, stride)
        side_by_side = starts.reshape(batch * blocks, order)
        for j in range(each if blocks else 0):
            self._advance(side_by_side, parts[:, j])
            walked[:, :, j] = side_by_side.reshape(batch, blocks, order)
        for i in range(blocks * each, count):
            self._advance(state, chunk[:, i * stride : (i + 1) * stride])
            snapshots[:, i] = state
        self._advance(state, chunk[:, count * stride :])
        return snapshots

    def _advance(self, state: np.ndarray, chunk: np.ndarray) -> None:
        done, length, width = 0, chunk.shape[1], BLOCK
        while done < length:
            if count := (length - done) // width:
                change, kernel = self._block(width)
                part = chunk[:, done : done + count * width].reshape(len(chunk), count, width)
                driven = part @ kernel
                for i in range(count):
                    state += state @ change + driven[:, i]
                done += count * width
            width //= 4

    def _block(self, width: int) -> tuple[np.ndarray, np.ndarray]:
        """(Abar^w - I).T (N, N) and the transposed kernel (w, N) of a block of w samples, in the memory's dtype."""
        if width not in self._blocks:
            power, kernel = self._doubled(width)
            change = power - np.eye(len(power))
            matrices = tuple(np.ascontiguousarray(m.T, dtype=self.dtype) for m in (change, kernel))
            if not all(np.isfinite(matrix).all() for matrix in matrices):
                raise ValueError(self.overflow)
            self._blocks[width] = matrices
        return self._blocks[width]

    def _doubled(self, width: int) -> tuple[np.ndarray, np.ndarray]:
        if width not in self._exact:
            power, kernel = self._doubled(width // 2)
            self._exact[width] = power @ power, np.concatenate([power @ kernel, kernel], axis=1)
        return self._exact[width]


@lru_cache(maxsize=4)  # its matrices take longer to make than a million samples to pass
def time_invariant(measure: str, order: int, theta: float, method, seed: int, dtype: np.dtype) -> TimeInvariant:
    """The propagator of a time-invariant measure, whose window is theta samples long."""
    A, B = transition(measure, order, seed=seed)
    overflow = _overflow(measure, method, dtype, "'bilinear', 'backward' or 'zoh', or a longer theta")
    return TimeInvariant(*discretize(A, B, find_measure(measure).unit / theta, method), dtype, overflow)


def _overflow(measure: str, method, dtype: np.dtype, cure: str) -> str:
    return (
        f"the memory overflows {dtype}: the signal is too large for it, or measure {measure!r} with method {method!r} "
        f"is unstable at this step (take {cure})"
    )
