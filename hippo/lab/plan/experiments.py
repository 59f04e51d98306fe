"""All that the Snakefile reads before any job starts: settings, experiment files, every experiment at every scale."""

from pathlib import Path

from hippo.config import ConfigError, closest
from hippo.lab.plan.experiment import SCALES, Experiment, load
from hippo.lab.plan.settings import Settings, read_settings

FOLDER = Path("config/experiments")
# Targets by a table's name stand beside these rules.
RULES = ("all", "fetch", "prepare", "store", "train", "table", "sweep", "sweeps", "report")
RULES += ("learning_curves", "ranks", "signals", "speed_curve", "memory_errors", "basis_functions", "kernel_speed")

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
        check_choices(plan, {n: other for (n, scale), other in plans.items() if scale == plan.scale})
    return settings, files, _chosen(settings, files, plans), plans


def check_choices(experiment: Experiment, others: dict[str, Experiment]) -> None:
    """ConfigError unless every `chosen_by` names a sweep among `others`, of that model over that setting, and a value.

    `others` are experiments at the same scale.
    """
    sweeps = {name: other for name, other in others.items() if other.plan.sweep}
    for row, about in experiment.plan.models.items():
        for key, name in about.chosen_by.items():
            where = f"{experiment.where}: models.{row}.chosen_by.{key}"
            if name not in sweeps or sweeps[name].plan.sweep.key != key:
                raise ConfigError(f"{where}: {name!r} is no sweep over {key!r}; {closest(name, sweeps)}")
            sweep, model = sweeps[name], about.model or row
            models = {point.model for point in sweep.points.values()}
            if model not in models:
                raise ConfigError(f"{where}: {name} does not sweep {model!r}; {closest(model, models)}")
            if (value := experiment.setting(row, key)) not in sweep.plan.sweep.values:
                raise ConfigError(f"{where}: {value} is not among {sweep.plan.sweep.values}, the values of {name}")


def _chosen(settings: Settings, files: dict[str, Path], plans: Plans) -> list[str]:
    if settings.experiments in (["all"], ["sweeps"]):
        swept = settings.experiments == ["sweeps"]
        return [name for name in files if bool(plans[name, settings.scale].plan.sweep) == swept]
    for name in settings.experiments:
        if name not in files:
            raise ConfigError(f"config/config.yaml: experiments: no table {name!r}; {closest(name, files)}")
    return settings.experiments
