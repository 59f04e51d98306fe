"""MiniRocket (Dempster, Schmidt, Webb, KDD 2021): fixed convolutions, pooled to shares of positive values."""

import warnings

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sktime.transformations.rocket import MiniRocketMultivariateVariable


class MiniRocketFeatures(TransformerMixin, BaseEstimator):
    """Sequences (samples, length, channels) → features (samples, kernels): sktime's transform, for any length.

    Each feature is the share of positive values of one of 84 kernels of length 9 at one dilation, over a random
    choice of channels, less a bias that is a quantile of the kernel's output on one sequence of `fit`. Sequences
    shorter than 9 samples are padded with zeros.
    """

    def __init__(self, kernels: int = 10_000, seed: int = 0):
        self.kernels, self.seed = kernels, seed

    def fit(self, X, y=None) -> "MiniRocketFeatures":
        """Choose dilations, channels and biases."""
        self.transform_ = MiniRocketMultivariateVariable(
            self.kernels, pad_value_short_series=0.0, random_state=self.seed % 2**31
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X is")  # the class for one length only cannot be judged at another
            self.transform_.fit(frames(X))
        return self

    def transform(self, X) -> np.ndarray:
        """The features, float32."""
        return self.transform_.transform(frames(X)).to_numpy()


def frames(X: np.ndarray) -> list[pd.DataFrame]:
    """The sequences as sktime takes those of any length."""
    return [pd.DataFrame(sequence) for sequence in np.asarray(X, dtype=np.float32)]
