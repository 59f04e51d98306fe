"""Versions, machine and commit that produced a number."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that numbers depend on, by name."""
    packages = {name: version(name) for name in ("hippo-lab", "torch", "numpy")}
    return {"python": platform.python_version(), **packages}


def machine() -> dict[str, str | int]:
    """Return processor, number of cores and system of this machine."""
    return {
        "processor": processor(),
        "cores": os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.machine()}",
    }


def processor() -> str:
    """Return the name of the processor as the system reports it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def git_commit() -> str | None:
    """Return the commit of the source tree that this code is imported from.

    Returns
    -------
    str or None
        The full hash, with the suffix `-dirty` if a tracked file differs from the commit. None if git does not track
        this file: outside a repository, without git, or for an installed package inside another project's repository.
    """
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        changed = _git("status", "--porcelain", "--untracked-files=no")
        return _git("rev-parse", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    """Output of a git command in the folder of this file."""
    # `git describe --dirty` would lock the index, and a trial killed meanwhile would leave it locked.
    command = ["git", "--no-optional-locks", "-C", str(Path(__file__).parent), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
