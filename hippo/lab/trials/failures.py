"""Why a trial that was started has no outcome. Free of torch and MLflow, since tables ask."""

from pathlib import Path

from hippo.lab.trials.outcome import has_outcome, read_json
from hippo.lab.trials.process import is_running
from hippo.lab.trials.status import Status

KILLED = {"status": Status.KILLED, "reason": "the process ended without an error message: killed, or out of memory"}


def find_failure(folder: Path, digest: str) -> dict | None:
    """Return why the trial of a folder ended without an outcome.

    Parameters
    ----------
    folder : Path
        Folder of the trial.
    digest : str
        Digest of the trial's settings today. A failure with other settings is not reported.

    Returns
    -------
    dict or None
        `status` (failed or killed) and `reason`. None if the trial was not started, is running, or has an outcome.
    """
    if has_outcome(folder):
        return None
    recorded = read_json(folder / "failure.json")
    if recorded.get("trial") == digest and {"status", "reason"} <= recorded.keys():
        return {key: recorded[key] for key in ("status", "reason")}
    was_started = str(read_json(folder / "run.json").get("identity", "")).startswith(digest)
    return KILLED if was_started and not is_running(folder) else None
