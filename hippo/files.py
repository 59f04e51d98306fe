"""Atomic writing: a file is complete or absent."""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Context manager that replaces a file only if its block succeeds.

    Parameters
    ----------
    path : Path
        File to write. Missing folders are created.

    Yields
    ------
    Path
        Temporary file in the same folder, to write to. At the end of the block it is flushed to the disk and renamed
        to `path`; if the block raises, it is removed and `path` is unchanged.

    Raises
    ------
    OSError
        If the file cannot be written. The error names `path`, also where the original one, of a full disk, does not.
    """
    # Process ids repeat on other machines, which may share this folder.
    partial = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())  # otherwise a power failure can leave an empty file under the new name
        partial.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write text to a file atomically, in UTF-8.

    Parameters
    ----------
    path : Path
    text : str

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, content: dict) -> None:
    """Write a mapping to a file atomically, as indented JSON.

    Parameters
    ----------
    path : Path
    content : dict

    Raises
    ------
    ValueError
        If `content` holds NaN or an infinity, which JSON does not have.
    OSError
        If the file cannot be written.
    """
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
