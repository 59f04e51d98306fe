"""sktime transformer of series into the coefficients of HiPPO memories."""

import numpy as np
import pandas as pd
from sktime.transformations.base import BaseTransformer

from hippo.estimators.memory_parameters import MemoryParameters
from hippo.estimators.panels import INNER_MTYPES, channel_names, features_of, read
from hippo.estimators.scikit_learn import ScikitLearnMixin


class HiPPOTransformer(MemoryParameters, ScikitLearnMixin, BaseTransformer):
    """Transform each series into the coefficients of its channels.

    The transformer is `HiPPOFeatures` for the data types of sktime: a numpy3D array has the shape (samples, channels,
    length), and series of a panel may have unequal lengths. It also works in scikit-learn's `Pipeline` and
    `GridSearchCV` on arrays with three dimensions.

    Parameters
    ----------
    order : int, default 32
        Coefficients of each channel and window length.
    measure : str, default "legs"
        Name of the measure; see `hippo.OnlineMemory`.
    dynamics : {"scale-invariant", "time-invariant"}, optional
        As in `hippo.OnlineMemory`.
    theta : float or sequence of float, optional
        Length of the window of a time-invariant memory, in samples. With several lengths there is one memory for each.
        Default: the length of each series.
    discretization : str or float, optional
        As in `hippo.OnlineMemory`.
    timestamps : {"index", "channel"}, optional
        Where the times of the samples are: in the index of the series, counted from its first entry, or in its last
        channel, which then has no coefficients. Default: samples are evenly spaced. Only scale-invariant memories read
        times. An array has no index; its samples are evenly spaced.

    References
    ----------
    Gu et al. 2020, arXiv 2008.07669, sections 2 and 3.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo.estimators import HiPPOTransformer
    >>> panel = np.random.default_rng(0).normal(size=(10, 3, 200))  # (samples, channels, length)
    >>> HiPPOTransformer(order=8).fit_transform(panel).shape
    (10, 24)
    """

    _tags = {
        "authors": "hippo-lab",
        "maintainers": "hippo-lab",
        "scitype:transform-input": "Series",
        "scitype:transform-output": "Primitives",
        "scitype:instancewise": True,
        "X_inner_mtype": INNER_MTYPES,
        "y_inner_mtype": "None",
        "fit_is_empty": False,
        "capability:multivariate": True,
        "capability:unequal_length": True,
        "capability:unequal_length:removes": True,
        "capability:missing_values": False,
        "capability:categorical_in_X": False,
        "capability:random_state": False,
    }

    def _fit(self, X, y=None):
        """Check the parameters and store the channels."""
        self.features_ = features_of(self).fit(read(self, X, fitting=True))
        self.channels_ = channel_names(X, self.timestamps)
        return self

    def _transform(self, X, y=None) -> pd.DataFrame:
        """Coefficients (samples, features)."""
        return pd.DataFrame(self.features_.transform(read(self, X)), columns=list(self.get_feature_names_out()))

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the names of the features: channel, measure with its window length, number of the coefficient.

        Parameters
        ----------
        input_features : array_like of str, optional
            Names of the channels; default: the names of the columns in `fit`, or x0, x1, and so on.

        Returns
        -------
        ndarray of str, shape (features,)
        """
        self.check_is_fitted()
        return self.features_.get_feature_names_out(self.channels_ if input_features is None else input_features)

    def set_output(self, *, transform: str | None = None) -> "HiPPOTransformer":
        """Accept the containers that scikit-learn's pipelines ask for: the features are a data frame in any case.

        Parameters
        ----------
        transform : {"default", "pandas"}, optional
            Container of the features.

        Returns
        -------
        HiPPOTransformer
            The transformer itself.

        Raises
        ------
        ValueError
            If another container is asked for.
        """
        if transform not in (None, "default", "pandas"):
            raise ValueError(
                f"features are a pandas data frame: set_output(transform={transform!r}) is not possible; use 'pandas'"
            )
        return self

    @classmethod
    def get_test_params(cls, parameter_set="default"):
        """Return parameters for sktime's tests: whole series, several windows, and times from the index."""
        return [
            {"order": 3},
            {"order": 2, "measure": "legt", "theta": [5, 10.5]},
            {"order": 4, "measure": "lmu", "discretization": "bilinear"},
            {"order": 2, "timestamps": "index"},
        ]
