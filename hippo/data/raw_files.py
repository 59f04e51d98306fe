"""Find and read raw files: regular files only, and never more bytes than the format has."""

import gzip
import hashlib
import os
import stat
import zlib
from collections.abc import Iterator
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


LINE_BYTES = 100_000_000
"""Size of the longest valid line of a text file."""


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


def lines(path: Path, max_bytes: int) -> Iterator[bytes]:
    """Read a raw text file line by line, decompressed if its name ends in `.gz`.

    Parameters
    ----------
    path : Path
        A regular file.
    max_bytes : int
        Size of the largest valid file in bytes, decompressed. No more is read or decompressed.

    Yields
    ------
    bytes
        Each line without its line feed.

    Raises
    ------
    DamagedError
        If the file is larger than `max_bytes`, a line is longer than `LINE_BYTES`, or the gzip data is damaged.
    OSError
        If the file cannot be read.
    """
    try:
        with path.open("rb") as stored:
            stream = gzip.GzipFile(fileobj=stored) if path.suffix == ".gz" else stored
            while line := stream.readline(min(LINE_BYTES, max_bytes) + 1):
                max_bytes -= len(line)
                if len(line) > LINE_BYTES or max_bytes < 0:
                    raise DamagedError(path, "more content, or a longer line, than the largest valid file has")
                yield line.removesuffix(b"\n")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DamagedError(path, f"truncated or altered gzip file ({error})") from error


def verified(path: Path, max_bytes: int, sha256: str, name: str) -> bytes:
    """Read a file as it is stored, which must have a known digest.

    Parameters
    ----------
    path : Path
        A regular file. It is not decompressed.
    max_bytes : int
        Size of the valid file in bytes.
    sha256 : str
        Its hexadecimal digest.
    name : str
        What the file is, for the message.

    Returns
    -------
    bytes
        The content.

    Raises
    ------
    DamagedError
        If the file has another digest.
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as stored:
        found = stored.read(max_bytes + 1)
    size = f"{len(found):,} bytes" if len(found) <= max_bytes else f"more than {max_bytes:,} bytes"
    _check_digest(path, found, size, sha256, name)
    return found


def verified_content(path: Path, max_bytes: int, sha256: str, name: str) -> bytes:
    """Read a file, decompressed if its name ends in `.gz`. Its content must have a known digest.

    Parameters
    ----------
    path : Path
        A regular file.
    max_bytes : int
        Size of the valid file in bytes, decompressed.
    sha256 : str
        Hexadecimal digest of the decompressed content.
    name : str
        What the file is, for the message.

    Returns
    -------
    bytes
        The content.

    Raises
    ------
    DamagedError
        If the file is larger than `max_bytes` or cannot be decompressed, or the content has another digest.
    OSError
        If the file cannot be read.
    """
    found = content(path, max_bytes)
    _check_digest(path, found, f"{len(found):,} bytes, decompressed", sha256, name)
    return found


def _check_digest(path: Path, found: bytes, size: str, sha256: str, name: str) -> None:
    """DamagedError if `found`, read from `path`, has another digest than the file called `name`."""
    digest = hashlib.sha256(found).hexdigest()
    if digest != sha256:
        raise DamagedError(
            path, f"truncated, altered or not {name}: expected sha256 {sha256}, found {digest} in {size}"
        )


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
