"""All that the Snakefile reads before any job starts: settings, experiment files, every experiment at every scale."""

from pathlib import Path

from hippo.config import ConfigError, closest
from hippo.lab.experiment import SCALES, Experiment, load
from hippo.lab.settings import Settings, read_settings

FOLDER = Path("config/experiments")
# Targets by a table's name stand beside these rules.
RULES = ("all", "fetch", "prepare", "store", "train", "table", "sweep", "sweeps", "report")
RULES += ("learning_curves", "ranks", "signals", "speed_curve", "memory_errors", "basis_functions")

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
    for plan in plans.values():
        _check_choices(plan, plans)
    return settings, files, _chosen(settings, files, plans), plans


def _check_choices(plan: Experiment, plans: Plans) -> None:
    """ConfigError unless every `chosen_by` names a sweep of that model over that setting, and a value of it."""
    for row, about in plan.plan.models.items():
        for key, name in about.chosen_by.items():
            where, sweep = f"{plan.where}: models.{row}.chosen_by.{key}", plans.get((name, plan.scale))
            if sweep is None or sweep.plan.sweep is None or sweep.plan.sweep.key != key:
                sweeps = [n for n, scale in plans if scale == plan.scale and plans[n, scale].plan.sweep]
                raise ConfigError(f"{where}: {name!r} is no sweep over {key!r}; {closest(name, sweeps)}")
            model, swept = about.model or row, {point.model for point in sweep.points.values()}
            if model not in swept:
                raise ConfigError(f"{where}: {name} does not sweep {model!r}; {closest(model, swept)}")
            if (value := plan.setting(row, key)) not in sweep.plan.sweep.values:
                raise ConfigError(f"{where}: {value} is not among {sweep.plan.sweep.values}, the values of {name}")


def _chosen(settings: Settings, files: dict[str, Path], plans: Plans) -> list[str]:
    if settings.experiments in (["all"], ["sweeps"]):
        swept = settings.experiments == ["sweeps"]
        return [name for name in files if bool(plans[name, settings.scale].plan.sweep) == swept]
    for name in settings.experiments:
        if name not in files:
            raise ConfigError(f"config/config.yaml: experiments: no table {name!r}; {closest(name, files)}")
    return settings.experiments
