"""Where a number came from: versions and commit."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path


def versions() -> dict[str, str]:
    """Versions of what produced a number."""
    packages = {name: version(name) for name in ("hippo-lab", "torch", "numpy")}
    return {"python": platform.python_version(), **packages}


def git_commit() -> str | None:
    """Commit of the source tree, marked `-dirty` where tracked files were changed; None outside a checkout."""
    command = [
        "git",
        "-C",
        str(Path(__file__).parent),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
        "--exclude=*",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
