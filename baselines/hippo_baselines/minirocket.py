"""MiniRocket: fixed convolutions, each pooled to its fraction of positive values.

Its hyperparameters are `MiniRocketOptions` in `options.py`.
"""

import warnings

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sktime.transformations.rocket import MiniRocketMultivariateVariable


class MiniRocketFeatures(TransformerMixin, BaseEstimator):
    """Features of sequences of any length, by sktime's transform.

    Each feature is the fraction of positive values of one of 84 kernels of length 9 at one dilation, over a random
    choice of channels, minus a bias that is a quantile of the kernel's output on one sequence of `fit`. Sequences
    shorter than 9 samples are padded with zeros.

    Parameters
    ----------
    kernels : int, default 10000
        Number of features, rounded down to a multiple of 84.
    seed : int, default 0
        Seed of dilations, channels and biases.

    References
    ----------
    Dempster, Schmidt, Webb, "MiniRocket: A Very Fast (Almost) Deterministic Transform for Time Series Classification",
    KDD 2021.
    """

    def __init__(self, kernels: int = 10_000, seed: int = 0):
        self.kernels, self.seed = kernels, seed

    def fit(self, X: np.ndarray | list[np.ndarray], y: object = None) -> "MiniRocketFeatures":
        """Choose dilations, channels and biases.

        Parameters
        ----------
        X : ndarray, shape (samples, length, channels), or list of ndarray, shape (length, channels)
            Training sequences.
        y : object
            Ignored.

        Returns
        -------
        MiniRocketFeatures
            The transform itself.
        """
        self.transform_ = MiniRocketMultivariateVariable(
            self.kernels, pad_value_short_series=0.0, random_state=self.seed % 2**31
        )
        with warnings.catch_warnings():
            # sktime recommends its class for sequences of one length; that class cannot transform another length.
            warnings.filterwarnings("ignore", "X is")
            self.transform_.fit(_frames(X))
        return self

    def transform(self, X: np.ndarray | list[np.ndarray]) -> np.ndarray:
        """Compute the features.

        Parameters
        ----------
        X : ndarray, shape (samples, length, channels), or list of ndarray, shape (length, channels)

        Returns
        -------
        ndarray, shape (samples, kernels), float32
        """
        return self.transform_.transform(_frames(X)).to_numpy()


def _frames(X: np.ndarray | list[np.ndarray]) -> list[pd.DataFrame]:
    """Return the sequences in sktime's format for unequal lengths: one data frame (length, channels) each."""
    return [pd.DataFrame(np.asarray(sequence, dtype=np.float32)) for sequence in X]
