"""Find and read raw files: regular files only, and never more bytes than the format has."""

import gzip
import os
import stat
import zlib
from pathlib import Path
from typing import BinaryIO

from hippo.data.errors import DamagedError, DataError

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFSOCK: "a socket",
}


class TooLargeError(Exception):
    """A stream holds more bytes than its format allows."""


def find_file(folder: Path, name: str) -> Path | None:
    """Return the path of a raw file in a folder.

    Parameters
    ----------
    folder : Path
        Folder to look into.
    name : str
        Name of the file. The gzipped file `name.gz` is accepted as well.

    Returns
    -------
    Path or None
        The plain file, else the gzipped one, else None.

    Raises
    ------
    DataError
        If something other than a regular file has one of the two names: a folder, pipe, device or socket, or a
        symbolic link that leads to one or to nothing.
    """
    return next((path for path in (folder / name, folder / f"{name}.gz") if _is_regular_file(path)), None)


def find_folder(root: Path, subfolder: str) -> Path | None:
    """Return `root / subfolder` if it is a folder, else None; DataError if a link on the way leads to nothing."""
    path = root
    for component in Path(subfolder).parts:
        path = path / component
        mode = _mode(path)
        if mode is None or not stat.S_ISDIR(mode):
            return None
    return path


def content(path: Path, max_bytes: int) -> bytes:
    """Read a raw file, decompressed if its name ends in `.gz`.

    Parameters
    ----------
    path : Path
        A regular file.
    max_bytes : int
        Size of the largest valid file in bytes, decompressed. At most one byte more is read or decompressed, so a
        compression bomb takes no more memory than a valid file.

    Returns
    -------
    bytes
        The content.

    Raises
    ------
    DamagedError
        If the file is larger than `max_bytes`, or the gzip data is truncated or altered.
    OSError
        If the file cannot be read.
    """
    try:
        with path.open("rb") as stored:
            if path.suffix != ".gz":
                return read_at_most(stored, max_bytes)
            with gzip.GzipFile(fileobj=stored) as unpacked:
                return read_at_most(unpacked, max_bytes)
    except TooLargeError as error:
        raise DamagedError(path, str(error)) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DamagedError(path, f"truncated or altered gzip file ({error})") from error


def read_at_most(stream: BinaryIO, max_bytes: int) -> bytes:
    """Read a stream to its end; TooLargeError if it holds more than `max_bytes` bytes, of which one more is read."""
    found = stream.read(max_bytes + 1)
    if len(found) > max_bytes:
        raise TooLargeError(f"more than {max_bytes:,} bytes of content, the size of the largest valid file")
    return found


def _is_regular_file(path: Path) -> bool:
    """False if nothing has this name; DataError if it belongs to anything but a regular file."""
    mode = _mode(path)
    if mode is not None and not stat.S_ISREG(mode):
        kind = KINDS.get(stat.S_IFMT(mode), "a special file")
        raise DataError(f"{path}: this is {kind}, expected a regular file; replace or remove it")
    return mode is not None


def _mode(path: Path) -> int | None:
    """File mode after following links, or None if nothing has this name; DataError for a broken link."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        if path.is_symlink():
            target = os.readlink(path)
            raise DataError(f"{path}: symbolic link to {target}, which does not exist; correct or remove it") from error
        return None
    except OSError as error:  # a cycle of links, or no permission
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
