"""The Slurm job of a trial: it returns to the queue if a signal announces its end before the trial has finished."""

import logging
import os
import re
import subprocess

log = logging.getLogger(__name__)

SECONDS = 10  # that the controller may take to answer; after which the job counts as not requeued


def requeue_job() -> bool:
    """Put the Slurm job of this process back into the queue, so that its next start resumes the trial.

    Slurm sends the same signals before a time limit and a preemption, after which the trial has to go on, and when a
    person cancels the job, after which it must not. The state of the job tells them apart: a cancelled job, and one
    that Slurm requeues itself, is no longer running, and has not reached its time limit.

    Returns
    -------
    bool
        False if the process is in no running Slurm job, or if Slurm refuses.
    """
    job = os.environ.get("SLURM_JOB_ID")
    if not job:
        return False
    try:
        shown = _scontrol("show", "job", "--oneliner", job)
        state, reason = (_field(name, shown) for name in ("JobState", "Reason"))
        if state != "RUNNING" and (state, reason) != ("COMPLETING", "TimeLimit"):
            log.info("Slurm job %s is %s: not requeued", job, state)
            return False
        _scontrol("requeue", job)
    except (OSError, subprocess.SubprocessError) as error:
        said = " ".join((getattr(error, "stderr", None) or str(error)).split())
        log.warning(
            "Slurm job %s cannot be requeued (%s); Snakemake starts the trial again, as after a failure", job, said
        )
        return False
    log.info("Slurm job %s is requeued; it resumes the trial", job)
    return True


def _field(name: str, shown: str) -> str:
    """A field of the description of a job."""
    found = re.search(rf"\b{name}=(\w+)", shown)
    return found[1] if found else "unknown"


def _scontrol(*arguments: str) -> str:
    """Output of a command to Slurm's controller."""
    command = ["scontrol", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS).stdout
