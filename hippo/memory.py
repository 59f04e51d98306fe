"""Online memories of signals: the projection of all that was seen onto a measure's basis, and back.

    c = project(signal, order=256)                      # (256,)
    f = reconstruct(c, "legs", points=len(signal))      # (len(signal),)
    memory = OnlineMemory("legs", order=256); memory.update(chunk); memory.coefficients

LegS follows the published convention: the first input sets c = [f_0, 0, ..., 0], input number k >= 1 then takes
the step ratio 1/k (or, with timestamps, (t_k - t_{k-1}) / t_k). Time-invariant measures start from c = 0, are
normalised as in `hippo.operators.measures`, and measure time in samples: theta is the length of the window (lagt and
random: the time constant), so the step size is window / theta. Gu et al. 2020 (arXiv 2008.07669), section 2.
"""

import sys
from numbers import Integral
from operator import index

import numpy as np

from hippo.kernels import LEAST_RATIO, first_nonfinite
from hippo.kernels.arrays import FLOATS, detached, is_tensor
from hippo.operators.checks import check_integer
from hippo.operators.discretization import discretization_alpha
from hippo.operators.dynamics import SCALE_INVARIANT, TimeInvariant, default_dynamics
from hippo.operators.measures import find_measure
from hippo.propagation import BlockPropagator, LegSPropagator, block_propagator

POINTS_AT_ONCE = 4096  # of the reconstruction: its basis (4096, order) stays in cache


