"""sktime classifier and regressor: coefficients of HiPPO memories and ridge regression."""

import numpy as np
from sktime.classification.base import BaseClassifier
from sktime.regression.base import BaseRegressor

from hippo.estimators.memory_parameters import MemoryParameters
from hippo.estimators.panels import TAGS, features_of, read
from hippo.estimators.ridge import ridge_classifier, ridge_regressor
from hippo.estimators.scikit_learn import ScikitLearnMixin

TEST_PARAMETERS = [{"order": 3}, {"order": 2, "measure": "legt", "theta": [5, 10.5]}]


class HiPPOClassifier(MemoryParameters, ScikitLearnMixin, BaseClassifier):
    """Classify series by ridge regression on the coefficients of HiPPO memories.

    The coefficients are standardized. The regularization strength is the one of 13 between 1e-3 and 1e3 with the
    smallest leave-one-out error.

    Parameters
    ----------
    order, measure, dynamics, theta, discretization, timestamps
        As in `HiPPOTransformer`.

    Attributes
    ----------
    pipeline_ : sklearn.pipeline.Pipeline
        `HiPPOFeatures` with the layout "channels_last", standardization and classifier.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo.estimators import HiPPOClassifier
    >>> panel = np.random.default_rng(0).normal(size=(10, 1, 50))  # (samples, channels, length)
    >>> panel[5:] += np.linspace(0, 9, 50)
    >>> labels = np.repeat(["flat", "rising"], 5)
    >>> HiPPOClassifier(order=4).fit(panel, labels).predict(panel[[0, 9]])
    array(['flat', 'rising'], dtype='<U6')
    """

    _tags = TAGS

    def _fit(self, X, y):
        """Fit the pipeline."""
        self.pipeline_ = ridge_classifier(features_of(self)).fit(read(self, X, fitting=True), y)
        return self

    def _predict(self, X) -> np.ndarray:
        """Classes (samples,)."""
        return self.pipeline_.predict(read(self, X))

    @classmethod
    def get_test_params(cls, parameter_set="default"):
        """Return parameters for sktime's tests."""
        return TEST_PARAMETERS


class HiPPORegressor(MemoryParameters, ScikitLearnMixin, BaseRegressor):
    """Predict a number for each series by ridge regression on the coefficients of HiPPO memories.

    Parameters
    ----------
    order, measure, dynamics, theta, discretization, timestamps
        As in `HiPPOTransformer`.

    Attributes
    ----------
    pipeline_ : sklearn.pipeline.Pipeline
        `HiPPOFeatures` with the layout "channels_last", standardization and regressor. The regularization strength is
        chosen as in `HiPPOClassifier`.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo.estimators import HiPPORegressor
    >>> slopes = np.arange(10.0)
    >>> panel = slopes[:, None, None] * np.linspace(0, 1, 50)  # (samples, channels, length)
    >>> HiPPORegressor(order=4).fit(panel[:8], slopes[:8]).predict(panel[8:]).round(2)
    array([8., 9.])
    """

    _tags = TAGS

    def _fit(self, X, y):
        """Fit the pipeline."""
        self.pipeline_ = ridge_regressor(features_of(self)).fit(read(self, X, fitting=True), y)
        return self

    def _predict(self, X) -> np.ndarray:
        """Numbers (samples,)."""
        return self.pipeline_.predict(read(self, X))

    @classmethod
    def get_test_params(cls, parameter_set="default"):
        """Return parameters for sktime's tests."""
        return TEST_PARAMETERS
