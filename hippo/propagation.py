"""Propagators: how a memory's state moves through a chunk of inputs.

LegS moves by its O(N) kernel. Time-invariant memories move by blocks of inputs, with one matrix product each.
"""

from functools import lru_cache

import numpy as np

from hippo import kernels
from hippo.operators.discretization import discretization_alpha
from hippo.operators.dynamics import TimeInvariant

BLOCK = 1024  # inputs per block: a power of 4, because shorter blocks have a quarter of the width each


class LegSPropagator:
    """Moves a scale-invariant LegS memory: input k >= 1 has step ratio 1/k, or the ratio that its timestamp gives.

    Parameters
    ----------
    discretization : str or float
        A rule of the generalized bilinear family.
    dtype : numpy.dtype
        float32 or float64, of the state.
    """

    def __init__(self, discretization: str | float, dtype: np.dtype):
        alpha = discretization_alpha(discretization)
        if alpha is None:
            raise ValueError("the O(N) step of legs has no 'zoh'")
        self.alpha, self.dtype = alpha, dtype
        self.overflow = _overflow("legs", discretization, dtype, ["bilinear", "backward"], advice="")

    def update(
        self, state: np.ndarray, chunk: np.ndarray, first: int, step_ratios: np.ndarray | None, stride: int
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Feed a chunk to the state.

        Parameters
        ----------
        state : ndarray, shape (batch, order)
            May be overwritten.
        chunk : ndarray, shape (batch, length)
        first : int
            Number of inputs before the chunk.
        step_ratios : ndarray, shape (length,) or (batch, length), or None
            Δt/t of each input; None for uniform sampling.
        stride : int
            Interval of snapshots, in inputs; 0 for none.

        Returns
        -------
        state : ndarray, shape (batch, order)
            The new state. For a float32 memory with small step ratios it is float64.
        snapshots : ndarray, shape (batch, length // stride, order), or None
            The coefficients after every `stride` inputs; None if `stride` is 0.
        """
        return kernels.legs_project_unchecked(state, chunk, first, step_ratios, self.alpha, stride)


class BlockPropagator:
    """Moves a time-invariant memory c_{k+1} = Abar c_k + Bbar f_k by blocks of inputs.

    A block of w inputs adds (Abar^w - I) c + [Abar^(w-1) Bbar ... Bbar] f to c. The difference Abar^w - I keeps in
    float32 what a slow memory changes in few steps; Abar^w itself is so near to I that float32 would round it off.
    A chunk is divided into blocks of `BLOCK` inputs, the rest into blocks of a quarter of that, and so on.

    Parameters
    ----------
    dynamics : TimeInvariant
        The continuous system.
    step : float
        Time between inputs, in the unit of time of `dynamics`.
    discretization : str or float
        The rule, as in `hippo.operators.discretize`.
    dtype : numpy.dtype
        float32 or float64, of the state and of the matrices. The matrices are computed in float64.
    """

    def __init__(self, dynamics: TimeInvariant, step: float, discretization: str | float, dtype: np.dtype):
        self.dtype = dtype
        others = ["bilinear", "backward", "zoh"]
        self.overflow = _overflow(dynamics.measure, discretization, dtype, others, advice=", or a longer theta")
        Abar, Bbar = dynamics.discretize(step, discretization)
        self._exact = {1: (Abar, Bbar[:, None])}  # by width, float64
        self._blocks: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def update(
        self, state: np.ndarray, chunk: np.ndarray, first: int, step_ratios: np.ndarray | None, stride: int
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Feed a chunk to the state, in place.

        Parameters and returns are those of `LegSPropagator.update`; `first` and `step_ratios` are not used.

        Raises
        ------
        ValueError
            If the rule is so unstable that the matrices of a block are not finite.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            if stride:
                return state, self._strides(state, chunk, stride)
            self._update(state, chunk)
            return state, None

    def power(self, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Return Abar^w (order, order) and [Abar^(w-1) Bbar ... Bbar] (order, w), float64, for w a power of 2."""
        if width not in self._exact:
            power, kernel = self.power(width // 2)
            self._exact[width] = power @ power, np.concatenate([power @ kernel, kernel], axis=1)
        return self._exact[width]

    def _strides(self, state: np.ndarray, chunk: np.ndarray, stride: int) -> np.ndarray:
        """Feed the chunk and return the snapshots."""
        batch, order = state.shape
        count = chunk.shape[1] // stride
        snapshots = np.empty((batch, count, order), dtype=state.dtype)
        # Snapshots inside one block depend on those before them. Blocks whose initial states are known do not depend
        # on each other: all are stepped through side by side.
        each = max(1, BLOCK // stride)
        blocks = count // each
        starts = np.empty((batch, blocks, order), dtype=state.dtype)
        for i in range(blocks):
            starts[:, i] = state
            self._update(state, chunk[:, i * each * stride : (i + 1) * each * stride])
        in_blocks = snapshots[:, : blocks * each].reshape(batch, blocks, each, order)
        parts = chunk[:, : blocks * each * stride].reshape(batch * blocks, each, stride)
        side_by_side = starts.reshape(batch * blocks, order)
        for j in range(each if blocks else 0):
            self._update(side_by_side, parts[:, j])
            in_blocks[:, :, j] = side_by_side.reshape(batch, blocks, order)
        for i in range(blocks * each, count):
            self._update(state, chunk[:, i * stride : (i + 1) * stride])
            snapshots[:, i] = state
        self._update(state, chunk[:, count * stride :])
        return snapshots

    def _update(self, state: np.ndarray, chunk: np.ndarray) -> None:
        done, length, width = 0, chunk.shape[1], BLOCK
        while done < length:
            if count := (length - done) // width:
                change, kernel = self._block(width)
                part = chunk[:, done : done + count * width].reshape(len(chunk), count, width)
                driven = part @ kernel  # (batch, count, order)
                for i in range(count):
                    state += state @ change + driven[:, i]
                done += count * width
            width //= 4

    def _block(self, width: int) -> tuple[np.ndarray, np.ndarray]:
        """(Abar^w - I).T (order, order) and the transposed kernel (w, order), in the memory's dtype."""
        if width not in self._blocks:
            power, kernel = self.power(width)
            change = np.ascontiguousarray((power - np.eye(len(power))).T, dtype=self.dtype)
            kernel = np.ascontiguousarray(kernel.T, dtype=self.dtype)
            if not (np.isfinite(change).all() and np.isfinite(kernel).all()):
                raise ValueError(self.overflow)
            self._blocks[width] = change, kernel
        return self._blocks[width]


@lru_cache(maxsize=4)  # computing the matrices takes longer than passing a million inputs
def block_propagator(
    dynamics: TimeInvariant, step: float, discretization: str | float, dtype: np.dtype
) -> BlockPropagator:
    """Return a propagator that memories of equal settings use together."""
    return BlockPropagator(dynamics, step, discretization, dtype)


def _overflow(measure: str, discretization: str | float, dtype: np.dtype, others: list[str], advice: str) -> str:
    """Message for a state or for matrices that are not finite."""
    message = f"the memory overflows {dtype}: "
    alpha = discretization_alpha(discretization)
    if alpha is None or alpha >= 0.5:  # stable for every system that is
        if measure == "random":
            return (
                message + "measure 'random' grows exponentially; take a longer theta, a shorter signal or another seed"
            )
        wider = ", or pass dtype='float64'" if dtype == np.float32 else ""
        return message + f"the signal is too large for it; scale the signal down{wider}"
    cure = " or ".join([", ".join(map(repr, others[:-1])), repr(others[-1])])
    return (
        message + f"the signal is too large for it, or measure {measure!r} with discretization {discretization!r} is "
        f"unstable at this step (take {cure}{advice})"
    )