class OnlineMemory:
    """A memory of constant size that is fed a signal, or a batch of them, sample by sample or in chunks.

    measure, order: what is remembered, by how many coefficients. theta: window in samples, required by
    time-invariant measures and refused by legs. method: as in `discretize`; default "bilinear" for legs, "zoh"
    else. batch: number of signals, None for a single one. dtype: "float32" or "float64", default that of the
    first chunk. nonfinite: "raise" on NaN or infinity, or "pass" them through. seed: of the random measure.
    A float32 memory goes on in float64 where single steps are too small for float32 to see, at half the speed: legs
    from input 2^20 on, or from the first step ratio below 2^-20; time-invariant measures if theta is above 2^20.
    """

    def __init__(
        self,
        measure: str = "legs",
        order: int = 64,
        *,
        theta: float | None = None,
        method: str | float | None = None,
        batch: int | None = None,
        dtype=None,
        nonfinite: str = "raise",
        seed: int = 0,
    ):
        self.measure, self.order = measure, check_integer("order", order)
        if not isinstance(seed, Integral) or seed < 0:
            raise ValueError(f"seed must be an integer, not negative, so that a memory can be had again: got {seed!r}")
        self.seed = int(seed)
        self.scale_invariant = default_dynamics(measure) == SCALE_INVARIANT
        self.method = method if method is not None else ("bilinear" if self.scale_invariant else "zoh")
        alpha = discretization_alpha(self.method)
        self.method = self.method if isinstance(self.method, str) else alpha
        if theta is not None and not (np.isfinite(theta) and theta > 0):
            raise ValueError(f"theta must be a positive number of samples, got {theta!r}")
        self.theta = None if theta is None else float(theta)
        if self.scale_invariant and theta is not None:
            raise ValueError(f"{measure} remembers all of the signal: it has no theta, got {theta!r}")
        if self.scale_invariant and alpha is None:
            raise ValueError("legs has no 'zoh' in O(N): take 'bilinear', 'backward', 'euler' or a weight alpha")
        if not self.scale_invariant and theta is None:
            raise ValueError(f"measure {measure!r} needs theta, the length of its window in samples")
        batch = None if batch is None else index(batch)
        if batch is not None and batch < 1:
            raise ValueError(f"batch must be at least 1, got {batch}")
        if nonfinite not in ("raise", "pass"):
            raise ValueError(f"nonfinite must be 'raise' or 'pass', got {nonfinite!r}")
        self.batch, self.nonfinite = batch, nonfinite
        self.dtype = self._chosen = None if dtype is None else _float_dtype(dtype)
        self.samples = 0
        self._time: np.ndarray | None = None  # last timestamps (1,) or (batch, 1), once a chunk has brought some
        self._device = None  # of the last chunk if it was a tensor, to answer in its kind
        self._state: np.ndarray | None = None  # from the first input on, (batch or 1, order)
        self._propagator: LegSPropagator | BlockPropagator | None = None

    def update(self, chunk, timestamps=None) -> "OnlineMemory":
        """Feed a sample, or a chunk of them in order of time; returns the memory itself.

        chunk: a number or (length,); with a batch, (batch,) for one sample of each signal or (batch, length).
        timestamps (legs only): of the chunk's shape or (length,), not negative, never decreasing; once given,
        every chunk needs them. ValueError: shapes, non-finite values or timestamps that do not fit, a tensor that
        requires a gradient, a state that overflows; the memory is then as it was.
        """
        self.advance(chunk, timestamps)
        return self

    def advance(self, chunk, timestamps=None, stride: int = 0):
        """`update`, returning the coefficients after every `stride` inputs, (batch, length // stride, order)."""
        if stride and not (isinstance(stride, Integral) and stride > 0):
            raise ValueError(f"stride must be an integer, at least 1, or 0 for none, got {stride!r}")
        values = self._chunk(chunk)
        times, steps = self._steps(timestamps, values.shape[1])
        propagator = self._propagator or self._make_propagator(values.dtype)
        state = self._zeros(propagator.dtype) if self._state is None else self._state.copy()
        state, snapshots = propagator.update(state, values, self.samples, steps, stride)
        if self.nonfinite == "raise" and first_nonfinite(state) >= 0:
            raise ValueError(propagator.overflow)
        self._device = chunk.device if is_tensor(chunk) else None
        if values.size:
            self.dtype, self._state, self._time, self._propagator = values.dtype, state, times, propagator
            self.samples += values.shape[1]
        return _alike(snapshots.astype(values.dtype, copy=False), self._device) if stride else None

    @property
    def coefficients(self):
        """The memory (order,), or (batch, order), of the kind and on the device of the last chunk; a copy."""
        dtype = self.dtype or np.dtype(np.float64)
        state = self._zeros(dtype) if self._state is None else self._state.astype(dtype)
        return _alike(state if self.batch is not None else state[0], self._device)

    def state_dict(self) -> dict:
        """All that `load_state_dict` needs to go on from here: numbers, strings, and arrays of the last chunk's kind.

        For NumPy: `pickle`, or `np.save(file, [saved])`; for torch: `torch.save`, and `torch.load` as it is by
        default, for weights alone.
        """
        settings = {k: getattr(self, k) for k in ("measure", "order", "theta", "method", "batch", "seed")}
        settings["dtype"] = None if self.dtype is None else self.dtype.name
        state, time = (None if a is None else _alike(a.copy(), self._device) for a in (self._state, self._time))
        return {"settings": settings, "samples": self.samples, "state": state, "time": time}

    def load_state_dict(self, saved: dict) -> "OnlineMemory":
        """Go on from `saved`, of either kind of array, and return the memory itself.

        A dtype that only chunks have chosen gives way to the saved one. ValueError names what is missing, the first
        setting in which the two memories differ, or a shape that does not fit; the memory is then as it was.
        """
        own = {**self.state_dict()["settings"], "dtype": self._chosen and self._chosen.name}
        if missing := {"settings", "samples", "state", "time"} - set(saved) or set(own) - set(saved["settings"]):
            raise ValueError(f"the saved memory lacks {', '.join(sorted(missing))}")
        settings = saved["settings"]
        for key, value in own.items():
            if settings[key] != value and not (key == "dtype" and None in (value, settings[key])):
                raise ValueError(f"this memory has {key} = {value!r}, the saved one {settings[key]!r}")
        state, time = (None if saved[k] is None else _array(k, saved[k]).copy() for k in ("state", "time"))
        rows = self.batch or 1
        for name, array, shapes in (("state", state, [(rows, self.order)]), ("time", time, [(1,), (rows, 1)])):
            if array is not None and array.shape not in shapes:
                raise ValueError(f"the saved {name} has shape {array.shape}, this memory needs {shapes[-1]}")
        samples = saved["samples"]
        if not isinstance(samples, int) or samples < 0 or (state is None and samples):
            raise ValueError(f"the saved memory has samples = {samples!r}, and {'no ' * (state is None)}state")
        self.dtype = self._chosen if settings["dtype"] is None else _float_dtype(settings["dtype"])
        self.samples, self._state, self._time, self._propagator = samples, state, time, None
        return self

    def _zeros(self, dtype: np.dtype) -> np.ndarray:
        return np.zeros((self.batch or 1, self.order), dtype=dtype)

    def _make_propagator(self, dtype: np.dtype) -> LegSPropagator | BlockPropagator:
        if self.scale_invariant:
            return LegSPropagator(self.method, dtype)
        if self.theta > 1 / LEAST_RATIO:
            dtype = np.dtype(np.float64)
        dynamics = TimeInvariant(self.measure, self.order, seed=self.seed)
        return block_propagator(dynamics, dynamics.time_unit / self.theta, self.method, dtype)

    def _chunk(self, chunk) -> np.ndarray:
        """The chunk as (batch, length) of the memory's dtype; checks its shape and its values."""
        values = _array("signal", chunk)
        shape = values.shape
        if self.batch is None:
            fits, full = values.ndim <= 1, (1, values.size)
        else:
            fits = values.ndim in (1, 2) and shape[0] == self.batch
            full = (self.batch, shape[1] if values.ndim == 2 else 1)
        if not fits:
            expected = "() or (length,)" if self.batch is None else f"({self.batch},) or ({self.batch}, length)"
            raise ValueError(f"a chunk of this memory has shape {expected}, got {shape}")
        values = np.ascontiguousarray(values.reshape(full), dtype=self.dtype or values.dtype)
        wrong = first_nonfinite(values) if self.nonfinite == "raise" else -1
        if wrong >= 0:
            signal, position = divmod(wrong, full[1])
            where = f"position {self.samples + position}" + ("" if self.batch is None else f" of signal {signal}")
            raise ValueError(
                f"signal is {values[signal, position]} at {where}; clean it, or pass nonfinite='pass' to let it through"
            )
        return values

    def _steps(self, timestamps, length: int) -> tuple[np.ndarray | None, np.ndarray | None]:
        """The last timestamps and the step ratios, (length,) or (batch, length); None for uniform signals."""
        if timestamps is None:
            if self._time is not None:
                raise ValueError("this memory was fed with timestamps: pass them with every chunk")
            return None, None
        if not self.scale_invariant:
            raise ValueError(f"measure {self.measure!r} has a fixed step: timestamps need measure 'legs'")
        if self._time is None and self.samples:
            raise ValueError("this memory was fed without timestamps: start a new one to pass them")
        times = np.asarray(_array("timestamps", timestamps), dtype=np.float64)
        if times.ndim == (0 if self.batch is None else 1) and times.shape != (length,):
            times = times[..., None]
        if times.shape not in ((length,), (self.batch or 1, length)):
            own = (length,) if self.batch is None else f"{(length,)} or {(self.batch, length)}"
            raise ValueError(f"timestamps must have shape {own}, got {times.shape}")
        if not length:
            return self._time, None
        if self._time is not None and self._time.ndim > times.ndim:
            times = np.broadcast_to(times, (self.batch or 1, length))
        before = times[..., :1] if self._time is None else np.broadcast_to(self._time, times[..., :1].shape)
        with np.errstate(invalid="ignore"):  # inf - inf is told in words below
            elapsed = np.diff(times, axis=-1, prepend=before)
        if not np.isfinite(times).all() or (times < 0).any() or (elapsed < 0).any():
            wrong = ~np.isfinite(times) | (times < 0) | (elapsed < 0)
            position = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise ValueError(
                f"timestamps must be finite, not negative and never decreasing: got {times[position]} at "
                f"position {self.samples + position[-1]}"
            )
        # Two inputs at one time share it: the later adds nothing, at time 0 too, where the ratio would be 0/0.
        return times[..., -1:].copy(), np.divide(elapsed, times, out=np.zeros(times.shape), where=elapsed > 0)


