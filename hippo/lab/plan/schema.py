"""Schema of an experiment file: what may be stated, with types, defaults and descriptions."""

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, ConfigDict, Field, PositiveFloat, StringConstraints, model_validator

from hippo.config import Options
from hippo.lab.plan.training_options import TrainingOptions

Scale = Literal["smoke", "quick", "hour", "paper"]
SCALES: tuple[str, ...] = get_args(Scale)
OPTIONAL = ("hour",)  # scales that exist only in experiments that state them
LONGEST_NAME = 64  # characters; a name becomes a folder


def _check_name(name: str) -> str:
    """Names become folders, wildcards of rules and words of shell commands."""
    if len(name) > LONGEST_NAME or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise ValueError(
            f"name {name[:LONGEST_NAME]!r} is not valid: use letters, digits, '_', '.' and '-', begin with a letter or "
            f"digit, at most {LONGEST_NAME} characters"
        )
    return name


Name = Annotated[str, AfterValidator(_check_name)]
KeepModel = Literal["none", "best"]
Percent = Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)?%$")]


class Resources(Options):
    """Resources that one trial requests from the machine or the cluster."""

    threads: int = Field(1, ge=1, le=1024, description="CPU threads; the trial uses no more")
    mem_mb: int = Field(3000, ge=1, le=100_000_000, description="memory, MB")
    runtime: int = Field(60, ge=1, le=1_000_000, description="time limit on a cluster, minutes")
    gpu: int = Field(0, ge=0, le=64, description="GPUs")


class DatasetSpec(Options):
    """The dataset, and beside its name the options that all variants share."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = Field(description="registered dataset; all other keys are its options")

    @property
    def options(self) -> dict[str, Any]:
        """Options that all variants share."""
        return dict(self.model_extra or {})


class VariantSpec(Options):
    """One variant of the dataset, or another dataset: a section of the table."""

    label: str = Field(description="name in the table")
    dataset: dict[str, Any] = Field(
        {},
        description="dataset options of this variant; with a name, another dataset of the same task, to which the "
        "options of the table do not apply",
    )
    hyperparameters: dict[str, Any] = Field({}, description="hyperparameters of every model that has them, here only")
    training: dict[str, Any] = Field({}, description="training options of this variant only; those of a model precede")


class ModelSpec(Options):
    """One model of the table: a line in every section."""

    label: str = Field(description="name in the table")
    model: str | None = Field(None, description="registered model; by default the name of this entry")
    hyperparameters: dict[str, Any] = Field({}, description="hyperparameters of this model")
    training: dict[str, Any] = Field({}, description="training options of this model only")
    keep_model: KeepModel | None = Field(None, description="as for the table, for this model only")
    chosen_by: dict[str, str] = Field({}, description="setting → the sweep whose validation score chose its value")


class SweepSpec(Options):
    """A grid over one setting: every model of the experiment is trained at every value."""

    block: Literal["hyperparameters", "training"] = Field(description="block that holds the setting")
    key: str = Field(description="name of the setting")
    label: str = Field(description="name of the setting in tables and figures")
    values: list[bool | int | float | str] = Field(min_length=2, description="the grid")


class PaperSpec(Options):
    """Values that the paper prints for this table, by variant, model and metric, in the table's units.

    With another `heading`, values that someone computed in another way.
    """

    source: str = Field(description="publication and table, or how the values were computed")
    heading: str = Field("paper", description="name of their column; other than 'paper' if no paper prints them")
    tolerance: dict[str, PositiveFloat | Percent] = Field(
        {}, description="metric → largest difference of a reproduced value, in the table's units or as 10% of it"
    )
    values: dict[str, dict[str, dict[str, int | float]]] = Field({}, description="variant → model → metric → value")
    note: str = Field("", description="what a reader should know about these values")


class ClaimSpec(Options):
    """A sentence of a paper as a check of the table: a model is better than others, or keeps to a bound."""

    sentence: str = Field(description="what is claimed, in words of our own")
    source: str = Field(description="publication and place")
    headline: str | None = Field(
        None, description="short form, with which the claim stands in README.md; null: it does not"
    )
    model: Name = Field(description="the model of which it is claimed")
    metric: str | None = Field(None, description="metric that is compared; null: the score of the task")
    variants: list[Name] = Field([], description="variants in which it is claimed; none: all")
    better_than: list[Name] = Field([], description="models that it is better than")
    by: float = Field(0, ge=0, description="by how much at least, in the table's units")
    times: float | None = Field(
        None, ge=1, description="instead of `by`: the others' errors are this many times its own"
    )
    at_least: float | None = Field(None, description="lower bound of its number, in the table's units")
    at_most: float | None = Field(None, description="upper bound of its number, in the table's units")
    seeds: int = Field(2, ge=1, description="fewest seeds for a verdict; 1 for numbers that are computed, not trained")

    @property
    def bound(self) -> float:
        """What the compared value must reach, or stay below if `at_most` is stated."""
        bound = self.at_most if self.at_most is not None else self.at_least
        return (self.times or self.by) if bound is None else bound

    @property
    def equality(self) -> float:
        """What the compared value is if two models are equally good."""
        return 1 if self.times else 0

    @model_validator(mode="after")
    def _check_kind(self) -> "ClaimSpec":
        stated = [bool(self.better_than), self.at_least is not None, self.at_most is not None]
        if sum(stated) != 1:
            raise ValueError("state exactly one of better_than, at_least and at_most")
        if (self.by or self.times) and not self.better_than:
            raise ValueError("'by' and 'times' belong to better_than; state at_least or at_most alone")
        if self.by and self.times:
            raise ValueError("state 'by' or 'times', not both")
        return self


class ExperimentSpec(Options):
    """Content of an experiment file. `scales` override any key except `paper` and `claims`."""

    title: str = Field(description="title of the table")
    dataset: DatasetSpec
    variants: dict[Name, VariantSpec] = Field(min_length=1)
    models: dict[Name, ModelSpec] = Field(min_length=1)
    hyperparameters: dict[str, Any] = Field({}, description="hyperparameters of every model that has them")
    training: TrainingOptions = TrainingOptions()
    resources: Resources = Resources()
    keep_model: KeepModel = Field(
        "none",
        description="best: each trial keeps the weights of its best validation score in model.pt, if it trains a model "
        "by gradient descent; no number depends on it",
    )
    seeds: int = Field(1, ge=1, le=10_000, description="trials of each model and variant")
    position: int | None = Field(
        None,
        exclude=True,  # where a table stands changes nothing in it
        description="place among the tables of a page: in ascending order, then those without a position, by name",
    )
    overview: bool = Field(False, description="begin with the scores of all variants side by side, and their mean")
    chosen_by: dict[str, str] = Field({}, description="as in a model's entry, for all models")
    sweep: SweepSpec | None = Field(None, description="a grid over one setting; the file then describes no table")
    scales: dict[Scale, dict[str, Any]] = Field(
        {}, description="overrides of each scale; null removes a mapping, such as a model"
    )
    paper: PaperSpec | None = None
    claims: list[ClaimSpec] = Field([], description="sentences of papers that the table checks")
