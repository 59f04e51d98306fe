"""All that the Snakefile reads before any job starts: settings, experiment files, every experiment at every scale."""

from pathlib import Path

from hippo.config import ConfigError, closest
from hippo.lab.experiment import SCALES, Experiment, load
from hippo.lab.settings import Settings, read_settings

FOLDER = Path("config/experiments")
# Targets by a table's name stand beside these rules.
RULES = ("all", "fetch", "prepare", "store", "train", "table")

Plans = dict[tuple[str, str], Experiment]


def read_plans(config: dict, folder: Path = FOLDER) -> tuple[Settings, dict[str, Path], list[str], Plans]:
    """Settings, every experiment file by name, the tables asked for, and each experiment at each scale.

    ConfigError names the file, the key and what to write instead.
    """
    settings = read_settings(config)
    files = {path.stem: path for path in sorted(Path(folder).glob("*.yaml"))}
    for name, path in files.items():
        if name in RULES or not name.replace("_", "").replace("-", "").isalnum():
            raise ConfigError(
                f"{path}: a table cannot be called {name!r}; use letters, digits, - and _, and no rule's name"
            )
    plans = {(name, scale): load(path, scale) for name, path in files.items() for scale in SCALES}
    return settings, files, _chosen(settings, files), plans


def _chosen(settings: Settings, files: dict[str, Path]) -> list[str]:
    if settings.experiments == ["all"]:
        return list(files)
    for name in settings.experiments:
        if name not in files:
            raise ConfigError(f"config/config.yaml: experiments: no table {name!r}; {closest(name, files)}")
    return settings.experiments
