"""Training of a registered model on arrays, by the trainer of the laboratory."""

import warnings
from dataclasses import dataclass
from numbers import Real

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

from hippo import registry
from hippo.config import ConfigError, parse
from hippo.data.dataset import Dataset, DatasetOptions, Part
from hippo.data.float32 import in_float32, times_in_float32
from hippo.lab.plan.training_options import TrainingOptions
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.training.batches import Batches
from hippo.lab.training.evaluation import predict
from hippo.lab.training.trainer import Trainer
from hippo.lab.trials.status import Status
from hippo.nn.build import build_model
from hippo.nn.device import resolve_device
from hippo.nn.sequence import SequenceModel


@dataclass(frozen=True)
class Standardization:
    """Means and scales of the channels (channels,) of training sequences."""

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, steps: np.ndarray) -> "Standardization":
        """Return means and standard deviations of steps (steps, channels); the scale of a constant channel is 1."""
        with np.errstate(over="ignore", invalid="ignore"):
            spread = steps.std(axis=0)
        if not np.isfinite(spread).all():
            raise ConfigError("the standard deviation of a channel is too large for float64; scale the series")
        varies = steps.min(axis=0) < steps.max(axis=0)  # the deviation of equal numbers is not 0, but a rounding error
        return cls(steps.mean(axis=0), np.where(varies & (spread > 0), spread, 1.0))


def fit(estimator, arrays: np.ndarray | list[np.ndarray], targets: np.ndarray, classes: int | None) -> None:
    """Train the model of an estimator and store in the estimator what `answer` needs.

    Parameters
    ----------
    estimator : SequenceClassifier or SequenceRegressor
        Its parameters say what is trained and how. Gets the fitted attributes.
    arrays : ndarray, shape (samples, length, channels), or list of ndarray, shape (length, channels)
        Sequences; with timestamps, the times are the last channel.
    targets : ndarray
        Classes int64 (samples,), or numbers float32 (samples, 1).
    classes : int or None
        Number of classes.

    Raises
    ------
    ConfigError
        If the model, a hyperparameter or a training option is not valid.
    ValueError
        If there are too few sequences for a validation part, all numbers to be predicted are equal, or training
        diverges in its first epoch.
    """
    name = type(estimator).__name__
    options = parse(
        registry.find("models", estimator.model, f"{name}: model"),
        estimator.hyperparameters or {},
        f"{name}: hyperparameters of {estimator.model!r}",
    )
    training = training_options(estimator)
    seed = int(check_random_state(estimator.random_state).randint(2**31))
    parts = split(targets, estimator.validation_fraction, classes, seed)
    if classes is None and not targets[parts["train"]].std() > 0:
        raise ValueError(f"all {len(parts['train'])} targets of the train part are equal: there is nothing to learn")
    estimator.standardization_ = _standardization(estimator, [arrays[i] for i in parts["train"]])
    estimator.channels_ = arrays[0].shape[1]
    dataset = Dataset(
        parts={key: pack(estimator, [arrays[i] for i in part], targets[part]) for key, part in parts.items()},
        classes=classes,
        source=f"{name}.fit",
    )
    trial = TrialSpec(
        experiment=name,
        scale="estimator",
        variant="fit",
        model=estimator.model,
        seed=seed,
        task="regression" if classes is None else "classification",
        dataset_name="arrays",
        dataset=DatasetOptions(),
        model_name=estimator.model,
        model_options=options,
        training=training,
        threads=torch.get_num_threads(),
        keep_model="best",
    )
    _train(estimator, trial, dataset, resolve_device(training.device))


def answer(estimator, arrays: np.ndarray | list[np.ndarray]) -> np.ndarray:
    """Return the outputs of the trained model, float64 (samples, outputs).

    Raises
    ------
    ValueError
        If the sequences have another number of channels than in `fit`.
    """
    channels = {array.shape[1] for array in arrays}
    if channels != {estimator.channels_}:
        raise ValueError(f"sequences have {sorted(channels)} channels; fitted on {estimator.channels_}")
    model, device = network(estimator), resolve_device(estimator.device)
    part = pack(estimator, list(arrays), np.zeros(len(arrays), np.int64))
    dataset = Dataset({"predict": part}, classes=1, source=f"{type(estimator).__name__}.predict")
    blocks = [answers.cpu() for _, answers in predict(model.to(device), Batches(dataset, "predict", device))]
    return torch.cat(blocks).double().numpy()


