"""A classifier from the model that a trial of the laboratory kept."""

from pathlib import Path

import numpy as np

from hippo.config import ConfigError
from hippo.estimators.training import Standardization
from hippo.nn.model_file import load_model
from hippo.nn.sequence import SequenceModel

TRAINED_BY = ("epochs", "batch_size", "learning_rate", "early_stopping")  # parameters of the estimator itself


def restore(kind: type, place: Path | str, device: str):
    """Return a fitted classifier of the class `kind` with the weights of a trial.

    Parameters
    ----------
    kind : type
        SequenceClassifier, or a class derived from it.
    place : Path or str
        Folder of the trial, or its model.pt.
    device : str
        Where the classifier computes.

    Raises
    ------
    ConfigError
        If the trial kept no model, or the model does not classify sequences of numbers.
    """
    model, metadata = load_model(place)
    if not {"settings", "example", "input_scale"} <= metadata.keys():
        raise ConfigError(f"{place}: not the model of a trial; hippo.nn.load_model loads it")
    if metadata["classes"] is None or metadata["return_sequence"]:
        raise ConfigError(f"{place}: this model does not classify sequences")
    if metadata["vocabulary"] is not None or metadata["documents"] != 1 or metadata["missing_values"]:
        raise ConfigError(f"{place}: this model reads tokens, pairs or missing values; series of sktime hold numbers")

    class Restored(kind):
        def _fit(self, X, y):
            _take_over(self, model, metadata)
            return self

    settings = metadata["settings"]["training"]
    own = {key: settings.pop(key) for key in TRAINED_BY}
    settings.pop("device", None)
    classifier = Restored(
        metadata["model"],
        model.options.model_dump(),
        standardize=False,
        timestamps="channel" if metadata["timestamps"] else None,
        training_options=settings,
        device=device,
        random_state=metadata["settings"]["seed"],
        **own,
    )
    # sktime records in `fit` which series and classes an estimator knows: here those of one sample of the trial.
    classifier.fit(_panel(metadata), np.arange(metadata["classes"]))
    classifier.__class__ = kind
    return classifier


def _take_over(classifier, model: SequenceModel, metadata: dict) -> None:
    """Set the attributes that a training would have set."""
    channels = metadata["input_size"]
    classifier.standardization_ = Standardization(np.zeros(channels), np.full(channels, 1 / metadata["input_scale"]))
    classifier.channels_ = channels + int(metadata["timestamps"])
    classifier.outputs_ = metadata["output_size"]
    classifier.weights_ = {key: value.numpy().copy() for key, value in model.state_dict().items()}
    classifier.best_epoch_, classifier.history_ = metadata["best_epoch"], []


def _panel(metadata: dict) -> np.ndarray:
    """The sample of the trial, once for each class, as sktime's numpy3D (samples, channels, length)."""
    example = metadata["example"]
    steps = example["inputs"].double().numpy()  # (1, length, channels)
    if metadata["timestamps"]:
        steps = np.concatenate([steps, example["times"].double().numpy()[..., None]], axis=2)
    return np.repeat(steps.transpose(0, 2, 1), metadata["classes"], axis=0)
