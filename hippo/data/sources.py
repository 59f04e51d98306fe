"""One chain of sources for all recorded data: the user's folder, the cache, then the places that publish it.

Whoever reads raw data says once, in a `RawData`, what its files are called, how a whole copy is recognised
and who publishes it. Files are verified whenever they are read, wherever they come from.
"""

import gzip
import logging
import os
import shutil
import zlib
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hippo.data.places import UnavailableError

log = logging.getLogger(__name__)

LOCK_SECONDS = 900


class DataError(ValueError):
    """Data that cannot be used; the message names the path, what was expected and what to do."""


class NoSourceError(DataError):
    """Neither the user's folder, nor the cache, nor any place on the network has the data."""


class DamagedError(Exception):
    """A raw file that is not what it should be: `path`, and `reason` with what was found and expected."""

    def __init__(self, path: Path, reason: str):
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason


@dataclass(frozen=True)
class RawData:
    """One published form of some recordings.

    files: their names, each of which may also stand gzipped as `name.gz`. read: from the paths of all files
    to their content, DamagedError unless they are whole and unaltered. places: where to get them, in order
    (`hippo.data.places`). folder: theirs in the cache. subfolders: where a user's data folder may hold
    them.
    """

    title: str
    files: tuple[str, ...]
    read: Callable[[tuple[Path, ...]], Any]
    places: tuple
    folder: str
    subfolders: tuple[str, ...] = (".",)

    def locate(self, root: Path, subfolders: tuple[str, ...]) -> tuple[Path, ...] | None:
        """Paths of all files in the first of the subfolders of `root` that holds them all, or None."""
        for subfolder in subfolders:
            candidates = [[root / subfolder / name, root / subfolder / f"{name}.gz"] for name in self.files]
            present = [next((path for path in pair if path.is_file()), None) for pair in candidates]
            if all(present):
                return tuple(present)
        return None


@dataclass(frozen=True)
class Found:
    """What a `RawData` held: its content, its paths, and in words where they came from."""

    content: Any
    paths: tuple[Path, ...]
    origin: str


