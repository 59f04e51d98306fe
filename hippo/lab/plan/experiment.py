"""Experiment: the validated content of one experiment file at one scale, and its trials.

Free of torch: the workflow reads experiment files while it builds its DAG.
"""

from pathlib import Path
from typing import Any

from hippo import registry
from hippo.config import ConfigError, Options, closest, parse
from hippo.data.dataset import DatasetOptions
from hippo.lab.plan.schema import (
    OPTIONAL,
    SCALES,
    ClaimSpec,
    ExperimentSpec,
    KeepModel,
    ModelSpec,
    PaperSpec,
    VariantSpec,
)
from hippo.lab.plan.sweep_points import SweepPoint, expand_sweep
from hippo.lab.plan.task import Task
from hippo.lab.plan.training_options import TrainingOptions
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.plan.yaml_files import merge, read_yaml


class Experiment:
    """An experiment at one scale: variants, models and trials, with every option validated.

    Parameters
    ----------
    path : Path
        The experiment file. Its stem is the experiment's name.
    scale : str
        smoke, quick, hour or paper.
    spec : ExperimentSpec
        Content of the file, with the overrides of the scale applied.
    where : str
        Name of the file and the scale, for error messages.
    unreduced : Experiment, optional
        The experiment without the overrides of the scale; None at a scale without overrides.

    Attributes
    ----------
    spec : ExperimentSpec
        As given; in a sweep, `spec.models` holds one entry per model and value.
    task : Task
        The task of the dataset.
    dataset_names : dict of str
        Registered dataset of each variant.
    datasets : dict of DatasetOptions
        Options of each variant.
    models : dict of Options
        Hyperparameters of each model, without those of a variant.
    training : dict of TrainingOptions
        Training options of each model, without those of a variant.
    points : dict of SweepPoint
        Place of each model entry in the sweep; empty without a sweep.
    swept : dict of ModelSpec
        Models of the sweep as the file states them; empty without a sweep.

    Raises
    ------
    ConfigError
        If an option is not valid. The message names the file, the key and the closest valid key.
    """

    def __init__(self, path: Path, scale: str, spec: ExperimentSpec, where: str, unreduced: "Experiment | None" = None):
        self.path, self.name, self.scale, self.where, self.unreduced = path, path.stem, scale, where, unreduced
        self.points: dict[str, SweepPoint] = {}
        self.swept: dict[str, ModelSpec] = {}
        if spec.sweep:
            self.swept = spec.models
            models, self.points = expand_sweep(spec, where)
            spec = spec.model_copy(update={"models": models})
        self.spec = spec
        self._check_labels()
        dataset_type = registry.find("datasets", spec.dataset.name, f"{where}: dataset.name")
        self.task_name: str = dataset_type.task
        self.task: Task = registry.find("tasks", dataset_type.task, f"{where}: dataset {spec.dataset.name!r}")
        self.dataset_names = {key: self._name_dataset(key, variant) for key, variant in spec.variants.items()}
        self.datasets = {key: self._parse_dataset(key, variant) for key, variant in spec.variants.items()}
        self.models = {key: self._parse_model(key, model, {}) for key, model in spec.models.items()}
        self.training = {key: self._parse_training(key, model, {}) for key, model in spec.models.items()}
        self._varied = {key: self._parse_models(key, variant) for key, variant in spec.variants.items()}
        self._trained = {key: self._parse_trainings(key, variant) for key, variant in spec.variants.items()}
        self._check_hyperparameters()
        self._check_chosen_by()
        self._check_training()
        if unreduced is None:  # a scale may remove variants and models that the paper has
            if spec.paper:
                self._check_paper(spec.paper)
            for number, claim in enumerate(spec.claims):
                self._check_claim(claim, f"claims[{number}]")

    def trial(self, variant: str, model: str, seed: int) -> TrialSpec:
        """Return the trial at one point of the axes; ConfigError for a name that the experiment does not have."""
        for kind, key, valid in (("variant", variant, self.datasets), ("model", model, self.models)):
            if key not in valid:
                raise ConfigError(f"{self.where}: no {kind} {key!r}; {closest(key, valid)}")
        if not 0 <= seed < self.spec.seeds:
            raise ConfigError(f"{self.where}: no seed {seed}; there are {self.spec.seeds}, numbered from 0")
        return TrialSpec(
            experiment=self.name,
            scale=self.scale,
            variant=variant,
            model=model,
            seed=seed,
            task=self.task_name,
            dataset_name=self.dataset_names[variant],
            dataset=self.datasets[variant],
            model_name=self.spec.models[model].model or model,
            model_options=self._varied[variant][model],
            training=self._trained[variant][model] if self.task.trained else None,
            threads=self.spec.resources.threads,
            sweep=self.points.get(model),
            keep_model=self._keep_model(model),
        )

    def trials(self) -> list[TrialSpec]:
        """Return every trial of the table: variant × model × seed."""
        seeds = range(self.spec.seeds)
        return [self.trial(v, m, s) for v in self.datasets for m in self.models for s in seeds]

    def setting(self, model: str, key: str) -> Any:
        """Return the value of a hyperparameter or training option of a model; ConfigError for an unknown key."""
        settings = self._settings(model)
        if key not in settings:
            raise ConfigError(f"{self.where}: model {model!r} has no setting {key!r}; {closest(key, settings)}")
        return settings[key]

    def chosen_by(self, model: str) -> dict[str, str]:
        """Return the sweep that chose each setting of a model, by setting.

        Entries of the table hold for every model that has the setting; entries of the model replace them.
        """
        settings = self._settings(model)
        shared = {key: sweep for key, sweep in self.spec.chosen_by.items() if key in settings}
        return {**shared, **self.spec.models[model].chosen_by}

    def _settings(self, model: str) -> dict[str, Any]:
        """Hyperparameters and training options of a model."""
        return {**self.training[model].model_dump(), **self.models[model].model_dump()}

    def _keep_model(self, model: str) -> KeepModel:
        """Whether trials of a model keep their weights: as its entry says, otherwise as the table does."""
        entry = self.spec.models[model]
        return entry.keep_model or (self.spec.keep_model if self._has_weights(model) else "none")

    def _has_weights(self, model: str) -> bool:
        """Whether a model is trained by gradient descent."""
        return self.task.trained and (self.spec.models[model].model or model) in registry.names("models")

    def is_reduced(self, variant: str, model: str) -> bool:
        """Return whether the scale changes a setting that the numbers of this model depend on."""
        if self.unreduced is None:
            return False
        if model not in self.unreduced.models or variant not in self.unreduced.datasets:
            return True  # a value of a sweep, or an entry, that the scale adds
        return self.trial(variant, model, 0).settings() != self.unreduced.trial(variant, model, 0).settings()

    def _check_hyperparameters(self) -> None:
        """Each shared hyperparameter belongs to a model."""
        fields = {field for options in self.models.values() for field in type(options).model_fields}
        blocks = {"hyperparameters": self.spec.hyperparameters}
        for name, variant in self.spec.variants.items():
            blocks[f"variants.{name}.hyperparameters"] = variant.hyperparameters
        for place, block in blocks.items():
            for key in block.keys() - fields:
                raise ConfigError(f"{self.where}: unknown key '{place}.{key}'; {closest(key, fields)}")

    def _check_chosen_by(self) -> None:
        """Each setting that a sweep chose for the table belongs to a model."""
        settings = {key for model in self.models for key in self._settings(model)}
        for key in self.spec.chosen_by.keys() - settings:
            raise ConfigError(f"{self.where}: chosen_by: no model has a setting {key!r}; {closest(key, settings)}")

    def _check_training(self) -> None:
        """Training options belong to a task that trains, kept models to those that are trained by gradient descent."""
        spec = self.spec
        entries = [*spec.models.values(), *spec.variants.values()]
        states_training = spec.training != TrainingOptions() or any(entry.training for entry in entries)
        if states_training and not self.task.trained:
            raise ConfigError(
                f"{self.where}: trials of the task {self.task_name} do not read the key 'training'; remove it"
            )
        for key, model in spec.models.items():
            if model.keep_model == "best" and not self._has_weights(key):
                raise ConfigError(
                    f"{self.where}: models.{key}.keep_model: this model is not trained by gradient descent"
                )

    def _check_labels(self) -> None:
        labels = [model.label for model in self.spec.models.values()]
        if twice := [label for label in labels if labels.count(label) > 1]:
            raise ConfigError(
                f"{self.where}: two entries of 'models' have the label {twice[0]!r}; give each a label of its own"
            )

    def _name_dataset(self, key: str, variant: VariantSpec) -> str:
        """Name of the dataset of one variant; it has the task of the table's dataset, which decides the columns."""
        name = variant.dataset.get("name", self.spec.dataset.name)
        where = f"{self.where}: variants.{key}.dataset.name"
        if not isinstance(name, str):
            raise ConfigError(f"{where} = {name!r}: expected the name of a registered dataset")
        task = registry.find("datasets", name, where).task
        if task != self.task_name:
            raise ConfigError(
                f"{where}: {name!r} is a dataset of the task {task}, {self.spec.dataset.name!r} of the task "
                f"{self.task_name}; the variants of one table have datasets of one task"
            )
        return name

    def _parse_dataset(self, key: str, variant: VariantSpec) -> DatasetOptions:
        """Dataset options of one variant: those of the table, unless it names another dataset, then its own."""
        name = self.dataset_names[key]
        dataset_type = registry.find("datasets", name, self.where)
        shared = self.spec.dataset.options if name == self.spec.dataset.name else {}
        options = {**shared, **{option: value for option, value in variant.dataset.items() if option != "name"}}
        if "options" in options and "options" not in dataset_type.model_fields:
            raise ConfigError(f"{self.where}: dataset.options: state each option of the dataset beside its name")
        return parse(dataset_type, options, f"{self.where}: variants.{key}.dataset")

    def _parse_models(self, key: str, variant: VariantSpec) -> dict[str, Options]:
        """Hyperparameters of each model in one variant."""
        if not variant.hyperparameters:
            return self.models
        where = f"{self.where}: variants.{key}.hyperparameters"
        models = self.spec.models.items()
        return {name: self._parse_model(name, model, variant.hyperparameters, where) for name, model in models}

    def _parse_model(self, key: str, model: ModelSpec, varied: dict[str, Any], where: str = "") -> Options:
        """Hyperparameters of one model: those of the table, then those of the variant, then its own."""
        place = f"{self.where}: models.{key}"
        options = self.task.find_model(model.model or key, place)
        shared = {k: v for k, v in {**self.spec.hyperparameters, **varied}.items() if k in options.model_fields}
        return parse(options, {**shared, **model.hyperparameters}, where or f"{place}.hyperparameters")

    def _parse_trainings(self, key: str, variant: VariantSpec) -> dict[str, TrainingOptions]:
        """Training options of each model in one variant."""
        if not variant.training:
            return self.training
        where = f"{self.where}: variants.{key}.training"
        models = self.spec.models.items()
        return {name: self._parse_training(name, model, variant.training, where) for name, model in models}

    def _parse_training(self, key: str, model: ModelSpec, varied: dict[str, Any], where: str = "") -> TrainingOptions:
        """Training options of one model: those of the table, then those of the variant, then its own."""
        settings = {**self.spec.training.model_dump(), **varied, **model.training}
        return parse(TrainingOptions, settings, where or f"{self.where}: models.{key}.training")

    def _check_paper(self, paper: PaperSpec) -> None:
        metrics = {column.metric for column in self.task.columns}
        for key in paper.tolerance.keys() - metrics:
            raise ConfigError(f"{self.where}: unknown key 'paper.tolerance.{key}'; {closest(key, metrics)}")
        for variant, models in paper.values.items():
            axes = [(variant, self.spec.variants, "paper.values")]
            axes += [(model, self.spec.models, f"paper.values.{variant}") for model in models]
            axes += [(m, metrics, f"paper.values.{variant}.{model}") for model in models for m in models[model]]
            for key, valid, path in axes:
                if key not in valid:
                    raise ConfigError(f"{self.where}: unknown key '{path}.{key}'; {closest(key, valid)}")

    def _check_claim(self, claim: ClaimSpec, place: str) -> None:
        metrics = {column.metric for column in self.task.columns}
        axes = [(claim.metric or self.task.score, metrics, "metric"), (claim.model, self.spec.models, "model")]
        axes += [(model, self.spec.models, "better_than") for model in claim.better_than]
        axes += [(variant, self.spec.variants, "variants") for variant in claim.variants]
        if claim.model in claim.better_than:
            raise ConfigError(f"{self.where}: {place}.better_than: {claim.model!r} is the model of the claim itself")
        for name, valid, key in axes:
            if name not in valid:
                raise ConfigError(f"{self.where}: {place}.{key}: unknown name {name!r}; {closest(name, valid)}")
        if claim.times and self.task.prefers_high(claim.metric or self.task.score):
            raise ConfigError(f"{self.where}: {place}.times: ratios are of errors; state 'by' for a score")


