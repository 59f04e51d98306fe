"""How a memory advances: LegS by its O(N) kernel, time-invariant measures by blocks of matrix products."""

import numpy as np

from hippo import kernels

BLOCK = 1024  # samples per block of a time-invariant memory: a power of 4


class ScaleInvariant:
    """LegS: input k >= 1 changes the memory by the step ratio 1/k, or by the ratio that its timestamp gives."""

    def __init__(self, alpha: float):
        self.alpha = alpha

    def advance(self, state: np.ndarray, chunk: np.ndarray, first: int, steps: np.ndarray | None, stride: int):
        """Feed chunk (batch, length), whose first input is number `first`, to state (batch, N) in place."""
        return kernels.feed(state, chunk, first, steps, self.alpha, stride)


class TimeInvariant:
    """c_{k+1} = Abar c_k + Bbar f_k in blocks: w steps at once are Abar^w c + [Abar^(w-1) Bbar ... Bbar] f.

    Powers of 4 up to BLOCK are kept, so that a chunk of any length takes few products.
    """

    def __init__(self, transition: np.ndarray, drive: np.ndarray, dtype: np.dtype):
        self.blocks: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        power, kernel, width = transition, drive[:, None], 1
        while width <= BLOCK:
            if not (np.isfinite(power).all() and np.isfinite(kernel).all()):
                raise ValueError(
                    "the discretization is unstable at this step: take 'bilinear' or 'zoh', or a longer theta"
                )
            if width.bit_length() % 2:
                self.blocks[width] = tuple(np.ascontiguousarray(m.T, dtype=dtype) for m in (power, kernel))
            with np.errstate(over="ignore", invalid="ignore"):  # told in words above, in the next round
                kernel, power = np.concatenate([power @ kernel, kernel], axis=1), power @ power
            width *= 2

    def advance(self, state: np.ndarray, chunk: np.ndarray, first: int, steps: np.ndarray | None, stride: int):
        """Feed chunk (batch, length) to state (batch, N) in place; `first` and `steps` mean nothing here."""
        if not stride:
            return self._advance(state, chunk)
        count = chunk.shape[1] // stride
        snapshots = np.empty((len(state), count, state.shape[1]), dtype=state.dtype)
        for i in range(count):
            self._advance(state, chunk[:, i * stride : (i + 1) * stride])
            snapshots[:, i] = state
        self._advance(state, chunk[:, count * stride :])
        return snapshots

    def _advance(self, state: np.ndarray, chunk: np.ndarray) -> None:
        done, length = 0, chunk.shape[1]
        for width in sorted(self.blocks, reverse=True):
            power, kernel = self.blocks[width]
            count = (length - done) // width
            part = chunk[:, done : done + count * width].reshape(len(chunk), count, width)
            driven = part @ kernel
            for i in range(count):
                state[:] = state @ power + driven[:, i]
            done += count * width
