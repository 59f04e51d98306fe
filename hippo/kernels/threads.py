"""Number of threads that a kernel divides a batch among."""

import os
import sys

WORK = 2**21  # coefficients times inputs that take ten times as long as starting a thread


def threads_for(rows: int, work: int) -> int:
    """Return the number of threads for `rows` rows that are `work` coefficients times inputs in all."""
    return max(1, min(available_threads(), rows, work // WORK))


def available_threads() -> int:
    """Return PyTorch's number of threads or, if PyTorch is not imported, that of the environment or of the cores."""
    count = getattr(sys.modules.get("torch"), "get_num_threads", None)  # None while another thread imports it
    if count:
        return count()
    variable = os.environ.get("OMP_NUM_THREADS", "")
    if variable.isdecimal() and int(variable):
        return int(variable)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
