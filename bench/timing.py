"""Timing of things that are compared: interleaved, so that a busy machine slows all of them alike."""

from collections.abc import Callable
from time import perf_counter


def fastest(candidates: dict[str, Callable[[], object]], rounds: int = 15) -> dict[str, float]:
    """Seconds of the fastest of `rounds` calls of each candidate, taken in turns; one call of each warms up.

    The minimum, for whatever else runs on the machine only ever adds to it.
    """
    best = dict.fromkeys(candidates, float("inf"))
    for round_ in range(rounds + 1):
        for name, call in candidates.items():
            start = perf_counter()
            call()
            elapsed = perf_counter() - start
            if round_:
                best[name] = min(best[name], elapsed)
    return best
