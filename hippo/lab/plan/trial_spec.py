"""Trial specification: one training, fully resolved, with typed options. The only place that (de)serializes a trial."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import yaml
from pydantic import NonNegativeInt, PositiveInt

from hippo import registry
from hippo.config import ConfigError, Options, parse
from hippo.data.dataset import DatasetOptions
from hippo.lab.plan.schema import KeepModel, Scale
from hippo.lab.plan.sweep_points import SweepPoint
from hippo.lab.plan.training_options import TrainingOptions


@dataclass(frozen=True)
class TrialSpec:
    """One trial: experiment × variant × model × seed at one scale, with every option resolved.

    Parameters
    ----------
    experiment, scale, variant, model : str
        Axes of the trial. `model` is the name of the entry in the experiment file (a line of the table).
    seed : int
        Number of the trial among those of equal axes.
    task : str
        Registered task.
    dataset_name, dataset
        Registered dataset and its options.
    model_name, model_options
        Registered model, classifier or reconstruction method, and its hyperparameters.
    training : TrainingOptions or None
        None for a task that trains no model.
    threads : int
        CPU threads. They change no setting that the numbers depend on.
    sweep : SweepPoint or None
        Place in a sweep.
    keep_model : str
        `best` if the folder keeps the weights of the best validation score, or `none`. It changes no number, so that it
        is in no digest.
    """

    experiment: str
    scale: str
    variant: str
    model: str
    seed: int
    task: str
    dataset_name: str
    dataset: DatasetOptions
    model_name: str
    model_options: Options
    training: TrainingOptions | None
    threads: int
    sweep: SweepPoint | None = None
    keep_model: KeepModel = "none"

    @property
    def name(self) -> str:
        """Path of the trial's folder inside the folder of all trials of a scale."""
        return f"{self.experiment}/{self.variant}/{self.model}/seed{self.seed}"

    @cached_property
    def digest(self) -> str:
        """Short digest of every setting that the numbers depend on. Equal digests are the same trial.

        The keys are those of the first release: published outcomes carry digests of exactly this content.
        """
        content = {
            "experiment": self.experiment,
            "scale": self.scale,
            "variant": self.variant,
            "row": self.model,
            "seed": self.seed,
            "task": self.task,
            "dataset": self.dataset_settings,
            "model": {"name": self.model_name, **self.model_options.digest_content()},
            "training": self.training.digest_content() if self.training else {},
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def dataset_settings(self) -> dict:
        """Name and options that identify the prepared dataset of this trial (`Dataset.options`)."""
        return {"name": self.dataset_name, **self.dataset.digest_content()}

    @property
    def entropy(self) -> int:
        """Root of the trial's randomness, from its named axes: adding a model changes no other model's numbers."""
        axes = f"{self.experiment}/{self.variant}/{self.seed}"
        return int.from_bytes(hashlib.sha256(axes.encode()).digest()[:8], "big")

    @property
    def epochs(self) -> int:
        """Number of epochs; 1 for a trial that trains no model."""
        return self.training.epochs if self.training else 1

    def settings(self) -> dict[str, dict]:
        """Return the options by block, as JSON values: dataset, model and training."""
        return {
            "dataset": {"name": self.dataset_name, **self.dataset.model_dump(mode="json")},
            "model": {"name": self.model_name, **self.model_options.model_dump(mode="json")},
            "training": self.training.model_dump(mode="json") if self.training else {},
        }

    def to_mapping(self) -> dict:
        """Return the trial as a mapping of JSON values."""
        settings = self.settings()
        return {
            "experiment": self.experiment,
            "scale": self.scale,
            "variant": self.variant,
            "model": self.model,
            "seed": self.seed,
            "task": self.task,
            "dataset": settings["dataset"],
            "model_options": settings["model"],
            "training": settings["training"],
            "threads": self.threads,
            "sweep": asdict(self.sweep) if self.sweep else None,
            **({"keep_model": self.keep_model} if self.keep_model != "none" else {}),
        }

    def to_yaml(self) -> str:
        """Return the text of trial.yaml."""
        return yaml.safe_dump(self.to_mapping(), sort_keys=False)

    @classmethod
    def from_mapping(cls, content: dict, where: str) -> "TrialSpec":
        """Build the trial that `to_mapping` described, or one in the form of the first release.

        Parameters
        ----------
        content : dict
            Content of trial.yaml.
        where : str
            Name of the file, for error messages.

        Raises
        ------
        ConfigError
            If a key is missing or unknown, or an option is not valid.
        """
        content = rename_first_release_keys(content)
        stored = parse(_StoredTrial, content, where)
        task = registry.find("tasks", stored.task, f"{where}: task")
        dataset_name, dataset = _split(stored.dataset, f"{where}: dataset")
        model_name, model_options = _split(stored.model_options, f"{where}: model_options")
        training = parse(TrainingOptions, stored.training, f"{where}: training") if task.trained else None
        return cls(
            experiment=stored.experiment,
            scale=stored.scale,
            variant=stored.variant,
            model=stored.model,
            seed=stored.seed,
            task=stored.task,
            threads=stored.threads,
            dataset_name=dataset_name,
            dataset=parse(registry.find("datasets", dataset_name, where), dataset, f"{where}: dataset"),
            model_name=model_name,
            model_options=parse(task.find_model(model_name, where), model_options, f"{where}: model_options"),
            training=training,
            sweep=stored.sweep,
            keep_model=stored.keep_model,
        )


class _StoredTrial(Options):
    """Content of trial.yaml, with blocks of options that are not parsed yet."""

    experiment: str
    scale: Scale
    variant: str
    model: str
    seed: NonNegativeInt
    task: str
    dataset: dict[str, Any]
    model_options: dict[str, Any]
    training: dict[str, Any]
    threads: PositiveInt
    sweep: SweepPoint | None
    keep_model: KeepModel = "none"


def _split(block: dict, where: str) -> tuple[str, dict]:
    """Name and options of a block of settings."""
    if not isinstance(block.get("name"), str):
        raise ConfigError(f"{where}: expected a mapping with a name, got {block!r}")
    return block["name"], {key: value for key, value in block.items() if key != "name"}


def rename_first_release_keys(content: dict) -> dict:
    """Return the content of a trial.yaml with the keys of the first release (row, model, sweep.of) under new names."""
    content = dict(content)
    if "row" not in content:
        return content
    content["model_options"] = content.pop("model", None)
    content["model"] = content.pop("row")
    sweep = content.get("sweep")
    if isinstance(sweep, dict):
        content["sweep"] = {"model": sweep.get("of"), "key": sweep.get("key"), "value": sweep.get("value")}
    return content
