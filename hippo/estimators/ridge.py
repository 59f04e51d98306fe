"""Ridge classifier and regressor on standardized features of sequences."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import RidgeClassifierCV, RidgeCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

ALPHAS = np.logspace(-3, 3, 13)
"""Regularization strengths that are tried."""


def ridge_classifier(features: BaseEstimator) -> Pipeline:
    """Return a ridge classifier on standardized features.

    Parameters
    ----------
    features : TransformerMixin
        Transformer of sequences into features.

    Returns
    -------
    Pipeline
        Unfitted pipeline. The regularization strength is the one of 13 between 1e-3 and 1e3 with the smallest
        leave-one-out error.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo.estimators import HiPPOFeatures, ridge_classifier
    >>> sequences = np.random.default_rng(0).normal(size=(10, 200))
    >>> labels = np.arange(10) % 2
    >>> ridge_classifier(HiPPOFeatures(order=8)).fit(sequences, labels).classes_
    array([0, 1])
    """
    return make_pipeline(features, StandardScaler(), RidgeClassifierCV(alphas=ALPHAS))


def ridge_regressor(features: BaseEstimator) -> Pipeline:
    """Return a ridge regressor on standardized features.

    Parameters
    ----------
    features : TransformerMixin
        Transformer of sequences into features.

    Returns
    -------
    Pipeline
        Unfitted pipeline. The regularization strength is chosen as in `ridge_classifier`.
    """
    return make_pipeline(features, StandardScaler(), RidgeCV(alphas=ALPHAS))