def network(estimator) -> SequenceModel:
    """Return the trained model of an estimator, on the CPU, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):  # initial weights, which are replaced, are random
        model = build_model(
            estimator.model,
            estimator.channels_ - (estimator.timestamps is not None),
            estimator.outputs_,
            timestamps=estimator.timestamps is not None,
            engine=training_options(estimator).engine,
            **(estimator.hyperparameters or {}),
        )
    model.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in estimator.weights_.items()})
    return model.eval()


def training_options(estimator) -> TrainingOptions:
    """Return the training options of an estimator: its parameters, and those in its parameter `training_options`."""
    names = ("epochs", "batch_size", "learning_rate", "early_stopping", "device")
    where, further = f"{type(estimator).__name__}: training_options", estimator.training_options or {}
    if not isinstance(further, dict):
        raise ConfigError(f"{where} is {further!r}; expected a dict")
    if twice := further.keys() & set(names):
        raise ConfigError(f"{where}: {', '.join(sorted(twice))}: expected as a parameter of the estimator itself")
    return parse(TrainingOptions, {key: getattr(estimator, key) for key in names} | further, where)


def split(targets: np.ndarray, fraction: float, classes: int | None, seed: int) -> dict[str, np.ndarray]:
    """Return the numbers of the samples of the train part and of the validation part.

    Classes are in both parts in equal shares if each has enough samples.
    """
    samples = len(targets)
    if not isinstance(fraction, Real) or not 0 < fraction < 1:
        raise ValueError(f"validation_fraction must be between 0 and 1, got {fraction!r}")
    if samples < 2:
        raise ValueError("one sequence cannot be divided into a train part and a validation part; pass at least two")
    held_out = min(max(1, round(fraction * samples)), samples - 1)
    stratify = None
    if classes is not None and np.bincount(targets).min() > 1 and classes <= min(held_out, samples - held_out):
        stratify = targets
    order = np.arange(samples)
    train, validation = train_test_split(order, test_size=held_out, stratify=stratify, random_state=seed)
    return {"train": train, "validation": validation}


def pack(estimator, arrays: list[np.ndarray], targets: np.ndarray) -> Part:
    """Return sequences (length, channels) as one part: standardized, padded, with times and true lengths.

    Raises
    ------
    ConfigError
        If a number is too large for float32, or times that differ are equal in float32.
    """
    lengths = np.array([len(array) for array in arrays])
    times = None
    if estimator.timestamps is not None:
        times = np.zeros((len(arrays), lengths.max()), np.float32)
        for row, array in zip(times, arrays, strict=True):
            row[: len(array)] = times_in_float32(array[:, -1], type(estimator).__name__)
        arrays = [array[:, :-1] for array in arrays]
    inputs = np.zeros((len(arrays), lengths.max(), arrays[0].shape[1]), np.float32)
    known = estimator.standardization_
    for row, array in zip(inputs, arrays, strict=True):
        row[: len(array)] = in_float32((array - known.mean) / known.scale, type(estimator).__name__)
    padded = (lengths < lengths.max()).any()
    return Part(inputs, targets, times, lengths.astype(np.int64) if padded else None)


def _standardization(estimator, arrays: list[np.ndarray]) -> Standardization:
    """Means and scales of the channels that are not times; 0 and 1 if the estimator takes its inputs as they are."""
    steps = np.concatenate(arrays)
    steps = steps if estimator.timestamps is None else steps[:, :-1]
    if not steps.shape[1]:
        raise ValueError(f"timestamps={estimator.timestamps!r}: the series hold times only, and no values")
    if not estimator.standardize:
        return Standardization(np.zeros(steps.shape[1]), np.ones(steps.shape[1]))
    return Standardization.of(steps)


def _train(estimator, trial: TrialSpec, dataset: Dataset, device: torch.device) -> None:
    """Run the training of a trial; store weights and history in the estimator."""
    history = History()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        trainer = Trainer(trial, dataset, progress=bool(estimator.verbose))
        outcome = trainer.run(history)
    weights, best_epoch = trainer.best_weights, outcome.get("best_epoch")
    reason = f"training diverged in epoch {outcome['epochs']}: {outcome.get('reason')}"
    if weights is None:
        raise ValueError(f"{reason}; lower learning_rate = {estimator.learning_rate}, or set a gradient_clip")
    if outcome["status"] == Status.DIVERGED:
        warnings.warn(f"{reason}; the weights are those of epoch {best_epoch}", ConvergenceWarning, stacklevel=5)
    estimator.outputs_, estimator.best_epoch_, estimator.history_ = trainer.objective.outputs, best_epoch, history.rows
    estimator.weights_ = {key: value.cpu().numpy() for key, value in weights.items()}


class History:
    """Recorder of a training: keeps the numbers of each epoch, and writes no file.

    Attributes
    ----------
    rows : list of dict
        Numbers of each epoch.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def epoch(self, row: dict[str, float]) -> None:
        """Store the numbers of one epoch."""
        self.rows.append(row)

    def pause(self, state) -> None:
        """Do nothing: there are no checkpoints."""

    def save(self, state: dict) -> None:
        """Do nothing: the trainer keeps the weights of the best epoch."""
