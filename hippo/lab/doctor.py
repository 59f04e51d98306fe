"""`hippo doctor`: what of the environment works, what does not, and what mends it."""

import os
import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from textwrap import fill

from hippo.config import ConfigError

WIDTH = 100
NEEDED, COMFORTABLE = 0.2, 5.0  # GB free in a folder
IMPORTED_AS = {"pyyaml": "yaml", "scikit-learn": "sklearn"}  # packages whose module has another name


@dataclass(frozen=True)
class Finding:
    """One check's answer: `state` is ok, warning or problem, `words` what was found and what to do."""

    check: str
    state: str
    words: str

    def __str__(self) -> str:
        return fill(f"{self.state:8} {self.check:9} {self.words}", WIDTH, subsequent_indent=19 * " ")


def examine(results: Path, lock: Path, data_dir: Path | None) -> Iterator[Finding]:
    """Every check's finding, in turn; none downloads anything."""
    checks: dict[str, Callable[[], tuple[str, str]]] = {
        "compiler": _compiler,
        "kernels": _kernels,
        "threads": _threads,
        "versions": lambda: _versions(lock),
        "imports": _imports,
        "data": lambda: _data(data_dir),
        "tracking": _tracking,
        "results": lambda: _space(results),
        "cache": _cache,
    }
    for name, check in checks.items():
        try:
            yield Finding(name, *check())
        except (OSError, ValueError) as error:  # ConfigError and DataError among them
            yield Finding(name, "problem", " ".join(str(error).split()))
        except Exception as error:  # whatever a broken package may raise
            words = f"{type(error).__name__}: {' '.join(str(error).split())}"
            yield Finding(name, "problem", f"cannot be checked, see imports: {words}")


def _compiler() -> tuple[str, str]:
    named = os.environ.get("CXX")
    for compiler in [named] if named else ["c++", "g++", "clang++"]:
        if found := shutil.which(compiler):
            return "ok", found
    return "warning", f"{named or 'no C++ compiler'} not found: install g++ or clang++ to build the kernels"


def _kernels() -> tuple[str, str]:
    from hippo.kernels import backend

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the warning about missing kernels is the finding
        chosen = backend()
    if chosen.compiled:
        return "ok", f"{chosen.name}: {chosen.reason}"
    return "warning", f"slow PyTorch kernels: {chosen.reason}; reinstall with a C++ compiler"


def _threads() -> tuple[str, str]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if (stated := os.environ.get("OMP_NUM_THREADS", "1")) != "1":
        return "warning", f"OMP_NUM_THREADS={stated}: {cores} cores; one thread per trial is fastest in parallel"
    return "ok", f"{cores} cores: snakemake --cores {cores} runs as many trials of one thread"


def _versions(lock: Path) -> tuple[str, str]:
    if not lock.exists():
        return "warning", f"{lock} is not here: versions not compared; run in the project's folder"
    pinned = re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;]+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    installed = {name: _installed(name) for name, _ in pinned}
    absent = [name for name in _required() if name in installed and installed[name] is None]
    if absent:
        return "problem", f"not installed: {', '.join(absent)}; run make env"
    other = [f"{n} {installed[n]}, not {v}" for n, v in pinned if installed[n] not in (None, v)]
    if other:
        return "warning", f"{len(other)} other than in {lock.name}; make clean env: {'; '.join(other)}"
    return "ok", f"as in {lock.name}"


def _required() -> list[str]:
    from importlib.metadata import requires

    stated = [line for line in requires("hippo-lab") or [] if "extra ==" not in line]
    return [re.match(r"[A-Za-z0-9_.-]+", line)[0] for line in stated]


def _imports() -> tuple[str, str]:
    """Whether every package that is needed, and is installed, can be used."""
    packages = [name for name in _required() if _installed(name)]
    failures = {name: _import_failure(IMPORTED_AS.get(name, name)) for name in packages}
    broken = [f"{name} ({words})" for name, words in failures.items() if words]
    if broken:
        return "problem", f"installed but broken: {'; '.join(broken)}; run make clean env"
    return "ok", f"{len(packages)} packages work"


def _import_failure(module: str) -> str:
    """Why `module` cannot be imported, shortened; nothing if it can."""
    try:
        import_module(module)
    except Exception as error:  # whatever a broken package may raise
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return ""


def _installed(name: str) -> str | None:
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        return None


def _data(data_dir: Path | None) -> tuple[str, str]:
    from hippo import registry
    from hippo.data.sources import NoSourceError, Sources

    sources, absent = Sources(data_dir, offline=True, require_real=True), []
    for name in registry.names("datasets"):
        try:
            registry.find("datasets", name, "hippo doctor")().fetch(sources)
        except NoSourceError:
            absent.append(name)
    if absent:
        return "warning", f"not here yet: {', '.join(absent)}; hippo fetch brings each, or name a HIPPO_DATA_DIR"
    return "ok", "every dataset's files are here, whole"


def _tracking() -> tuple[str, str]:
    from hippo.lab.tracking.store import DATABASE, EMBEDDED, connect, tracking_uri

    if tracking_uri() != EMBEDDED or DATABASE.exists():
        connect()
        return "ok", tracking_uri()
    state, words = _space(DATABASE.parent)
    return state, f"{tracking_uri()}: made by the first trial; {words}"


def _cache() -> tuple[str, str]:
    from hippo.data.sources import cache_folder

    return _space(cache_folder())


def _space(folder: Path) -> tuple[str, str]:
    """Whether `folder`, or where it will be made, can be written and has room."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"{there} cannot be written: change its rights, or run elsewhere")
    free = shutil.disk_usage(there).free / 1e9
    words = f"{free:.1f} GB free for {folder}"
    if free < NEEDED:
        return "problem", f"{words}: make room"
    return ("ok", words) if free > COMFORTABLE else ("warning", f"{words}: the paper scale may want more")
