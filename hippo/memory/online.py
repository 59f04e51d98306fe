"""An online memory: constant size, fed by single samples or by chunks."""

from typing import Any

import numpy as np

from hippo.kernels import LEAST_STEP_RATIO, first_nonfinite
from hippo.kernels.arrays import is_tensor
from hippo.memory.arrays import check_allocation, float_dtype, index_text, on_device, real_array
from hippo.memory.reconstruction import reconstruct
from hippo.memory.settings import MemorySettings, rename_settings
from hippo.operators.checks import check_integer
from hippo.operators.dynamics import TimeInvariant
from hippo.propagation import BlockPropagator, LegSPropagator, block_propagator

SAVED_SETTINGS = ("measure", "order", "dynamics", "theta", "discretization", "batch", "seed")
MOST_SAMPLES = 2**53  # the step ratio of a later sample would be that of its neighbor in float64


def _setting(name: str, description: str) -> Any:
    return property(lambda memory: getattr(memory.settings, name), doc=description)


class OnlineMemory:
    """A memory of constant size for one signal, or for a batch of signals of equal length.

    Scale-invariant legs follows the published convention: the first input sets c = [f_0, 0, ..., 0], and input number
    k >= 1 has the step ratio 1/k, or (t_k - t_{k-1}) / t_k with timestamps. Time-invariant memories start at c = 0 and
    measure time in samples.

    A float32 memory continues in float64 where single steps are too small for float32, at half the speed:
    scale-invariant memories from input 2^20, or from the first step ratio below 2^-20; time-invariant ones if theta is
    above 2^20.

    A memory is not thread-safe: `update` reads and then writes the state without a lock. Use one memory per thread.

    Parameters
    ----------
    measure : {"legs", "legt", "lmu", "lagt", "fout", "random", "diag_legs", ...}, default "legs"
        Name of the measure, or of a diagonal system; see `hippo.transition`.
    order : int, default 64
        Number of coefficients per signal.
    dynamics : {"scale-invariant", "time-invariant"}, optional
        Default: scale-invariant for legs, time-invariant for all other measures. Only legs can be scale-invariant.
    theta : float, optional
        Length of the window in samples; the time constant in samples for measures without a window: lagt, random,
        diagonal systems and time-invariant legs. Required by time-invariant memories, refused by scale-invariant ones.
    discretization : {"bilinear", "backward", "euler", "zoh"} or float, optional
        The rule, as in `hippo.operators.discretize`; default "bilinear" for scale-invariant memories, which have no
        "zoh", and "zoh" for time-invariant ones.
    batch : int, optional
        Number of signals; default: a single signal without a batch axis.
    dtype : {"float32", "float64"}, optional
        Precision; default: that of the first chunk (float64 if it is not float32).
    nonfinite : {"raise", "pass"}, default "raise"
        Whether NaN and infinite samples, and an overflow of the state, are errors.
    seed : int, default 0
        Seed of the measure `random`.

    Attributes
    ----------
    samples : int
        Number of inputs so far, per signal.
    settings : MemorySettings
        The arguments, checked and with defaults filled in. They cannot be changed.

    Raises
    ------
    ValueError
        If a name is unknown, a number is out of range, or arguments exclude each other.
    TypeError
        If an argument has the wrong type.

    References
    ----------
    Gu et al. 2020, arXiv 2008.07669, section 2.

    Examples
    --------
    >>> OnlineMemory("legs", order=2).update([1.0, 3.0]).coefficients.round(3)
    array([2.333, 1.155])
    >>> OnlineMemory("legt", order=2, theta=100)
    OnlineMemory(measure='legt', order=2, dynamics='time-invariant', theta=100.0, discretization='zoh', samples=0)
    """

    measure = _setting("measure", "Name of the measure.")
    order = _setting("order", "Number of coefficients per signal.")
    dynamics = _setting("dynamics", "'scale-invariant' or 'time-invariant'.")
    theta = _setting("theta", "Window or time constant in samples, or None.")
    discretization = _setting("discretization", "Name of the rule, or its weight alpha.")
    batch = _setting("batch", "Number of signals, or None for a single one.")
    nonfinite = _setting("nonfinite", "'raise' or 'pass'.")
    seed = _setting("seed", "Seed of the measure 'random'.")

    def __init__(
        self,
        measure: str = "legs",
        order: int = 64,
        *,
        dynamics: str | None = None,
        theta: float | None = None,
        discretization: str | float | None = None,
        batch: int | None = None,
        dtype=None,
        nonfinite: str = "raise",
        seed: int = 0,
    ):
        self.settings = MemorySettings(measure, order, dynamics, theta, discretization, batch, nonfinite, seed)
        self.dtype = self._chosen_dtype = None if dtype is None else float_dtype(dtype)
        self.samples = 0
        self._time: np.ndarray | None = None  # last timestamps (1,) or (batch, 1), if chunks have timestamps
        self._device: Any = None  # device of the last chunk if it was a tensor, else None
        self._state: np.ndarray | None = None  # (batch or 1, order) from the first input on
        self._propagator: LegSPropagator | BlockPropagator | None = None

    def __repr__(self) -> str:
        shown = {name: getattr(self, name) for name in SAVED_SETTINGS if name != "seed" or self.measure == "random"}
        shown |= {"dtype": self.dtype and self.dtype.name, "samples": self.samples}
        return f"OnlineMemory({', '.join(f'{k}={v!r}' for k, v in shown.items() if v is not None)})"

    def update(self, chunk, timestamps=None) -> "OnlineMemory":
        """Feed one sample, or a chunk of samples in order of time.

        Parameters
        ----------
        chunk : array_like or torch.Tensor, shape () or (length,); with a batch (batch,) or (batch, length)
            One sample or several, of each signal.
        timestamps : array_like or torch.Tensor, optional
            Times of the samples, of the shape of `chunk` or (length,): finite, not negative, never decreasing. Only for
            scale-invariant memories. Either every chunk has timestamps or none.

        Returns
        -------
        OnlineMemory
            The memory itself.

        Raises
        ------
        ValueError
            If shapes do not fit, a sample or timestamp is refused, a tensor requires a gradient, or the state
            overflows. The memory is then unchanged.
        TypeError
            If `chunk` or `timestamps` does not hold real numbers.
        MemoryError
            If the memory needs more bytes than this machine has.
        """
        self._feed_chunk(chunk, timestamps, stride=0)
        return self

    def record(self, chunk, timestamps=None, *, stride: int = 1) -> Any:
        """Feed a chunk as `update` does, and return the coefficients after every `stride` samples.

        Parameters
        ----------
        chunk, timestamps
            As in `update`.
        stride : int, default 1
            Interval in samples, counted from the start of the chunk.

        Returns
        -------
        ndarray or torch.Tensor, shape (batch or 1, length // stride, order)
            Of the kind and on the device of `chunk`.

        Raises
        ------
        ValueError, TypeError, MemoryError
            As `update`.
        """
        return self._feed_chunk(chunk, timestamps, check_integer("stride", stride))

    @property
    def coefficients(self) -> Any:
        """Copy of the coefficients (order,), or (batch, order), of the kind and on the device of the last chunk."""
        dtype = self.dtype or np.dtype(np.float64)
        state = self._zeros(dtype) if self._state is None else self._state.astype(dtype)
        return on_device(state if self.batch is not None else state[0], self._device)

    def reconstruct(self, points=100, *, span: float = 1.0) -> Any:
        """Return the past that the coefficients represent.

        Parameters
        ----------
        points, span
            As in `hippo.reconstruct`.

        Returns
        -------
        ndarray or torch.Tensor, shape (P,), or (batch, P)
            Of the kind and on the device of the last chunk.

        Raises
        ------
        ValueError, TypeError
            As `hippo.reconstruct`.

        Examples
        --------
        >>> OnlineMemory("legs", order=8).update(np.full(100, 3.0)).reconstruct(points=[0.0, 0.5, 1.0]).round(6)
        array([3., 3., 3.])
        """
        return reconstruct(self.coefficients, self.measure, points, dynamics=self.dynamics, span=span)

    def reset(self) -> "OnlineMemory":
        """Forget all input. The memory is then as its constructor made it.

        Returns
        -------
        OnlineMemory
            The memory itself.
        """
        self.dtype = self._chosen_dtype
        self.samples, self._time, self._device, self._state, self._propagator = 0, None, None, None, None
        return self

    def state_dict(self) -> dict:
        """Return all that `load_state_dict` needs to continue from this state.

        Returns
        -------
        dict
            Numbers, strings, and arrays of the kind of the last chunk. Save it by `pickle` or ``np.save(file,
            [saved])`` if the chunks are arrays. If they are tensors, use `torch.save`; `torch.load` reads it with
            ``weights_only=True``.
        """
        settings = {name: getattr(self.settings, name) for name in SAVED_SETTINGS}
        settings["dtype"] = None if self.dtype is None else self.dtype.name
        state, time = (None if a is None else on_device(a.copy(), self._device) for a in (self._state, self._time))
        return {"settings": settings, "samples": self.samples, "state": state, "time": time}

    def load_state_dict(self, saved: dict) -> "OnlineMemory":
        """Continue from a saved state.

        Parameters
        ----------
        saved : dict
            What `state_dict` of a memory with the same settings returned, with arrays or tensors. A dtype that was not
            given to the constructor is replaced by the saved one.

        Returns
        -------
        OnlineMemory
            The memory itself.

        Raises
        ------
        ValueError
            If something is missing, a setting differs, a shape does not fit, the number of samples is impossible, or
            the state is not finite while `nonfinite` is "raise". The memory is then unchanged.
        TypeError
            If `saved` is not a dict.
        """
        if not isinstance(saved, dict):
            raise TypeError(f"expected what state_dict returned, got {type(saved).__name__}")
        own = {**self.state_dict()["settings"], "dtype": self._chosen_dtype and self._chosen_dtype.name}
        if missing := {"settings", "samples", "state", "time"} - set(saved):
            raise ValueError(f"the saved memory lacks {', '.join(sorted(missing))}")
        settings = rename_settings(saved["settings"])
        if missing := set(own) - set(settings):
            raise ValueError(f"the saved memory lacks {', '.join(sorted(missing))}")
        for key, value in own.items():
            if settings[key] != value and not (key == "dtype" and None in (value, settings[key])):
                raise ValueError(f"this memory has {key} = {value!r}, the saved one {settings[key]!r}")
        state, time = (None if saved[k] is None else real_array(k, saved[k]).copy() for k in ("state", "time"))
        self._check_saved(state, time, saved["samples"])
        self.dtype = self._chosen_dtype if settings["dtype"] is None else float_dtype(settings["dtype"])
        self.samples, self._state, self._time, self._propagator = int(saved["samples"]), state, time, None
        return self

    def _check_saved(self, state: np.ndarray | None, time: np.ndarray | None, samples) -> None:
        signals = self.settings.signals
        for name, array, shapes in (
            ("state", state, [(signals, self.order)]),
            ("time", time, [(1,), (signals, 1)]),
        ):
            if array is not None and array.shape not in shapes:
                raise ValueError(f"the saved {name} has shape {array.shape}, this memory needs {shapes[-1]}")
        count = isinstance(samples, int | np.integer) and not isinstance(samples, bool)
        if not count or not 0 <= samples <= MOST_SAMPLES or (state is None and samples):
            raise ValueError(f"the saved memory has samples = {samples!r}, and {'no ' * (state is None)}state")
        if self.nonfinite == "raise" and state is not None and (wrong := first_nonfinite(state)) >= 0:
            where = index_text(wrong, state.shape)
            raise ValueError(f"the saved state is {state.flat[wrong]}{where}; only nonfinite='pass' accepts it")
        if time is not None and not (np.isfinite(time) & (time >= 0)).all():
            raise ValueError(f"the saved time must be finite and not negative, got {time.tolist()}")

    def _feed_chunk(self, chunk, timestamps, stride: int):
        """Check the shape of a chunk and feed it."""
        values = real_array("signal", chunk)
        shape = values.shape
        if self.batch is None:
            fits, full = values.ndim <= 1, (1, values.size)
        else:
            fits = values.ndim in (1, 2) and shape[0] == self.batch
            full = (self.batch, shape[1] if values.ndim == 2 else 1)
        if not fits:
            expected = "() or (length,)" if self.batch is None else f"({self.batch},) or ({self.batch}, length)"
            raise ValueError(f"a chunk of this memory has shape {expected}, got {shape}")
        device = chunk.device if is_tensor(chunk) else None
        return self._feed(values.reshape(full), shape, timestamps, stride, device)

    def _project(self, signal, shape: tuple[int, ...], timestamps: np.ndarray | None, stride: int):
        """Feed all of a signal (..., length); return its coefficients, or the snapshots if there is a stride."""
        values = real_array("signal", signal).reshape(self.settings.signals, shape[-1])
        device = signal.device if is_tensor(signal) else None
        if timestamps is not None and timestamps.ndim > 1:
            timestamps = timestamps.reshape(values.shape)
        snapshots = self._feed(values, shape, timestamps, stride, device, whole=True)
        return snapshots if stride else self.coefficients

    def _feed(self, values: np.ndarray, shape: tuple[int, ...], timestamps, stride: int, device, whole=False):
        """Feed values (batch or 1, length), which the caller gave as an array of `shape`; `whole` if it is a signal."""
        values = np.ascontiguousarray(values, dtype=self.dtype or values.dtype)
        wrong = first_nonfinite(values) if self.nonfinite == "raise" else -1
        if wrong >= 0:
            raise ValueError(
                f"signal is {values.flat[wrong]}{self._place(wrong, shape, values.shape[1], whole)}; replace it, or "
                "pass nonfinite='pass' to accept it"
            )
        time, step_ratios = self._step_ratios(timestamps, values.shape[1], shape if whole else None)
        propagator = self._propagator or self._make_propagator(values.dtype)
        state = self._zeros(propagator.dtype) if self._state is None else self._state.copy()
        state, snapshots = propagator.update(state, values, self.samples, step_ratios, stride)
        if self.nonfinite == "raise" and first_nonfinite(state) >= 0:
            raise ValueError(propagator.overflow)
        self._device = device
        if values.size:
            self.dtype, self._state, self._time, self._propagator = values.dtype, state, time, propagator
            self.samples += values.shape[1]
        return None if snapshots is None else on_device(snapshots.astype(values.dtype, copy=False), device)

    def _place(self, flat: int, shape: tuple[int, ...], length: int, whole: bool) -> str:
        """Where element number `flat` of an argument of `shape` is."""
        index = index_text(flat, shape)
        if whole:
            return index
        sample = f"sample {self.samples + flat % length} of the memory"
        return f"{index} of the chunk, {sample}" if index else f" at {sample}"

    def _zeros(self, dtype: np.dtype) -> np.ndarray:
        size = self.settings.signals * self.order
        # The state, the copy that an update makes, and the two working copies of the kernel.
        check_allocation(f"a memory of {size:,} coefficients", 4 * size * dtype.itemsize)
        return np.zeros((self.settings.signals, self.order), dtype=dtype)

    def _make_propagator(self, dtype: np.dtype) -> LegSPropagator | BlockPropagator:
        if self.settings.scale_invariant:
            return LegSPropagator(self.discretization, dtype)
        if self.theta > 1 / LEAST_STEP_RATIO:
            dtype = np.dtype(np.float64)
        # A and its discretization in float64, and the latter's difference from the identity.
        check_allocation(f"a {self.measure!r} memory of order {self.order:,}", 3 * 8 * self.order**2)
        dynamics = TimeInvariant(self.measure, self.order, seed=self.seed)
        return block_propagator(dynamics, dynamics.time_unit / self.theta, self.discretization, dtype)

    def _step_ratios(
        self, timestamps, length: int, signal_shape: tuple[int, ...] | None
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """The last timestamps and the step ratios (length,) or (batch, length); None for uniform sampling.

        `signal_shape` is the shape of a whole signal as the caller gave it, None for a chunk.
        """
        if timestamps is None:
            if self._time is not None:
                raise ValueError("earlier chunks of this memory had timestamps: pass them with every chunk")
            return None, None
        if not self.settings.scale_invariant:
            raise ValueError(
                f"a time-invariant memory ({self.measure!r}) has a fixed step: timestamps need measure 'legs' with "
                "scale-invariant dynamics"
            )
        if self._time is None and self.samples:
            raise ValueError("earlier chunks of this memory had no timestamps: start a new memory to pass them")
        times = np.asarray(real_array("timestamps", timestamps), dtype=np.float64)
        shape = times.shape
        if times.ndim == (0 if self.batch is None else 1) and shape != (length,):
            times = times[..., None]
        if times.shape not in ((length,), (self.settings.signals, length)):
            own = (length,) if self.batch is None else f"{(length,)} or {(self.batch, length)}"
            raise ValueError(f"timestamps must have shape {own}, got {shape}")
        if not length:
            return self._time, None
        if self._time is not None and self._time.ndim > times.ndim:
            times = np.broadcast_to(times, (self.settings.signals, length))
        before = times[..., :1] if self._time is None else np.broadcast_to(self._time, times[..., :1].shape)
        with np.errstate(invalid="ignore"):  # infinite times are refused below
            elapsed = np.diff(times, axis=-1, prepend=before)
        wrong = np.flatnonzero(~np.isfinite(times) | (times < 0) | (elapsed < 0))
        if len(wrong):
            if signal_shape is not None and len(shape) > 1:
                shape = signal_shape
            place = self._place(int(wrong[0] % np.prod(shape)), shape, length, whole=signal_shape is not None)
            raise ValueError(
                f"timestamps must be finite, not negative and never decreasing: got {times.flat[wrong[0]]}{place}"
            )
        # Of inputs at equal times only the first counts, also at time 0, where the ratio would be 0/0.
        return times[..., -1:].copy(), np.divide(elapsed, times, out=np.zeros(times.shape), where=elapsed > 0)
