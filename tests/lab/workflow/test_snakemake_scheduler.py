"""One reevaluation of the ready jobs at a time."""

import threading

import pytest
from snakemake.scheduling.job_scheduler import JobScheduler

from hippo.lab.workflow.snakemake_scheduler import reevaluate_once


class Scheduler:
    """What a reevaluation needs of Snakemake's scheduler."""

    _schedule_reevalutation = JobScheduler._schedule_reevalutation

    def __init__(self):
        self.job_rate_limiter = "100 in a second"
        self._open_jobs = threading.Semaphore(0)

    def released(self, seconds):
        return self._open_jobs.acquire(timeout=seconds)


def test_snakemake_itself_schedules_every_one():
    scheduler = Scheduler()
    for _ in range(5):
        scheduler._schedule_reevalutation(0.05)
    assert [scheduler.released(10) for _ in range(5)] == [True] * 5


def test_one_waits_at_a_time():
    scheduler = Scheduler()
    reevaluate_once(scheduler, is_local=False)
    for _ in range(2):
        for _ in range(5):
            scheduler._schedule_reevalutation(0.05)
        assert scheduler.released(10) and not scheduler.released(0.2)


def test_jobs_of_this_machine_have_no_rate():
    scheduler = Scheduler()
    reevaluate_once(scheduler, is_local=True)
    assert scheduler.job_rate_limiter is None


def test_another_scheduler():
    with pytest.raises(AttributeError, match="_schedule_reevalutation"):
        reevaluate_once(object(), is_local=True)
