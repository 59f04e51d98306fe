"""sktime regressor: a registered model, trained by the trainer of the laboratory."""

import numpy as np
from sklearn.utils.validation import check_array
from sktime.regression.base import BaseRegressor

from hippo.estimators import training
from hippo.estimators.panels import SEQUENCE_TAGS, read
from hippo.estimators.trained_estimator import TrainedEstimator


class SequenceRegressor(TrainedEstimator, BaseRegressor):
    """Predict a number for each series by a registered model that is trained by gradient descent.

    The loss is the mean squared error of the targets, which are standardized.

    Parameters
    ----------
    model, hyperparameters, epochs, batch_size, learning_rate, early_stopping, validation_fraction, standardize
        As in `SequenceClassifier`.
    timestamps, training_options, device, verbose, random_state
        As in `SequenceClassifier`.

    Attributes
    ----------
    weights_, best_epoch_, history_
        As in `SequenceClassifier`.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo.estimators import SequenceRegressor
    >>> targets = np.random.default_rng(0).normal(size=20)
    >>> panel = targets[:, None, None] * np.sin(np.arange(50))  # (samples, channels, length)
    >>> regressor = SequenceRegressor("gru", {"hidden_size": 8}, epochs=2, random_state=0).fit(panel, targets)
    >>> regressor.predict(panel).shape
    (20,)
    """

    _tags = SEQUENCE_TAGS

    def _fit(self, X, y):
        """Train the model."""
        targets = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        with np.errstate(over="ignore"):
            self.target_mean_, self.target_scale_ = targets.mean(), targets.std() or 1.0
        if not np.isfinite(self.target_scale_):
            raise ValueError("the standard deviation of the targets is too large for float64; scale them")
        standardized = ((targets - self.target_mean_) / self.target_scale_).astype(np.float32)[:, None]
        training.fit(self, read(self, X, fitting=True), standardized, classes=None)
        return self

    def _predict(self, X) -> np.ndarray:
        """Numbers (samples,)."""
        answers = training.answer(self, read(self, X))[:, 0]
        return self.target_mean_ + self.target_scale_ * answers
