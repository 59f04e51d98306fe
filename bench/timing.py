"""Timing of things that are compared: interleaved, so that a busy machine slows all of them alike.

Time is the calling thread's own, for everything measured runs on one thread: what other processes take from the core
does not count, as on a machine of one's own.
"""

from collections.abc import Callable
from time import thread_time


def fastest(candidates: dict[str, Callable[[], object]], rounds: int = 40, calls: int = 1) -> dict[str, float]:
    """Seconds per call of the fastest of `rounds` rounds, in each of which every candidate is called `calls` times.

    One round more warms up. The minimum, for whatever else runs on the machine only ever adds to it.
    """
    best = dict.fromkeys(candidates, float("inf"))
    for round_ in range(rounds + 1):
        for name, call in candidates.items():
            start = thread_time()
            for _ in range(calls):
                call()
            elapsed = (thread_time() - start) / calls
            if round_:
                best[name] = min(best[name], elapsed)
    return best