def project(
    signal,
    order: int,
    measure: str = "legs",
    *,
    theta: float | None = None,
    method: str | float | None = None,
    timestamps=None,
    stride: int | None = None,
    dtype=None,
    nonfinite: str = "raise",
    seed: int = 0,
):
    """The coefficients (..., order) of signal (..., length) after one pass, of its kind, dtype and device.

    theta: window in samples of time-invariant measures; default the whole signal. stride: return the coefficients
    after every stride inputs, (..., length // stride, order). Other options as in `OnlineMemory`, other numbers
    than float32 are computed in float64. ValueError: an empty signal, or what `OnlineMemory` refuses.
    """
    shape = tuple(np.shape(signal)) if not is_tensor(signal) else tuple(signal.shape)
    if not shape or 0 in shape:
        raise ValueError(f"signal must have shape (..., length) with at least one sample, got {shape}")
    if stride is not None and stride < 1:
        raise ValueError(f"stride must be at least 1, got {stride}")
    if theta is None and default_dynamics(measure) != SCALE_INVARIANT:
        theta = shape[-1]
    batch = int(np.prod(shape[:-1], dtype=np.int64))
    options = {"theta": theta, "method": method, "dtype": dtype, "nonfinite": nonfinite, "seed": seed}
    memory = OnlineMemory(measure, order, batch=batch, **options)
    flat = signal if is_tensor(signal) else np.asanyarray(signal)  # a masked array stays one, and is refused
    if timestamps is not None:
        timestamps = _array("timestamps", timestamps)
        if timestamps.ndim > 1 and timestamps.shape != shape:
            raise ValueError(f"timestamps must have shape {(shape[-1],)} or {shape}, got {timestamps.shape}")
        timestamps = timestamps.reshape(-1, shape[-1]) if timestamps.ndim > 1 else timestamps
    snapshots = memory.advance(flat.reshape(batch, shape[-1]), timestamps, stride or 0)
    result = memory.coefficients if stride is None else snapshots
    return result.reshape((*shape[:-1], *result.shape[1:]))