def load_experiment(path: Path | str, scale: str) -> Experiment:
    """Load an experiment file at one scale.

    Parameters
    ----------
    path : Path or str
        The YAML file.
    scale : str
        smoke, quick, hour or paper. If the task trains models, the file must override something at the scales smoke
        and quick: without overrides they would train at the full size of the paper. The scale hour is only there if the
        file states it.

    Raises
    ------
    ConfigError
        The message names the file, the key and what to write instead.
    """
    path = Path(path)
    if scale not in SCALES:
        raise ConfigError(f"unknown scale {scale!r}; {closest(scale, SCALES)}")
    return _at_scale(path, read_yaml(path), scale)


def load_scales(path: Path | str) -> dict[str, Experiment]:
    """Load an experiment file at each of its scales. The file is read once.

    Raises
    ------
    ConfigError
        As `load_experiment`.
    """
    path = Path(path)
    content = read_yaml(path)
    return {scale: _at_scale(path, content, scale) for scale in _scales_of(content)}


def _at_scale(path: Path, content: dict, scale: str) -> Experiment:
    """The experiment of a file's content at one scale."""
    if "task" in content:
        raise ConfigError(f"{path}: unknown key 'task': the task follows from the dataset; remove the key")
    unreduced = Experiment(path, scale, parse(ExperimentSpec, content, str(path)), str(path))
    override = (content.get("scales") or {}).get(scale) or {}
    if not override:
        if scale in OPTIONAL:
            raise ConfigError(f"{path}: {lacks(scale)}")
        if scale != "paper" and unreduced.task.trained:
            raise ConfigError(
                f"{path}: scales.{scale} overrides nothing, so the {scale} scale would train at the full size of the "
                f"paper; state smaller settings under scales.{scale}"
            )
        return unreduced
    where = f"{path} (scale {scale})"
    for key in ("scales", "paper", "claims"):
        if key in override:
            raise ConfigError(f"{where}: a scale cannot override {key!r}")
    for table in ("variants", "models"):
        entries = override.get(table)
        for key in entries if isinstance(entries, dict) else ():
            if key not in content[table]:
                raise ConfigError(f"{where}: unknown key '{table}.{key}'; {closest(key, content[table])}")
    return Experiment(path, scale, parse(ExperimentSpec, merge(content, override), where), where, unreduced)


def scales_of(path: Path | str) -> list[str]:
    """Return the scales of an experiment file: all but the optional ones that it does not state."""
    return _scales_of(read_yaml(Path(path)))


def _scales_of(content: dict) -> list[str]:
    """The scales of the content of an experiment file."""
    stated = content.get("scales")
    stated = stated if isinstance(stated, dict) else {}  # _at_scale refuses anything else
    return [scale for scale in SCALES if scale not in OPTIONAL or stated.get(scale)]


def lacks(scale: str) -> str:
    """Return what to say of an experiment file that does not state an optional scale."""
    others = ", ".join(other for other in SCALES if other not in OPTIONAL)
    return f"no scale {scale}; state its settings under scales.{scale}, or choose {others}"
