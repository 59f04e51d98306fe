"""One experiment file says everything about one table; here it becomes validated trials.

Free of torch: the workflow reads experiment files while it parses its DAG.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, StringConstraints

from hippo import registry
from hippo.config import ConfigError, Options, closest, parse
from hippo.lab.plan.tasks import TASKS
from hippo.nn.engine.options import EngineOptions

Scale = Literal["smoke", "quick", "paper"]
SCALES: tuple[str, ...] = ("smoke", "quick", "paper")


class Training(EngineOptions):
    """How a model is trained: Adam, cross-entropy, no schedule; and how the engine runs it."""

    epochs: PositiveInt = Field(50, description="passes over the training part")
    batch_size: PositiveInt = Field(100, description="samples per optimiser step")
    learning_rate: PositiveFloat = Field(1e-3, description="Adam's step size")
    device: str = Field("auto", description="auto (a CUDA device where there is one), cpu, cuda, cuda:1, …")


class Resources(Options):
    """What one trial asks of the machine it runs on."""

    threads: PositiveInt = Field(1, description="CPU threads; the trial uses no more")
    mem_mb: PositiveInt = Field(3000, description="memory, MB")
    runtime: PositiveInt = Field(60, description="time limit on a cluster, minutes")
    gpu: NonNegativeInt = Field(0, description="GPUs")


# Names become folders, rule wildcards and words of shell commands.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class Variant(Options):
    """One variant of the dataset: a section of the table."""

    label: str = Field(description="name in the table")
    dataset: dict[str, Any] = Field({}, description="dataset options of this variant")


class Row(Options):
    """One model of the table."""

    label: str = Field(description="name in the table")
    model: str | None = Field(None, description="registered model; by default the row's own name")
    hyperparameters: dict[str, Any] = Field({}, description="hyperparameters of this model")
    training: dict[str, Any] = Field({}, description="training settings of this model alone")
    chosen_by: dict[str, str] = Field({}, description="setting → the sweep whose validation chose its value")


class Sweep(Options):
    """A grid over one setting: every model of the experiment becomes one row per value."""

    block: Literal["hyperparameters", "training"] = Field(description="where the setting stands")
    key: str = Field(description="name of the setting")
    label: str = Field(description="name of the setting in tables and figures")
    values: list[bool | int | float | str] = Field(min_length=2, description="the grid")


class DatasetChoice(Options):
    """The dataset and the options that all variants share."""

    name: str = Field(description="registered dataset")
    options: dict[str, Any] = Field({}, description="dataset options")


Share = Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)?%$")]


class Paper(Options):
    """What the paper prints for this table: values by variant, row and metric, in the table's units."""

    source: str = Field(description="publication and table")
    tolerance: dict[str, PositiveFloat | Share] = Field(
        {}, description="metric → difference within which ours reproduces it, in the table's units or as 10% of it"
    )
    values: dict[str, dict[str, dict[str, int | float]]] = Field({}, description="variant → row → metric → value")
    note: str = Field("", description="what a reader should know about these values")


class Plan(Options):
    """What an experiment file states; `scales` override any of it but the paper's values."""

    title: str = Field(description="title of the table")
    task: Literal["classification", "regression", "reconstruction"] = Field(description="what a trial does")
    dataset: DatasetChoice
    variants: dict[Name, Variant] = Field(min_length=1)
    models: dict[Name, Row] = Field(min_length=1)
    hyperparameters: dict[str, Any] = Field({}, description="hyperparameters of every model that has them")
    training: Training = Training()
    resources: Resources = Resources()
    seeds: PositiveInt = Field(1, description="trials of each model and variant")
    sweep: Sweep | None = Field(None, description="a grid over one setting; the experiment is then no table of its own")
    scales: dict[Scale, dict[str, Any]] = Field({}, description="what each scale overrides; null leaves a key out")
    paper: Paper | None = None


