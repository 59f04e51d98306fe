"""Durations of the phases of a training step, for benchmarks."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# If set, it is called after every phase with its name and its duration in seconds (bench/phases.py).
on_phase: Callable[[str, float], None] | None = None


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Report the duration of a block, or of a function as its decorator, to `on_phase`.

    Parameters
    ----------
    name : str
        "input product", "loop forward", "loop backward" or "weight gradient".
    """
    started = time.perf_counter()
    yield
    if on_phase is not None:
        on_phase(name, time.perf_counter() - started)