class Sources:
    """Where recorded data is looked for.

    data_dir: the user's folder (default: environment variable HIPPO_DATA_DIR, else none). cache: where
    fetched files are kept (default: HIPPO_CACHE_DIR, else the user's cache folder). require_real: no
    synthetic stand-in may replace recordings. offline: never use the network. DataError if a data folder is
    named but missing.
    """

    def __init__(
        self,
        data_dir: Path | str | None = None,
        cache: Path | str | None = None,
        require_real: bool = False,
        offline: bool = False,
    ):
        self.data_dir = _data_folder(data_dir)
        self.cache = cache_folder(cache)
        self.require_real = require_real
        self.offline = offline

    def load(self, *forms: RawData) -> Found:
        """Content of the first of `forms` found: all in the user's folder, then the cache, then the network.

        DataError if the user's files are damaged, NoSourceError if the data is nowhere to be had.
        """
        failures: list[str] = []
        found = self._in_data_folder(forms) or self._in_cache(forms, failures)
        if found:
            return found
        for form in () if self.offline else forms:
            with self._lock(form):
                self._discard_damaged(form)
                found = self._in_cache((form,), failures) or self._download(form, failures)
            if found:
                return found
        raise NoSourceError(self._nowhere(forms, failures))

    def _in_data_folder(self, forms) -> Found | None:
        if self.data_dir is None:
            return None
        for form in forms:
            paths = form.locate(self.data_dir, form.subfolders)
            if paths is None:
                continue
            try:
                return Found(form.read(paths), paths, f"data folder {self.data_dir}")
            except DamagedError as error:
                advice = "put a whole copy in its place, or remove it so that the data is fetched"
                raise DataError(f"{error}; {advice}") from error
            except OSError as error:
                raise DataError(f"{error.filename or paths[0]}: cannot be read ({error.strerror})") from error
        wanted = " or ".join(", ".join(form.files) for form in forms)
        log.warning("data folder %s holds no %s (%s): trying the next source", self.data_dir, forms[0].title, wanted)
        return None

    def _in_cache(self, forms, failures: list[str]) -> Found | None:
        for form in forms:
            paths = form.locate(self.cache, (form.folder,))
            if paths is None:
                continue
            try:
                return Found(form.read(paths), paths, f"cache {self.cache}")
            except (DamagedError, OSError) as error:  # `_discard_damaged` sees to it, holding the lock
                failures.append(f"cache: {error}")
        return None

    def _discard_damaged(self, form: RawData) -> None:
        paths = form.locate(self.cache, (form.folder,))
        if paths is None:
            return
        try:
            form.read(paths)
        except DamagedError as error:
            log.warning("%s; discarded from the cache, to be fetched again", error)
            error.path.unlink(missing_ok=True)
        except OSError as error:
            raise DataError(f"{error.filename or paths[0]}: cannot be read ({error.strerror})") from error

    def _download(self, form: RawData, failures: list[str]) -> Found | None:
        """Fetch into a folder of its own, verify, and only then move each file to its name in the cache."""
        home = self.cache / form.folder
        partial = home / ".partial"
        for place in form.places:
            shutil.rmtree(partial, ignore_errors=True)  # what a killed download left
            partial.mkdir(parents=True)
            try:
                place.fetch(form.files, partial)
                fetched = form.locate(partial, (".",))
                content = form.read(fetched)
            except UnavailableError as error:
                failures.append(f"{place}: {error}")
            except DamagedError as error:
                failures.append(f"{place}: {error.path.name}: {error.reason}")
            except OSError as error:  # such as a full disk
                failures.append(f"{place}: {error}")
            else:
                if failures:
                    log.warning("%s comes from %s, after trying\n  %s", form.title, place, "\n  ".join(failures))
                paths = tuple(path.replace(home / path.name) for path in fetched)
                return Found(content, paths, str(place))
            finally:
                shutil.rmtree(partial, ignore_errors=True)
            log.info("%s is not to be had from %s", form.title, failures[-1])
        return None

    @contextmanager
    def _lock(self, form: RawData):
        """Hold the form's folder in the cache: of several processes, one fetches and the others wait."""
        from filelock import FileLock

        home = self.cache / form.folder
        lock = FileLock(home / ".lock", timeout=LOCK_SECONDS)
        try:
            home.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except TimeoutError as error:
            raise DataError(f"{home / '.lock'}: held for {LOCK_SECONDS} s by another process; end it") from error
        except OSError as error:
            raise DataError(
                f"{home}: cannot be written ({error.strerror}); set HIPPO_CACHE_DIR to a folder of yours"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def _nowhere(self, forms, failures: list[str]) -> str:
        files = " or ".join(", ".join(form.files) for form in forms)
        tried = [f"data folder: {self.data_dir or 'none named'}", f"cache: {self.cache}"]
        tried += [*failures, "network: not used, offline"] if self.offline else failures
        return (
            f"{forms[0].title}: found nowhere. Put {files} into a folder and name it in HIPPO_DATA_DIR, "
            "or run once with a network. Tried:\n  " + "\n  ".join(tried)
        )


def content(path: Path) -> bytes:
    """Bytes of a file, unpacked if it is gzipped; DamagedError if the packing is broken."""
    stored = path.read_bytes()
    if path.suffix != ".gz":
        return stored
    try:
        return gzip.decompress(stored)
    except (OSError, EOFError, zlib.error) as error:
        raise DamagedError(path, f"truncated or altered gzip file ({error})") from error


def _data_folder(data_dir: Path | str | None) -> Path | None:
    named_by = "data_dir" if data_dir else "HIPPO_DATA_DIR"
    named = data_dir or os.environ.get("HIPPO_DATA_DIR")
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise DataError(f"{folder}: the data folder named by {named_by} does not exist; create it or name another")
    return folder


def cache_folder(cache: Path | str | None = None) -> Path:
    """Where fetched files are kept: `cache`, else HIPPO_CACHE_DIR, else the user's cache folder."""
    from platformdirs import user_cache_path

    return Path(cache or os.environ.get("HIPPO_CACHE_DIR") or user_cache_path("hippo")).expanduser()