class Trial(Options):
    """One trial, wholly resolved: what `trial.yaml` holds."""

    experiment: str
    scale: Scale
    variant: str
    row: str
    seed: NonNegativeInt
    task: str
    dataset: dict[str, Any]
    model: dict[str, Any]
    training: dict[str, Any]
    threads: PositiveInt
    sweep: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """Where the trial stands among its experiment's trials, and how a person calls it."""
        return f"{self.experiment}/{self.variant}/{self.row}/seed{self.seed}"

    @property
    def digest(self) -> str:
        """Short digest of every setting that its numbers depend on: equal digests are the same trial."""
        canonical = json.dumps(self.model_dump(exclude={"threads", "sweep"}), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    @property
    def entropy(self) -> int:
        """Root of the trial's randomness, from named axes: adding a model changes no other model's numbers."""
        axes = f"{self.experiment}/{self.variant}/{self.seed}"
        return int.from_bytes(hashlib.sha256(axes.encode()).digest()[:8], "big")


class Point(Row):
    """One model at one value of a sweep: `place` says which, `line` is the model's name in the curve."""

    place: dict[str, Any]
    line: str


def format_value(value: bool | int | float | str) -> str:
    """A value of a grid, as short as it can be told apart from any other."""
    if not isinstance(value, float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _points(plan: Plan, where: str) -> dict[str, Point]:
    """Every model at every value of the plan's sweep, by row name; none without a sweep."""
    if not plan.sweep:
        return {}
    sweep, points = plan.sweep, {}
    for value in sweep.values:
        if not re.fullmatch(r"[A-Za-z0-9_.+-]+", format_value(value)) or sweep.values.count(value) > 1:
            raise ConfigError(f"{where}: sweep.values: {value!r} cannot name a trial, or stands twice")
    for name, row in plan.models.items():
        for value in sweep.values:
            settings = row.model_dump(exclude_unset=True) | {"model": row.model or name}
            settings[sweep.block] = {**settings.get(sweep.block, {}), sweep.key: value}
            settings["label"] = f"{row.label}, {sweep.label} = {format_value(value)}"
            place = {"of": name, "key": sweep.key, "value": value}
            points[f"{name}.{sweep.key}-{format_value(value)}"] = Point(**settings, place=place, line=row.label)
    return points


class Experiment:
    """An experiment at one scale: its variants, rows and trials, validated to the last hyperparameter."""

    def __init__(self, path: Path, scale: str, plan: Plan, where: str, full: "Experiment | None" = None):
        """Resolve every option of `plan`, which stands in `path`; ConfigError names `where` and the key.

        `full` is the experiment without what the scale overrides, where it overrides anything.
        """
        self.path, self.name, self.scale, self.where, self.full = path, path.stem, scale, where, full
        self.points = _points(plan, where)
        self.plan = plan = plan.model_copy(update={"models": self.points or plan.models})
        labels = [row.label for row in plan.models.values()]
        if twice := [label for label in labels if labels.count(label) > 1]:
            raise ConfigError(
                f"{where}: two rows of 'models' have the label {twice[0]!r}; a reader could not tell them apart"
            )
        self.task = TASKS[plan.task]
        self.datasets = {key: self._dataset(key, variant) for key, variant in plan.variants.items()}
        self.models = {key: self._model(key, row) for key, row in plan.models.items()}
        self.training = {key: self._training(key, row) for key, row in plan.models.items()}
        known = {field for options in self.models.values() for field in type(options).model_fields}
        for key in self.plan.hyperparameters.keys() - known:
            raise ConfigError(f"{where}: unknown key 'hyperparameters.{key}'; {closest(key, known)}")
        if not self.task.trained and plan.training != Training():
            raise ConfigError(f"{where}: key 'training' is read by no {plan.task} trial; remove it")
        if plan.paper and full is None:  # a scale may leave out what the paper has
            self._check_paper(plan.paper)

    def trial(self, variant: str, row: str, seed: int) -> Trial:
        """The trial at one point of the axes; ConfigError for a name that this experiment does not have."""
        for kind, key, valid in (("variant", variant, self.datasets), ("model", row, self.models)):
            if key not in valid:
                raise ConfigError(f"{self.where}: no {kind} {key!r}; {closest(key, valid)}")
        if seed >= self.plan.seeds:
            raise ConfigError(f"{self.where}: no seed {seed}; seeds: {self.plan.seeds} are numbered from 0")
        dataset = {"name": self.plan.dataset.name, **self.datasets[variant].model_dump(mode="json")}
        model = {"name": self.plan.models[row].model or row, **self.models[row].model_dump()}
        return Trial(
            experiment=self.name,
            scale=self.scale,
            variant=variant,
            row=row,
            seed=seed,
            task=self.plan.task,
            dataset=dataset,
            model=model,
            training=self.training[row].model_dump() if self.task.trained else {},
            threads=self.plan.resources.threads,
            sweep=self.points[row].place if self.points else None,
        )

    def trials(self) -> list[Trial]:
        """Every trial of the table: variant × row × seed."""
        seeds = range(self.plan.seeds)
        return [self.trial(v, r, s) for v in self.datasets for r in self.models for s in seeds]

    def setting(self, row: str, key: str) -> Any:
        """The value of a hyperparameter or training setting of a row."""
        return {**self.training[row].model_dump(), **self.models[row].model_dump()}[key]

    def reduced(self, variant: str, row: str) -> bool:
        """Whether the scale changes any setting that this row's numbers depend on."""
        if self.full is None:
            return False
        ours, theirs = (e.trial(variant, row, 0) for e in (self, self.full))
        return any(getattr(ours, block) != getattr(theirs, block) for block in ("dataset", "model", "training"))

    def _dataset(self, key: str, variant: Variant) -> Options:
        where = f"{self.where}: variants.{key}.dataset"
        options = registry.find("datasets", self.plan.dataset.name, f"{self.where}: dataset.name")
        if options.task != self.plan.task:
            raise ConfigError(f"{self.where}: task {self.plan.task!r} cannot use dataset {self.plan.dataset.name!r}")
        return parse(options, {**self.plan.dataset.options, **variant.dataset}, where)

    def _model(self, key: str, row: Row) -> Options:
        where = f"{self.where}: models.{key}"
        options = self.task.model(row.model or key, where)
        shared = {k: v for k, v in self.plan.hyperparameters.items() if k in options.model_fields}
        return parse(options, {**shared, **row.hyperparameters}, f"{where}.hyperparameters")

    def _training(self, key: str, row: Row) -> Training:
        settings = {**self.plan.training.model_dump(), **row.training}
        return parse(Training, settings, f"{self.where}: models.{key}.training")

    def _check_paper(self, paper: Paper) -> None:
        metrics = {column.metric for column in self.task.columns}
        for key in paper.tolerance.keys() - metrics:
            raise ConfigError(f"{self.where}: unknown key 'paper.tolerance.{key}'; {closest(key, metrics)}")
        for variant, rows in paper.values.items():
            axes = [(variant, self.plan.variants, "paper.values")]
            axes += [(row, self.plan.models, f"paper.values.{variant}") for row in rows]
            axes += [(m, metrics, f"paper.values.{variant}.{row}") for row in rows for m in rows[row]]
            for key, valid, path in axes:
                if key not in valid:
                    raise ConfigError(f"{self.where}: unknown key '{path}.{key}'; {closest(key, valid)}")


def load(path: Path | str, scale: str) -> Experiment:
    """The experiment in the YAML file `path` at `scale`; ConfigError names the file, the key and what to write."""
    path = Path(path)
    if scale not in SCALES:
        raise ConfigError(f"unknown scale {scale!r}; {closest(scale, SCALES)}")
    stated = read_yaml(path)
    full = Experiment(path, scale, parse(Plan, stated, str(path)), str(path))
    override = (stated.get("scales") or {}).get(scale) or {}
    if not override:
        return full
    where = f"{path} (scale {scale})"
    for key in ("scales", "paper"):
        if key in override:
            raise ConfigError(f"{where}: a scale cannot override {key!r}")
    for table in ("variants", "models"):
        for key in override.get(table) or {}:
            if key not in stated[table]:
                raise ConfigError(f"{where}: unknown key '{table}.{key}'; {closest(key, stated[table])}")
    return Experiment(path, scale, parse(Plan, _merge(stated, override), where), where, full)


class _EachKeyOnce(yaml.SafeLoader):
    """YAML's safe loader, but for a key that stands twice: of two it would silently take the last."""

    def construct_mapping(self, node, deep=False):
        """As the safe loader's; ConstructorError for a key that stands twice."""
        seen = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} stands twice", key.start_mark)
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def _beside(path: Path) -> str:
    """What to name instead of an absent YAML file."""
    if not path.parent.is_dir():
        return f"nor is there a folder {path.parent}; start in the project's folder, or name another file"
    present = [p.name for p in path.parent.glob("*.yaml")]
    return closest(path.name, present) if present else f"there is no YAML file in {path.parent}; name another file"


def read_yaml(path: Path) -> dict:
    """The mapping in a YAML file; ConfigError if it is absent, not YAML or not a mapping."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_EachKeyOnce)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; {_beside(path)}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected a mapping of keys, found {type(content).__name__}")
    return content


def _merge(base: dict, override: dict) -> dict:
    """`base` with `override` laid over it, mapping by mapping; null leaves a key out (RFC 7396, JSON merge patch)."""
    merged = dict(base)
    for key, value in override.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = _merge(base[key], value) if both else value
    return {key: value for key, value in merged.items() if value is not None or key not in override}