def reconstruct(coefficients, measure: str = "legs", points=100, *, span: float = 1.0):
    """The remembered signal (..., P) from coefficients (..., order), of their kind, dtype and device.

    points: P, spread as the centres of P equal cells over the remembered past, oldest first; or positions (P,) in
    it, 0 the oldest and 1 now. The past is the whole signal (legs), the window (legt, lmu, fout), or one time
    constant (lagt); span stretches it. ValueError: the random measure, which has no basis, or wrong positions.
    """
    chosen = find_measure(measure)
    if chosen.basis is None:
        raise ValueError(f"measure {measure!r} has no basis: nothing can be reconstructed from it")
    if not (np.isfinite(span) and span > 0):
        raise ValueError(f"span must be a positive number, got {span!r}")
    values = _array("coefficients", coefficients)
    if values.ndim == 0 or 0 in values.shape:
        raise ValueError(f"coefficients must have shape (..., order), got {values.shape}")
    if isinstance(points, int | np.integer):
        if points < 1:
            raise ValueError(f"points must be at least 1, got {points}")
        positions = (np.arange(points) + 0.5) / points
    else:
        positions = np.asarray(_array("points", points), dtype=np.float64)
        if positions.ndim != 1 or not ((positions >= 0) & (positions <= 1)).all():
            raise ValueError("points must be a count or positions (P,) between 0 (the oldest) and 1 (now)")
    order = values.shape[-1]
    result = np.empty((*values.shape[:-1], len(positions)), dtype=values.dtype)
    for start in range(0, len(positions), POINTS_AT_ONCE):
        part = slice(start, start + POINTS_AT_ONCE)
        result[..., part] = values @ chosen.basis(order, span * (1 - positions[part])).T
    return _alike(result, coefficients.device if is_tensor(coefficients) else None)


def _array(name: str, value) -> np.ndarray:
    """`value` as a NumPy array of float32 or float64; TypeError unless it holds real numbers."""
    if is_tensor(value):
        value = detached(name, value)
        torch = sys.modules["torch"]
        if value.is_complex():
            raise TypeError(f"{name} must hold real numbers, got {value.dtype}")
        value = value.to(torch.float32 if value.dtype == torch.float32 else torch.float64).cpu().numpy()
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array: fill its masked values first")
    array = np.asarray(value)
    if array.dtype in FLOATS:
        return array
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}")
    return array.astype(np.float64)


def _float_dtype(dtype) -> np.dtype:
    name = str(dtype).removeprefix("torch.") if not isinstance(dtype, type) else np.dtype(dtype).name
    if name not in ("float32", "float64"):
        raise TypeError(f"dtype must be float32 or float64, got {dtype!r}")
    return np.dtype(name)


def _alike(array: np.ndarray, device):
    """`array` as a tensor on `device`, or as it is where `device` is None."""
    return array if device is None else sys.modules["torch"].from_numpy(array).to(device)
