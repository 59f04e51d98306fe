"""The memory as scikit-learn knows it: a transformer from sequences to features.

make_pipeline(LegSFeatures(order=32), StandardScaler(), RidgeClassifierCV()).fit(sequences, labels)
"""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from hippo.memory import project


class LegSFeatures(TransformerMixin, BaseEstimator):
    """Sequences (samples, length, channels) → LegS coefficients (samples, channels · order) float64.

    The coefficients of a channel are those of its projection onto Legendre polynomials over its whole length
    (`hippo.project`), so they do not depend on the rate at which it was sampled. timestamps: the last channel
    holds the times of the samples, not negative and never decreasing, and gives no coefficients of its own.
    Sequences may have another length at each call. ValueError: another number of channels, not 3 dimensions.
    """

    def __init__(self, order: int = 32, timestamps: bool = False):
        self.order, self.timestamps = order, timestamps

    def fit(self, X, y=None) -> "LegSFeatures":
        """Learn nothing but the number of channels."""
        self.n_features_in_ = self._sequences(X).shape[2]
        return self

    def transform(self, X) -> np.ndarray:
        """The coefficients, channel after channel."""
        check_is_fitted(self)
        sequences = self._sequences(X)
        if sequences.shape[2] != self.n_features_in_:
            raise ValueError(f"sequences have {sequences.shape[2]} channels; fitted on {self.n_features_in_}")
        channels, times = sequences, None
        if self.timestamps:
            if sequences.shape[2] < 2:
                raise ValueError(
                    "sequences have one channel; with timestamps it is their times, and one more is needed"
                )
            channels, times = sequences[:, :, :-1], sequences[:, :, -1]
            times = np.repeat(times, channels.shape[2], axis=0)
        signals = np.swapaxes(channels, 1, 2).reshape(-1, sequences.shape[1])
        return project(signals, self.order, timestamps=times).reshape(len(sequences), -1)

    @staticmethod
    def _sequences(X) -> np.ndarray:
        array = np.asarray(X, dtype=np.float64)
        if array.ndim != 3 or 0 in array.shape[1:]:
            raise ValueError(
                f"sequences must have shape (samples, length, channels), none of them 0, got {array.shape}"
            )
        return array


def ridge(features: TransformerMixin) -> ClassifierMixin:
    """`features`, scaled to unit variance, and a ridge classifier whose strength leave-one-out errors choose."""
    return make_pipeline(features, StandardScaler(), RidgeClassifierCV(alphas=np.logspace(-3, 3, 13)))
