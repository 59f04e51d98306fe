"""Python's search for cyclic garbage, which makes imports slow.

A command imports modules of several hundred thousand objects, all of which stay. With Python's defaults, all of them
are searched again and again: a quarter of the time of a start.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_DEFAULT = gc.get_threshold()


def relax() -> None:
    """Search less often than by default: for commands that end within minutes."""
    gc.set_threshold(100_000, 10, 10)


@contextmanager
def paused() -> Iterator[None]:
    """Context for the imports of a command that trains: no search inside it, Python's default thresholds after it.

    Objects that exist at its end are not searched afterwards.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()
        gc.set_threshold(*_DEFAULT)
