"""Generated arrays in the cache: one file for each chunk, written as it is made, each with a digest."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hippo.data.errors import DataError
from hippo.files import atomic

log = logging.getLogger(__name__)

Arrays = dict[str, np.ndarray]


def chunks(
    cache: Path, name: str, settings: dict[str, Any], makers: dict[str, Callable[[], Arrays]]
) -> Iterator[Arrays]:
    """Return generated chunks, from the cache where it has them.

    A chunk is complete or absent, so an interrupted generation resumes at the first chunk that is missing. A damaged
    chunk is generated again.

    Parameters
    ----------
    cache : Path
        The cache folder.
    name : str
        Name of the dataset.
    settings : dict
        Everything that the content of the chunks depends on, as JSON values.
    makers : dict of callable
        For each chunk, in order, its name and the function that generates its arrays.

    Yields
    ------
    dict of ndarray
        Arrays of one chunk.

    Raises
    ------
    DataError
        If the cache cannot be written.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    folder = cache / "generated" / f"{name}-{digest[:16]}"
    missing = [chunk for chunk in makers if not (folder / f"{chunk}.npz").exists()]
    if len(missing) > 1:
        log.info("%s: generating %d of %d chunks in %s", name, len(missing), len(makers), folder)
    for chunk, make in makers.items():
        path = folder / f"{chunk}.npz"
        arrays = _read(path)
        if arrays is None:
            arrays = make()
            _write(path, arrays)
        yield arrays


def _read(path: Path) -> Arrays | None:
    """Arrays of a chunk; None if it is absent or damaged."""
    try:
        with np.load(path) as stored:
            arrays = {key: stored[key] for key in stored.files}
        expected = str(arrays.pop("digest"))
    except FileNotFoundError:
        return None
    except Exception as error:  # zipfile, zlib and numpy each raise their own for a damaged file
        log.warning("%s: damaged (%s); generated again", path, error)
        return None
    if _digest(arrays) != expected:
        log.warning("%s: the content does not match its digest; generated again", path)
        return None
    return arrays


def _write(path: Path, arrays: Arrays) -> None:
    """Write a chunk, atomically; a crowd of processes that generate the same chunk writes the same content."""
    try:
        with atomic(path) as partial, open(partial, "wb") as file:
            np.savez_compressed(file, digest=_digest(arrays), **arrays)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written ({error.strerror}); free some space, or set HIPPO_CACHE_DIR to a folder that "
            "you can write to"
        ) from error


def _digest(arrays: Arrays) -> str:
    """sha256 (hexadecimal) of names, dtypes, shapes and values."""
    digest = hashlib.sha256()
    for key, array in sorted(arrays.items()):
        digest.update(f"{key} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
