"""Scikit-learn transformer of sequences into HiPPO-LegS coefficients."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from hippo.memory import project


class LegSFeatures(TransformerMixin, BaseEstimator):
    """Transform sequences into the LegS coefficients of each channel.

    The coefficients of a channel are its projection onto Legendre polynomials over its whole length
    (`hippo.project`). They do not depend on the rate at which the channel was sampled.

    .. warning::
       Input has the shape (samples, length, channels). sktime and aeon use (samples, channels, length): swap the last
       two axes of their arrays first. An array in the wrong layout is not detected.

    Parameters
    ----------
    order : int, default 32
        Coefficients of each channel.
    timestamps : bool, default False
        Whether the last channel holds the times of the samples, which are not negative and never decrease. That
        channel has no coefficients of its own.

    Attributes
    ----------
    n_features_in_ : int
        Number of channels of the sequences that `fit` received.

    References
    ----------
    Gu et al. 2020, arXiv 2008.07669, section 3.

    Examples
    --------
    >>> sequences = np.random.default_rng(0).normal(size=(10, 200, 3))
    >>> LegSFeatures(order=8).fit_transform(sequences).shape
    (10, 24)
    >>> labels = np.arange(10) % 2
    >>> make_pipeline(LegSFeatures(order=8), StandardScaler(), RidgeClassifierCV()).fit(sequences, labels).classes_
    array([0, 1])
    """

    def __init__(self, order: int = 32, timestamps: bool = False):
        self.order, self.timestamps = order, timestamps

    def fit(self, X, y=None) -> "LegSFeatures":
        """Store the number of channels; nothing else is learned.

        Parameters
        ----------
        X : array_like, shape (samples, length, channels), or list of array_like, shape (length, channels)
            Sequences; in a list, each has a length of its own.
        y : ignored

        Returns
        -------
        LegSFeatures
            The transformer itself.

        Raises
        ------
        ValueError
            If `X` does not have three dimensions, or has no sample times or channels.
        """
        self.n_features_in_ = _sequences(X)[0].shape[2]
        return self

    def transform(self, X) -> np.ndarray:
        """Return the coefficients of all channels.

        Parameters
        ----------
        X : array_like, shape (samples, length, channels), or list of array_like, shape (length, channels)
            Sequences of any length; it may differ from that of `fit` and from call to call, and inside a list.

        Returns
        -------
        ndarray, shape (samples, channels * order), float64
            The coefficients of the first channel, then those of the second, and so on.

        Raises
        ------
        ValueError
            If `X` has another shape or another number of channels than in `fit`, or `hippo.project` refuses a value.
        sklearn.exceptions.NotFittedError
            If `fit` was not called.
        """
        check_is_fitted(self)
        return np.concatenate([self._coefficients(sequences) for sequences in _sequences(X)])

    def _coefficients(self, sequences: np.ndarray) -> np.ndarray:
        """Coefficients (samples, channels * order) of sequences (samples, length, channels) of one length."""
        if sequences.shape[2] != self.n_features_in_:
            raise ValueError(f"sequences have {sequences.shape[2]} channels; fitted on {self.n_features_in_}")
        channels, times = sequences, None
        if self.timestamps:
            if sequences.shape[2] < 2:
                raise ValueError("sequences have one channel; with timestamps=True they need one more, the times")
            channels, times = sequences[:, :, :-1], sequences[:, :, -1]
            times = np.repeat(times, channels.shape[2], axis=0)
        signals = np.swapaxes(channels, 1, 2).reshape(-1, sequences.shape[1])  # (samples * channels, length)
        return project(signals, self.order, timestamps=times).reshape(len(sequences), -1)


def _sequences(X) -> list[np.ndarray]:
    """Sequences as float64 arrays (samples, length, channels): one array, or one for each item of a ragged list."""
    ragged = isinstance(X, list | tuple) and len({np.shape(one) for one in X}) > 1
    arrays = [np.asarray(one, dtype=np.float64) for one in ([[item] for item in X] if ragged else [X])]
    for array in arrays:
        if array.ndim != 3 or 0 in array.shape[1:]:
            raise ValueError(
                f"sequences must have shape (samples, length, channels), none of them 0, got {array.shape}"
            )
    return arrays


def ridge(features: TransformerMixin) -> ClassifierMixin:
    """Return a ridge classifier on standardized features.

    Parameters
    ----------
    features : TransformerMixin
        Transformer of sequences into features.

    Returns
    -------
    ClassifierMixin
        Unfitted pipeline. The regularization strength is the one of 13 between 1e-3 and 1e3 with the smallest
        leave-one-out error.
    """
    return make_pipeline(features, StandardScaler(), RidgeClassifierCV(alphas=np.logspace(-3, 3, 13)))
