"""`hippo doctor`: checks of the environment, each with what to do about a fault."""

import json
import os
import re
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution, requires, version
from pathlib import Path
from textwrap import fill
from urllib.parse import unquote, urlparse

import hippo
from hippo.config import ConfigError

WIDTH = 100  # characters of a line
NEEDED, COMFORTABLE = 0.2, 5.0  # GB of free space in a folder
IMPORTED_AS = {"pyyaml": "yaml", "scikit-learn": "sklearn", "pillow": "PIL"}  # packages whose module has another name
REPAIR = "run make clean env"


@dataclass(frozen=True)
class Finding:
    """Result of one check.

    Parameters
    ----------
    check : str
        Name of the check.
    state : str
        ok, warning or problem.
    text : str
        What was found, and what to do.
    """

    check: str
    state: str
    text: str

    def __str__(self) -> str:
        return fill(f"{self.state:8} {self.check:9} {self.text}", WIDTH, subsequent_indent=19 * " ")


def examine(results: Path, lock: Path, data_dir: Path | None) -> Iterator[Finding]:
    """Check the environment. Nothing is downloaded, and no file is written.

    Parameters
    ----------
    results : Path
        Folder of the results.
    lock : Path
        requirements.lock, with the versions that the project was tested with.
    data_dir : Path, optional
        Folder with the user's own data files.

    Yields
    ------
    Finding
        One per check, as soon as it is made. A check that fails is a finding too.
    """
    checks: dict[str, Callable[[], tuple[str, str]]] = {
        "source": _source,
        "compiler": _compiler,
        "kernels": _kernels,
        "threads": _threads,
        "versions": lambda: _versions(lock),
        "imports": _imports,
        "data": lambda: _data(data_dir),
        "tracking": _tracking,
        "workflow": _workflow,
        "results": lambda: _space(results),
        "cache": _cache,
    }
    for name, check in checks.items():
        try:
            yield Finding(name, *check())
        except (OSError, ValueError) as error:  # ConfigError and DataError among them
            yield Finding(name, "problem", " ".join(str(error).split()))
        except Exception as error:  # whatever a broken package may raise
            text = f"{type(error).__name__}: {' '.join(str(error).split())}"
            yield Finding(name, "problem", f"cannot be checked, see imports: {text}")


def _source() -> tuple[str, str]:
    """Whether the code that runs is that of the checkout in which the command was typed."""
    here, package = Path.cwd().resolve(), Path(hippo.__file__).resolve().parent
    places = (place for place in (here, *here.parents) if (place / "pyproject.toml").is_file())
    checkout = next((place for place in places if (place / "hippo/__init__.py").is_file()), None)
    if checkout is None:
        return "ok", f"{package}"
    if package != checkout / "hippo":
        state = "warning" if "site-packages" in package.parts else "problem"
        return state, f"{package} runs, not {checkout / 'hippo'}: changes here have no effect; {REPAIR}"
    if (installed := _installed_from()) not in (None, checkout):
        return "problem", f"the environment was installed from {installed}, not from {checkout}; {REPAIR}"
    if (interpreter := _script_interpreter()) and Path(sys.prefix) not in interpreter.parents:
        return "problem", f"the commands of {sys.prefix} start {interpreter}: the folder was moved or copied; {REPAIR}"
    return "ok", f"{package}, of this folder"


