"""The outcome of a trial that trains nothing: it has one epoch."""

import time

from hippo.lab.trials.status import Status


def finish_in_one_epoch(recorder, numbers: dict[str, float], started: float) -> dict:
    """Record the numbers of a trial as those of its only epoch, and return its outcome.

    Parameters
    ----------
    recorder : Recorder
        Takes the numbers.
    numbers : dict of float
        Numbers by name.
    started : float
        `time.perf_counter()` at the start of the computation.

    Returns
    -------
    dict
        The outcome: status, epochs and the numbers.
    """
    recorder.epoch({"epoch": 1, **numbers, "seconds": time.perf_counter() - started})
    return {"status": Status.FINISHED, "epochs": 1, **numbers}
