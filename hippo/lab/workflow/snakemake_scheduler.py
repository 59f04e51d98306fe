"""A Snakemake that does not look at the ready jobs more and more often."""

import threading
from typing import Any


def reevaluate_once(scheduler: Any, is_local: bool) -> None:
    """Let at most one reevaluation of the ready jobs wait at a time, and none if the jobs run on this machine.

    To apply its rate limit, Snakemake looks at the ready jobs again a second after it has looked at them, and after
    each job that ends. Each look begins another chain of looks: after 1,000 jobs there are 1,000 of them a second.

    Parameters
    ----------
    scheduler : snakemake.scheduling.job_scheduler.JobScheduler
        The scheduler of a run that has not begun to schedule.
    is_local : bool
        Whether the jobs run on this machine: their rate needs no limit, because the cores limit it.

    Raises
    ------
    AttributeError
        If this version of Snakemake has another scheduler.
    """
    scheduler._schedule_reevalutation, scheduler.job_rate_limiter  # noqa: B018  raises if Snakemake has renamed them
    if is_local:
        scheduler.job_rate_limiter = None
        return
    waits = threading.Event()

    def reevaluate() -> None:
        waits.clear()
        scheduler._open_jobs.release()

    def schedule(delay: float) -> None:
        if waits.is_set():
            return
        waits.set()
        timer = threading.Timer(delay, reevaluate)
        timer.daemon = True  # Snakemake need not wait for it at its end
        timer.start()

    scheduler._schedule_reevalutation = schedule
