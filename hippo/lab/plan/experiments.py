"""All experiments: found by name, loaded at every scale, and checked against each other."""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path

from hippo.config import ConfigError, closest
from hippo.lab.plan.experiment import Experiment, lacks, load_experiment, load_scales, scales_of
from hippo.lab.plan.settings import Settings, read_settings

FOLDER = Path("config/experiments")


@dataclass(frozen=True)
class Experiments:
    """All experiment files, as the workflow reads them before any job starts.

    Parameters
    ----------
    settings : Settings
        Settings of the workflow.
    files : dict of Path
        Experiment files by name.
    by_scale : dict of Experiment
        Experiments by (name, scale).
    requested : list of str
        Names of the experiments that the settings ask for.
    """

    settings: Settings
    files: dict[str, Path]
    by_scale: dict[tuple[str, str], Experiment]
    requested: list[str]

    def __getitem__(self, key: tuple[str, str]) -> Experiment:
        """Return the experiment (name, scale); ConfigError if its file does not have the scale."""
        name, scale = key
        if name in self.files and key not in self.by_scale:
            raise ConfigError(f"{self.files[name]}: {lacks(scale)}")
        return self.by_scale[key]

    def __contains__(self, key: tuple[str, str]) -> bool:
        """Return whether there is an experiment (name, scale)."""
        return key in self.by_scale


def read_experiments(config: dict, folder: Path = FOLDER) -> Experiments:
    """Read the settings and every experiment file in `folder` at every scale.

    Raises
    ------
    ConfigError
        The message names the file, the key and what to write instead.
    """
    settings = read_settings(config)
    files = {path.stem: path for path in sorted(Path(folder).glob("*.yaml"))}
    for name, path in files.items():
        if not name.replace("_", "").replace("-", "").isalnum():
            raise ConfigError(f"{path}: an experiment cannot be named {name!r}; use letters, digits, '-' and '_'")
        if name.endswith(("_seeds", "_pairs")):
            raise ConfigError(f"{path}: an experiment's name cannot end in _seeds or _pairs, as files of tables do")
    scales = {name: load_scales(path) for name, path in files.items()}
    loaded = {(name, scale): at for name, own in scales.items() for scale, at in own.items()}
    for experiment in loaded.values():
        at_scale = {other: loaded[other, _sweep_scale(experiment, own)] for other, own in scales.items()}
        check_choices(experiment, at_scale)
    return Experiments(settings, files, loaded, _requested(settings, files, loaded))


def experiment_files(folder: Path = FOLDER) -> list[Path]:
    """Return all experiment files of the project's folder, sorted.

    Raises
    ------
    ConfigError
        If the command was not started in the project's folder.
    """
    if not folder.is_dir():
        raise ConfigError(f"{_outside(folder)}, or name experiment files")
    return sorted(folder.glob("*.yaml"))


def files_with_scales(scales: Iterable[str], folder: Path = FOLDER) -> list[Path]:
    """Return the experiment files that have all of these scales, sorted; ConfigError as `experiment_files`."""
    return [path for path in experiment_files(folder) if set(scales) <= set(scales_of(path))]


def _outside(folder: Path) -> str:
    """Message that the present folder is not the project's."""
    return f"no folder {folder} in {Path.cwd()}: change to the project's folder, which holds the experiments"


def find_experiment(name: str, scale: str, folder: Path = FOLDER) -> Experiment:
    """Load the experiment called `name`, or in the file `name`, with its sweeps checked.

    Raises
    ------
    ConfigError
        If there is no such experiment (the message names the closest), or a setting is not valid.
    """
    path = Path(name)
    if path.suffix != ".yaml":
        path = folder / f"{name}.yaml"
        if not folder.is_dir():
            raise ConfigError(f"experiment {name!r}: {_outside(folder)}, or name a file that ends in .yaml")
        if not path.exists():
            names = [found.stem for found in folder.glob("*.yaml")]
            raise ConfigError(f"no experiment {name!r} in {folder}; {closest(name, names)}")
    experiment = load_experiment(path, scale)
    sweeps = {sweep for model in experiment.spec.models for sweep in experiment.chosen_by(model).values()}
    there = [sweep for sweep in sweeps if path.with_name(f"{sweep}.yaml").exists()]
    check_choices(experiment, {sweep: load_sweep(experiment, sweep) for sweep in there})
    return experiment


def load_sweep(experiment: Experiment, name: str) -> Experiment:
    """Load the sweep `name`, whose file lies beside that of an experiment with `chosen_by`.

    Returns
    -------
    Experiment
        The sweep at the scale of the experiment, or at the paper scale if its file does not state that scale.

    Raises
    ------
    ConfigError
        If there is no such file, or a setting is not valid.
    """
    path = experiment.path.with_name(f"{name}.yaml")
    return load_experiment(path, _sweep_scale(experiment, scales_of(path)))


def _sweep_scale(experiment: Experiment, stated: Container[str]) -> str:
    """The scale at which a sweep with the scales `stated` belongs to an experiment."""
    return experiment.scale if experiment.scale in stated else "paper"


def check_choices(experiment: Experiment, others: dict[str, Experiment]) -> None:
    """Check that every `chosen_by` names a sweep of that model over that setting that has the stated value.

    Parameters
    ----------
    experiment : Experiment
        The experiment with `chosen_by`.
    others : dict of Experiment
        Experiments by name, at the same scale, or at the paper scale if they do not have it.

    Raises
    ------
    ConfigError
        If one does not.
    """
    sweeps = {name: other for name, other in others.items() if other.spec.sweep}
    for model, entry in experiment.spec.models.items():
        for key, name in experiment.chosen_by(model).items():
            where = f"{experiment.where}: models.{model}.chosen_by.{key}"
            if name not in sweeps or sweeps[name].spec.sweep.key != key:
                candidates = [found for found, sweep in sweeps.items() if sweep.spec.sweep.key == key]
                raise ConfigError(f"{where}: {name!r} is not a sweep over {key!r}; {closest(name, candidates)}")
            sweep, registered = sweeps[name], entry.model or model
            swept = {point.model for point in sweep.spec.models.values()}
            if registered not in swept:
                raise ConfigError(f"{where}: {name} does not sweep {registered!r}; {closest(registered, swept)}")
            if (value := experiment.setting(model, key)) not in sweep.spec.sweep.values:
                raise ConfigError(f"{where}: {value} is not among {sweep.spec.sweep.values}, the values of {name}")


def _requested(settings: Settings, files: dict[str, Path], loaded: dict[tuple[str, str], Experiment]) -> list[str]:
    """Names of the experiments that the settings ask for."""
    if settings.experiments in (["all"], ["sweeps"]):
        sweeps = settings.experiments == ["sweeps"]
        there = [name for name in files if (name, settings.scale) in loaded]
        return [name for name in there if bool(loaded[name, settings.scale].spec.sweep) == sweeps]
    for name in settings.experiments:
        if name not in files:
            raise ConfigError(f"config/config.yaml: experiments: no table {name!r}; {closest(name, files)}")
        if (name, settings.scale) not in loaded:
            raise ConfigError(f"{files[name]}: {lacks(settings.scale)}")
    return settings.experiments
