"""Errors of raw data and prepared datasets."""

from pathlib import Path


class DataError(ValueError):
    """Data cannot be used. The message names the file or dataset, what was expected and what to do."""


class NoSourceError(DataError):
    """The data is neither in the user's folder, nor in the cache, nor at any address that publishes it.

    Parameters
    ----------
    message : str
        What was looked for, what to do, and what was tried.
    advice : str, default ""
        What to do, as one clause: "put <files> into a folder and set HIPPO_DATA_DIR to it". A table can print "data
        not available: " and this.
    """

    def __init__(self, message: str, advice: str = ""):
        super().__init__(message)
        self.advice = advice


class UnavailableError(Exception):
    """An address cannot provide its files now. The message gives the reason."""


class DamagedError(Exception):
    """A raw file does not have the expected content.

    Parameters
    ----------
    path : Path
        The file.
    reason : str
        What was found and what was expected.
    """

    def __init__(self, path: Path, reason: str):
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason
