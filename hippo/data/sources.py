"""Find raw data: in the user's folder, then the cache, then at the addresses that publish it.

A `RawData` describes one published form of some recordings: the names of its files, how they are verified, and who
publishes them. Files are verified whenever they are read, wherever they come from.
"""

import logging
import os
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hippo.data.errors import DamagedError, DataError, NoSourceError, UnavailableError
from hippo.data.raw_files import find_file, find_folder

log = logging.getLogger(__name__)

LOCK_SECONDS = 900


@dataclass(frozen=True)
class RawData:
    """One published form of some recordings.

    Parameters
    ----------
    title : str
        Name of the recordings, for messages.
    files : dict of int
        Names of the files, and for each the size in bytes of the largest valid one, decompressed. Each file may also
        be present as `name.gz`.
    read : callable
        Maps the paths of all files (tuple of Path, in the order of `files`) to their content. Raises DamagedError
        unless the files are complete and unaltered. It should read them with `hippo.data.raw_files.content`.
    places : tuple
        Where the files are published (`hippo.data.places`), in order of preference.
    folder : str
        Name of their folder in the cache.
    subfolders : tuple of str, default (".",)
        Where in the user's data folder they may be.
    called : str, default ""
        What messages call the files, where they are too many to be listed. Default: their names.
    """

    title: str
    files: dict[str, int]
    read: Callable[[tuple[Path, ...]], Any]
    places: tuple
    folder: str
    subfolders: tuple[str, ...] = (".",)
    called: str = ""

    @property
    def wanted(self) -> str:
        """The files, for messages."""
        return self.called or ", ".join(self.files)

    def locate(self, root: Path, subfolders: tuple[str, ...]) -> tuple[Path, ...] | None:
        """Return the paths of all files in the first subfolder that holds all of them.

        Parameters
        ----------
        root : Path
            Folder to look into.
        subfolders : tuple of str
            Subfolders of `root`, in the order in which they are looked into.

        Returns
        -------
        tuple of Path or None
            Paths in the order of `files`, or None if no subfolder holds all of them.

        Raises
        ------
        DataError
            If something other than a regular file has the name of one of the files.
        """
        for folder in (find_folder(root, subfolder) for subfolder in subfolders):
            paths = [folder and find_file(folder, name) for name in self.files]
            if all(paths):
                return tuple(paths)
        return None


@dataclass(frozen=True)
class Found:
    """Content of a `RawData`, as found.

    Parameters
    ----------
    content : object
        What `RawData.read` returned.
    paths : tuple of Path
        The files.
    origin : str
        Where they were found, for messages: the data folder, the cache or an address.
    """

    content: Any
    paths: tuple[Path, ...]
    origin: str


class Sources:
    """All places where raw data is looked for.

    Parameters
    ----------
    data_dir : path, optional
        The user's folder. Default: the environment variable HIPPO_DATA_DIR, else none.
    cache : path, optional
        Folder for downloaded files. Default: HIPPO_CACHE_DIR, else the user's cache folder.
    require_real : bool, default False
        If True, no synthetic substitute may replace recordings.
    offline : bool, default False
        If True, the network is not used.

    Raises
    ------
    DataError
        If a data folder is named but does not exist.
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
        """Return the content of the first form found.

        All forms are looked for in the user's folder, then all in the cache, then all on the network. Downloaded
        files are kept in the cache.

        Parameters
        ----------
        *forms : RawData
            Published forms of the same recordings, in order of preference.

        Returns
        -------
        Found
            Content, paths and origin.

        Raises
        ------
        DataError
            If a file of the user is damaged, cannot be read, or is no regular file.
        NoSourceError
            If no form is found.
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
        raise self._nowhere(forms, failures)

    def _in_data_folder(self, forms: tuple[RawData, ...]) -> Found | None:
        """The first form in the user's folder."""
        if self.data_dir is None:
            return None
        for form in forms:
            paths = form.locate(self.data_dir, form.subfolders)
            if paths is None:
                continue
            try:
                return Found(form.read(paths), paths, f"data folder {self.data_dir}")
            except DamagedError as error:
                advice = "replace it by a complete copy, or remove it so that the data is downloaded"
                raise DataError(f"{error}; {advice}") from error
            except OSError as error:
                raise DataError(f"{error.filename or paths[0]}: cannot be read ({error.strerror})") from error
        wanted = " or ".join(form.wanted for form in forms)
        log.warning("data folder %s does not hold %s (%s); trying the cache", self.data_dir, forms[0].title, wanted)
        return None

    def _in_cache(self, forms: tuple[RawData, ...], failures: list[str]) -> Found | None:
        """The first form in the cache; damaged files are added to `failures`."""
        for form in forms:
            paths = form.locate(self.cache, (form.folder,))
            if paths is None:
                continue
            try:
                return Found(form.read(paths), paths, f"cache {self.cache}")
            except (DamagedError, OSError) as error:  # removed by `_discard_damaged` under the lock
                failures.append(f"cache: {error}")
        return None

    def _discard_damaged(self, form: RawData) -> None:
        """Remove the damaged file of a form from the cache, if there is one."""
        paths = form.locate(self.cache, (form.folder,))
        if paths is None:
            return
        try:
            form.read(paths)
        except DamagedError as error:
            log.warning("%s; removed from the cache, to be downloaded again", error)
            error.path.unlink(missing_ok=True)
        except OSError as error:
            raise DataError(f"{error.filename or paths[0]}: cannot be read ({error.strerror})") from error

    def _download(self, form: RawData, failures: list[str]) -> Found | None:
        """Download into a separate folder, verify, and only then move each file to its final name in the cache."""
        home = self.cache / form.folder
        partial = home / ".partial"
        for place in form.places:
            shutil.rmtree(partial, ignore_errors=True)  # left by a killed download
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
                    log.warning(
                        "%s was downloaded from %s after these failures:\n  %s",
                        form.title,
                        place,
                        "\n  ".join(failures),
                    )
                paths = tuple(path.replace(home / path.name) for path in fetched)
                return Found(content, paths, str(place))
            finally:
                shutil.rmtree(partial, ignore_errors=True)
            log.info("%s is not available from %s", form.title, failures[-1])
        return None

    @contextmanager
    def _lock(self, form: RawData):
        """Lock the form's folder in the cache: of several processes, one downloads and the others wait."""
        from filelock import FileLock

        home = self.cache / form.folder
        lock = FileLock(home / ".lock", timeout=LOCK_SECONDS)
        try:
            home.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except TimeoutError as error:
            raise DataError(
                f"{home / '.lock'}: locked for {LOCK_SECONDS} s by another process; end that process"
            ) from error
        except OSError as error:
            raise DataError(
                f"{home}: cannot be written ({error.strerror}); set HIPPO_CACHE_DIR to a folder that you can write to"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def _nowhere(self, forms: tuple[RawData, ...], failures: list[str]) -> NoSourceError:
        """What to do, and what was tried."""
        files = " or ".join(form.wanted for form in forms)
        tried = [f"data folder: {self.data_dir or 'none given'}", f"cache: {self.cache}"]
        tried += [*failures, "network: not used (offline)"] if self.offline else failures
        advice = f"put {files} into a folder and set HIPPO_DATA_DIR to it"
        if any(form.places for form in forms):
            advice += ", or run once with network access"
        what_to_do = advice[0].upper() + advice[1:]
        return NoSourceError(f"{forms[0].title}: not found. {what_to_do}. Tried:\n  " + "\n  ".join(tried), advice)


def _data_folder(data_dir: Path | str | None) -> Path | None:
    """The user's data folder, if one is given."""
    named_by = "data_dir" if data_dir else "HIPPO_DATA_DIR"
    named = data_dir or os.environ.get("HIPPO_DATA_DIR")
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        fault = "is not a folder" if folder.exists() else "does not exist"
        raise DataError(f"{folder}: the data folder given by {named_by} {fault}; create it or give another")
    return folder


def cache_folder(cache: Path | str | None = None) -> Path:
    """Return the folder for downloaded files.

    Parameters
    ----------
    cache : path, optional
        The folder. Default: the environment variable HIPPO_CACHE_DIR, else `hippo` in the user's cache folder.

    Returns
    -------
    Path
        The folder, which need not exist.
    """
    from platformdirs import user_cache_path

    return Path(cache or os.environ.get("HIPPO_CACHE_DIR") or user_cache_path("hippo")).expanduser()
