"""The outcome of a trial: outcome.json, and its copy metrics.json.

metrics.json is an output of the workflow, and Snakemake deletes an output whose job it believes to be incomplete, for
example when Snakemake itself was killed while the trial ended well. outcome.json is no output of any rule, so that a
finished trial is restored from it instead of being trained again.
"""

import json
from pathlib import Path

from hippo.files import write_json

SOURCE, COPY = "outcome.json", "metrics.json"
UNDELIVERED = ".undelivered"  # marks an outcome that the tracked run does not have yet


def read_json(path: Path) -> dict:
    """Return the mapping in a JSON file; {} if the file is absent, damaged, or holds no mapping."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def is_substitute(dataset: dict) -> bool:
    """Return whether an outcome is of synthetic substitute data.

    Parameters
    ----------
    dataset : dict
        The block `dataset` of metrics.json or run.json. The first release named its key `stand_in`.
    """
    return bool(dataset.get("substitute", dataset.get("stand_in", False)))


def has_outcome(folder: Path) -> bool:
    """Return whether the trial of a folder has ended with an outcome."""
    return (folder / SOURCE).exists() or (folder / COPY).exists()


def read_outcome(folder: Path) -> dict:
    """Return the outcome in a trial folder: of metrics.json, or of outcome.json if that is missing; {} without any."""
    return read_json(folder / COPY) or read_json(folder / SOURCE)


def write_outcome(folder: Path, metrics: dict) -> None:
    """Write outcome.json and then metrics.json, each atomically.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    write_json(folder / SOURCE, metrics)
    write_json(folder / COPY, metrics)


def remove_outcome(folder: Path) -> None:
    """Remove both files of an outcome, the copy first."""
    for name in (COPY, SOURCE):
        (folder / name).unlink(missing_ok=True)
