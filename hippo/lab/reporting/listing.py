"""List of trials for the terminal: status, epochs and time left."""

from collections import Counter

from tabulate import tabulate

from hippo.lab.results.results import Results


def list_trials(found: list[Results]) -> str:
    """Return one line per trial that was started, then the counts of all states.

    Parameters
    ----------
    found : list of Results
        Results of the experiments to list.
    """
    progress = [trial for results in found for trial in results.progress()]
    started = [trial for trial in progress if trial is not None]
    lines = [
        [
            trial.trial,
            trial.status,
            "" if trial.done is None else f"{trial.done} of {trial.epochs}",
            "" if trial.seconds_left is None else format_duration(trial.seconds_left),
        ]
        for trial in started
    ]
    headers = ["trial", "status", "epoch", "left"]
    table = tabulate(lines, headers, disable_numparse=True) if lines else "no trial was started"
    counts = Counter(trial.status for trial in started).most_common()
    total = [*(f"{n} {status}" for status, n in counts), f"{len(progress) - len(started)} not started"]
    return f"{table}\n\n{', '.join(total)}"


def format_duration(seconds: float) -> str:
    """Return a duration in its two largest units."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
