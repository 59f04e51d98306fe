"""The LegS kernels against the published loop and the dense product: `python -m bench.kernels [folder]`.

Everything but a batch of signals runs on one core. Rates are of the fastest of several interleaved rounds. The dense
reference is given its discretized matrix: making one per step, as a time-varying system needs, would cost it far more.
"""

import sys
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from bench.report import write_report
from bench.timing import fastest
from hippo import OnlineMemory, kernels, project, transition
from hippo.operators.discretization import discretize

ORDERS = (64, 256, 1024)
BATCH_ORDERS = (64, 256)
STEPS = ((100, 256), (100, 512), (1, 256))
DTYPES = (np.float32, np.float64)
LENGTH = 100_000  # of the projected signal
CHUNK = 10_000
MULTIPLY_ADDS = 4  # of the recurrence, per coefficient and step (docs/kernels.md)


def smooth_signal(length: int, dtype) -> np.ndarray:
    """A smooth signal (length,) of `dtype`, values of order 1."""
    x = np.arange(length) / length
    return (np.sin(20 * x) + 0.5 * np.cos(3 * x) + 0.3).astype(dtype)


def measure_projection(order: int, dtype) -> list[dict]:
    """Rows of steps/s of `project` and of its references at one order and dtype."""
    compiled, signal = kernels.backend().compiled, smooth_signal(LENGTH, dtype)
    state = np.zeros(order, dtype=dtype)
    short = signal[: 500_000 // order]
    few = signal[: max(5, 500_000 // order**2)]
    A, B = (torch.from_numpy(m.astype(dtype)) for m in discretize(*transition("legs", order), 1e-3))
    dense_state = torch.zeros(order, dtype=A.dtype)

    def dense():
        c = dense_state
        for f in few.tolist():
            c = torch.addmv(B * f, A, c)

    def whole():
        return project(signal, order)

    def chunks():
        memory = OnlineMemory("legs", order)
        for start in range(0, LENGTH, CHUNK):
            memory.update(signal[start : start + CHUNK])
        return memory.coefficients

    count, rounds = getattr(compiled, f"peak_fma_{np.dtype(dtype).name}"), 20_000
    ours = {"project": whole, f"update, chunks of {CHUNK}": chunks}
    seconds = fastest(
        {
            "textbook loop, C++": lambda: compiled.textbook_legs_project(state, short, 1),
            "dense product, PyTorch": dense,
            **ours,
            "peak": lambda: count(rounds),  # multiply-adds on registers alone, in the instruction set in use
        },
        rounds=100,
    )
    peak = count(rounds) / seconds.pop("peak")
    steps = dict(zip(seconds, (len(short), len(few), LENGTH, LENGTH), strict=True))
    rates = {name: steps[name] / seconds[name] for name in seconds}
    exact = exact_coefficients(order, signal)
    errors = {name: np.linalg.norm(run() - exact) / np.linalg.norm(exact) for name, run in ours.items()}
    return compare_rates(order, dtype, rates, errors, peak)


def compare_rates(order: int, dtype, rates: dict[str, float], errors: dict[str, float], peak: float) -> list[dict]:
    """Rows of steps/s, as ratios to the references; of the methods with an error, ours, also to the peak."""
    return [
        {
            "order": order,
            "dtype": np.dtype(dtype).name,
            "method": method,
            "steps_per_second": rate,
            "times_textbook": rate / rates["textbook loop, C++"],
            "times_dense": rate / rates["dense product, PyTorch"],
            "fraction_of_peak": MULTIPLY_ADDS * order * rate / peak if method in errors else None,
            "error": errors.get(method),
        }
        for method, rate in rates.items()
    ]


def exact_coefficients(order: int, signal: np.ndarray) -> np.ndarray:
    """The coefficients (order,) of `signal` by the textbook loop in float64."""
    exact = np.zeros(order)
    exact[0] = signal[0]
    kernels.backend().compiled.textbook_legs_project(exact, signal[1:].astype(np.float64), 1)
    return exact


def measure_step(batch: int, order: int, dtype) -> list[dict]:
    """Rows of seconds of one step, and of its adjoint, of a batch of memories against the dense product."""
    A, B = (torch.from_numpy(m.astype(dtype)) for m in discretize(*transition("legs", order), 1e-3))
    A_transposed = A.T.contiguous()
    state, inputs = torch.randn(batch, order, dtype=A.dtype), torch.randn(batch, dtype=A.dtype)
    memory, grad, times = state.clone(), state.clone(), torch.full((batch,), 1e-3, dtype=A.dtype)
    seconds = fastest(
        {
            "dense product, PyTorch": lambda: torch.addmm(inputs[:, None] * B, state, A_transposed),
            "step": lambda: kernels.legs_step(memory, inputs, 1e-3),
            "step, a ratio for each": lambda: kernels.legs_step(memory, inputs, times),
            "adjoint": lambda: kernels.legs_step_adjoint(grad, 1e-3),
        },
        rounds=100,
        calls=10,  # as in a training loop, which finds its memories in the cache
    )
    dense = seconds["dense product, PyTorch"]
    shape = {"batch": batch, "order": order, "dtype": np.dtype(dtype).name}
    return [
        {**shape, "method": name, "microseconds": 1e6 * value, "times_dense": dense / value}
        for name, value in seconds.items()
    ]


def measure_others(order: int = 256, dtype=np.float32) -> list[dict]:
    """Rows of steps/s of the other memories and modes at one order and dtype."""
    signal = smooth_signal(LENGTH, dtype)
    times = np.arange(LENGTH, dtype=np.float64)
    few = signal[: LENGTH // 10]
    seconds = fastest(
        {
            "legs": lambda: project(signal, order),
            "legs, timestamps": lambda: project(signal, order, timestamps=times),
            "legs, backward Euler": lambda: project(signal, order, discretization="backward"),
            "legs, all coefficients on the way": lambda: project(few, order, stride=1),
            "legt": lambda: project(signal, order, "legt", theta=LENGTH),
            "lagt": lambda: project(signal, order, "lagt", theta=LENGTH),
            "legt, all coefficients on the way": lambda: project(few, order, "legt", theta=LENGTH, stride=1),
        },
        rounds=5,
    )
    steps = {name: LENGTH // 10 if "on the way" in name else LENGTH for name in seconds}
    shape = {"order": order, "dtype": np.dtype(dtype).name}
    return [{**shape, "memory": name, "steps_per_second": steps[name] / seconds[name]} for name in seconds]


def measure_batch(order: int, dtype, batch: int = 8) -> list[dict]:
    """Rows of steps/s of `project` for a batch of signals, on one thread and on two."""
    signals = np.stack([smooth_signal(LENGTH, dtype)] * batch)

    def on(threads):
        torch.set_num_threads(threads)
        project(signals, order)

    seconds = fastest(
        {threads: lambda threads=threads: on(threads) for threads in (1, 2)}, rounds=100, clock=perf_counter
    )
    torch.set_num_threads(1)
    shape = {"batch": batch, "order": order, "dtype": np.dtype(dtype).name}
    return [
        {**shape, "threads": n, "steps_per_second": batch * LENGTH / value, "times_one_thread": seconds[1] / value}
        for n, value in seconds.items()
    ]


def main(folder: Path) -> None:
    """Measure everything and write kernels.csv, kernels.md and their like into `folder`."""
    if kernels.backend().compiled is None:
        sys.exit(f"nothing to measure: {kernels.backend().reason}")
    torch.set_num_threads(1)
    projection = [row for dtype in DTYPES for order in ORDERS for row in measure_projection(order, dtype)]
    steps = [row for dtype in DTYPES for shape in STEPS for row in measure_step(*shape, dtype)]
    batches = [row for dtype in DTYPES for order in BATCH_ORDERS for row in measure_batch(order, dtype)]
    print(write_report(folder, kernels.backend(), projection, steps, measure_others(), batches))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/bench"))