def _installed_from() -> Path | None:
    """The folder from which this package was installed editable; None if it was not."""
    try:
        about = json.loads(distribution("hippo-lab").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return None
    if not about.get("dir_info", {}).get("editable"):
        return None
    return Path(unquote(urlparse(about["url"]).path)).resolve()


def _script_interpreter() -> Path | None:
    """The interpreter that the command `hippo` of this environment starts; None if there is no such command."""
    script = Path(sys.prefix, "bin", "hippo")
    try:
        first = script.read_bytes().partition(b"\n")[0].decode()
    except (OSError, ValueError):
        return None
    return Path(first.removeprefix("#!").strip().strip('"')) if first.startswith("#!") else None


def _compiler() -> tuple[str, str]:
    """Whether there is a C++ compiler."""
    named = os.environ.get("CXX")
    for compiler in [named] if named else ["c++", "g++", "clang++"]:
        if found := shutil.which(compiler):
            return "ok", found
    missing = f"the compiler {named} (CXX) was not found" if named else "no C++ compiler was found"
    return "warning", f"{missing}; install g++ or clang++ to build the kernels"


def _kernels() -> tuple[str, str]:
    """Whether compiled kernels run."""
    from hippo.kernels import backend

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the finding says the same
        chosen = backend()
    if chosen.compiled:
        return "ok", f"{chosen.name}: {chosen.reason}"
    return "warning", f"the slow reference implementation: {chosen.reason}; reinstall with a C++ compiler"


def _threads() -> tuple[str, str]:
    """Whether each trial will use one thread."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if (stated := os.environ.get("OMP_NUM_THREADS", "1")) != "1":
        return "warning", f"OMP_NUM_THREADS={stated}: {cores} cores; parallel trials are fastest with one thread each"
    return "ok", f"{cores} cores: snakemake --cores {cores} runs as many trials of one thread each"


def _versions(lock: Path) -> tuple[str, str]:
    """Whether the installed versions are those of the lock file."""
    if not lock.exists():
        return "warning", f"{lock} does not exist, so that versions are not compared; run in the project's folder"
    pinned = re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;]+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    installed = {name: _installed(name) for name, _ in pinned}
    absent = [name for name in _required() if name in installed and installed[name] is None]
    if absent:
        return "problem", f"not installed: {', '.join(absent)}; run make env"
    other = [f"{n} {installed[n]}, not {v}" for n, v in pinned if installed[n] not in (None, v)]
    if other:
        return "warning", f"{len(other)} differ from {lock.name} ({'; '.join(other)}); {REPAIR}"
    return "ok", f"as in {lock.name}"


def _required() -> list[str]:
    """Names of the packages that the laboratory requires: those of the library and of the extra `lab`."""
    return sorted(_required_by("") | _required_by("lab"))


def _required_by(extra: str) -> set[str]:
    """Names of the packages of an extra, and of the extras that it includes; "" is the library."""
    found: set[str] = set()
    for line in requires("hippo-lab") or []:
        stated = re.search(r"extra == [\"'](\w+)", line)
        if (stated[1] if stated else "") != extra:
            continue
        name, included = re.match(r"([A-Za-z0-9_.-]+)(?:\[([^]]*)\])?", line).groups()
        if included:
            found |= {package for part in included.split(",") for package in _required_by(part.strip())}
        else:
            found.add(name)
    return found


def _imports() -> tuple[str, str]:
    """Whether every required package that is installed can be imported."""
    packages = [name for name in _required() if _installed(name)]
    failures = {name: _import_failure(IMPORTED_AS.get(name, name)) for name in packages}
    broken = [f"{name} ({text})" for name, text in failures.items() if text]
    if broken:
        return "problem", f"installed but broken: {'; '.join(broken)}; {REPAIR}"
    return "ok", f"{len(packages)} packages work"


def _import_failure(module: str) -> str:
    """Why `module` cannot be imported, shortened; empty if it can."""
    try:
        import_module(module)
    except Exception as error:  # whatever a broken package may raise
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return ""


def _installed(name: str) -> str | None:
    """The installed version of a package; None if it is not installed."""
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        return None


def _data(data_dir: Path | None) -> tuple[str, str]:
    """Whether the raw files of every dataset are on this machine."""
    from hippo import registry
    from hippo.data.sources import NoSourceError, Sources

    sources, absent, to_supply = Sources(data_dir, offline=True, require_real=True), [], []
    for name in registry.names("datasets"):
        options = registry.find("datasets", name, "hippo doctor")
        try:
            options().fetch(sources)
        except NoSourceError:
            (to_supply if options.user_supplied else absent).append(name)
    remedy = "hippo fetch downloads their files, or says which to supply"
    supply = f"; left out of tables: {', '.join(to_supply)}; {remedy}" if to_supply else ""
    if absent:
        advice = "hippo fetch downloads each, or name a HIPPO_DATA_DIR"
        return "warning", f"not downloaded: {', '.join(absent)}; {advice}{supply}"
    return "ok", f"the files of every {'other ' if to_supply else ''}dataset are complete{supply}"


def _tracking() -> tuple[str, str]:
    """Whether the tracking store can be used."""
    from hippo.lab.tracking.address import EMBEDDED, is_server, tracking_uri
    from hippo.lab.tracking.server import describe_server
    from hippo.lab.tracking.store import DATABASE, connect

    if is_server():
        return describe_server()
    if tracking_uri() != EMBEDDED or DATABASE.exists():
        connect()
        return "ok", tracking_uri()
    state, text = _space(DATABASE.parent)
    return state, f"{tracking_uri()}: the first trial creates it; {text}"


def _workflow() -> tuple[str, str]:
    """Whether Snakemake can lock this folder."""
    from hippo.lab.workflow.snakemake_lock import advice, holders, lock_files, stale_locks

    snakemake = Path(".snakemake")
    if not (locks := lock_files(snakemake)):
        return "ok", "no Snakemake process runs in this folder"
    if stale_locks(snakemake):
        return "warning", "a killed Snakemake process left its lock; the next snakemake command removes it"
    return "ok" if holders(snakemake) else "problem", advice(snakemake, locks)


def _cache() -> tuple[str, str]:
    """Whether the cache of raw files can be written."""
    from hippo.data.sources import cache_folder

    return _space(cache_folder())


def _space(folder: Path) -> tuple[str, str]:
    """Whether `folder`, or the place where it will be created, can be written and has free space."""
    existing = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        raise ConfigError(f"{existing} cannot be written; change its permissions, or run elsewhere")
    free = shutil.disk_usage(existing).free / 1e9
    text = f"{free:.1f} GB free for {folder}"
    if free < NEEDED:
        return "problem", f"{text}; free some space"
    return ("ok", text) if free > COMFORTABLE else ("warning", f"{text}; the paper scale may need more")
