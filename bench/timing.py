"""Times of functions that are compared, in interleaved rounds: a busy machine then slows all of them alike.

If everything measured runs on one thread, the time is that of the calling thread: the time in which other processes
have the core does not count. Times of several threads are those of the wall clock.
"""

from collections.abc import Callable
from time import thread_time


def fastest(
    candidates: dict[str, Callable[[], object]],
    rounds: int = 40,
    calls: int = 1,
    clock: Callable[[], float] = thread_time,
) -> dict[str, float]:
    """Seconds per call of the fastest of `rounds` rounds, in each of which every candidate is called `calls` times.

    One round more warms up. The minimum, for whatever else runs on the machine only ever adds to it.
    """
    best = dict.fromkeys(candidates, float("inf"))
    for round_ in range(rounds + 1):
        for name, call in candidates.items():
            start = clock()
            for _ in range(calls):
                call()
            elapsed = (clock() - start) / calls
            if round_:
                best[name] = min(best[name], elapsed)
    return best
