"""Why a trial that was started has no outcome. Free of torch and MLflow: tables ask it."""

import json
import os
import platform
from pathlib import Path

KILLED = {"status": "killed", "reason": "ended without a word: killed from outside, or out of memory"}


def read_json(path: Path) -> dict:
    """What a JSON file of a trial's folder holds; {} where it is absent or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def failure(folder: Path, digest: str) -> dict | None:
    """`status` and `reason` of a trial of these settings that was started and is over without an outcome, or None."""
    left, word = read_json(folder / "run.json"), read_json(folder / "failure.json")
    if word.get("trial") == digest and {"status", "reason"} <= word.keys():
        return {key: word[key] for key in ("status", "reason")}
    started = str(left.get("identity", "")).startswith(digest)
    return KILLED if started and not (folder / "metrics.json").exists() and not alive(left) else None


def alive(process: dict, gone: tuple[str, ...] = ()) -> bool:
    """Whether `process` (host, pid) may still run: on another host it may, unless that is one of `gone`.

    One that lacks either, or whose number is none, is no process.
    """
    host, pid = process.get("host"), str(process.get("pid"))
    if not host or host in gone or not pid.isdecimal():
        return False
    if host != platform.node():
        return True
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return int(pid) not in (0, os.getpid())  # 0 stands for this process's own group
