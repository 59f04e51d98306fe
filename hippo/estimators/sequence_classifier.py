"""sktime classifier: a registered model, trained by the trainer of the laboratory."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import softmax
from sktime.classification.base import BaseClassifier

from hippo.estimators import training
from hippo.estimators.from_trial import restore
from hippo.estimators.panels import SEQUENCE_TAGS, read
from hippo.estimators.trained_estimator import TrainedEstimator


class SequenceClassifier(TrainedEstimator, BaseClassifier):
    """Classify series by a registered model that is trained by gradient descent.

    Parameters
    ----------
    model : str, default "legs"
        Name of a registered model; see `hippo.nn.available_models`.
    hyperparameters : dict, optional
        Hyperparameters of the model, such as ``{"hidden_size": 64}``.
    epochs : int, default 50
        Largest number of passes over the train part.
    batch_size : int, default 100
        Samples per optimizer step.
    learning_rate : float, default 1e-3
        Learning rate of the optimizer.
    early_stopping : int or None, default 10
        Epochs without a better validation score after which training ends; None: never.
    validation_fraction : float, default 0.2
        Fraction of the series that is held out of training. The weights are those of the epoch with the best
        validation score.
    standardize : bool, default True
        Whether channels are standardized by their mean and standard deviation over the train part.
    timestamps : {"index", "channel"}, optional
        Where the times of the samples are: in the index of the series, counted from its first entry, or in its last
        channel. Default: samples are evenly spaced. A model that does not read times receives them as a channel.
    training_options : dict, optional
        Further options of the laboratory's trainer: optimizer, weight_decay, schedule, warmup_steps, gradient_clip,
        precision, checkpoint.
    device : str, default "auto"
        "auto" (a CUDA device if there is one), "cpu", "cuda", "cuda:1", and so on.
    verbose : int, default 0
        0: no output. 1: a progress bar on the standard error.
    random_state : int, RandomState or None, default None
        Seed of the division into parts, the initial weights and the order of samples. An int gives equal results in
        every call.

    Attributes
    ----------
    weights_ : dict of ndarray
        Weights of the model at the best epoch. `network` returns the model itself.
    best_epoch_ : int
        Number of that epoch, from 1.
    history_ : list of dict
        Loss and score of both parts, and seconds, of each epoch.

    See Also
    --------
    hippo.nn.build_model : The model as a torch module, for a training loop of your own.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo.estimators import SequenceClassifier
    >>> panel = np.random.default_rng(0).normal(size=(20, 1, 50))  # (samples, channels, length)
    >>> panel[10:] += 3 * np.sin(np.arange(50))
    >>> labels = np.repeat(["noise", "wave"], 10)
    >>> classifier = SequenceClassifier("gru", {"hidden_size": 8}, epochs=2, random_state=0).fit(panel, labels)
    >>> classifier.predict_proba(panel).shape
    (20, 2)
    """

    _tags = {**SEQUENCE_TAGS, "capability:predict_proba": True}

    @classmethod
    def from_trial(cls, place: Path | str, device: str = "auto") -> "SequenceClassifier":
        """Return a fitted classifier with the model that a trial of the laboratory kept.

        Parameters
        ----------
        place : Path or str
            Folder of a trial that was trained with ``keep_model: best``, or its model.pt.
        device : str, default "auto"
            Where the classifier computes.

        Returns
        -------
        SequenceClassifier
            Its series are those of the prepared dataset: unscaled, (samples, channels, length), with times as the last
            channel if the model reads them. Its classes are the numbers from 0.

        Raises
        ------
        ConfigError
            If the trial kept no model, or the model does not classify sequences of numbers.
        """
        return restore(cls, place, device)

    def _fit(self, X, y):
        """Train the model."""
        if pd.isna(y).any():
            raise ValueError("y contains missing values; expected a class for each series")
        targets = np.unique(y, return_inverse=True)[1].astype(np.int64)
        training.fit(self, read(self, X, fitting=True), targets, classes=len(self.classes_))
        return self

    def _predict_proba(self, X) -> np.ndarray:
        """Probabilities (samples, classes)."""
        return softmax(training.answer(self, read(self, X)), axis=1)

    def _predict(self, X) -> np.ndarray:
        """Classes (samples,)."""
        return np.asarray(self.classes_)[self._predict_proba(X).argmax(axis=1)]
