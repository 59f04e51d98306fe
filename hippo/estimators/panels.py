"""Panels of sktime as sequences of one layout, (samples, length, channels)."""

import numpy as np
import pandas as pd

from hippo.errors import closest
from hippo.estimators.features import HiPPOFeatures

INNER_MTYPES = ["df-list", "numpy3D"]
"""Types of panels that the estimators read. sktime converts all others to the first, which has unequal lengths."""

TAGS = {
    "authors": "hippo-lab",
    "maintainers": "hippo-lab",
    "X_inner_mtype": INNER_MTYPES,
    "capability:multivariate": True,
    "capability:unequal_length": True,
    "capability:missing_values": False,
    "capability:categorical_in_X": False,
    "capability:random_state": False,
}
"""Tags of sktime that classifiers and regressors have in common."""

SEQUENCE_TAGS = {**TAGS, "capability:random_state": True, "property:randomness": "derandomized"}
"""Tags of those that train a model."""

TIMESTAMPS = ("channel", "index")


def features_of(estimator) -> HiPPOFeatures:
    """Return the scikit-learn transformer with the parameters of an estimator, for what `sequences` returns."""
    return HiPPOFeatures(
        estimator.order,
        estimator.measure,
        dynamics=estimator.dynamics,
        theta=estimator.theta,
        discretization=estimator.discretization,
        timestamps=estimator.timestamps is not None,
        layout="channels_last",
    )


def sequences(X: np.ndarray | list[pd.DataFrame], timestamps: str | None) -> np.ndarray | list[np.ndarray]:
    """Return the series of a panel.

    Parameters
    ----------
    X : ndarray, shape (samples, channels, length), or list of DataFrame, shape (length, channels)
        The panel, of a type in `INNER_MTYPES`.
    timestamps : {"channel", "index"} or None
        Where the times of the samples are: in the last channel, in the index, or nowhere.

    Returns
    -------
    ndarray, shape (samples, length, channels), or list of ndarray, shape (length, channels), float64
        A list if the lengths are unequal. With `timestamps`, the times are the last channel.

    Raises
    ------
    ValueError
        If `timestamps` is unknown.
    """
    if timestamps is not None and timestamps not in TIMESTAMPS:
        raise ValueError(f"unknown timestamps {timestamps!r}; {closest(timestamps, TIMESTAMPS)}, or None")
    if isinstance(X, np.ndarray):
        values = X.swapaxes(1, 2).astype(np.float64, copy=False)  # (samples, length, channels)
        if timestamps != "index":
            return values
        steps = np.broadcast_to(np.arange(values.shape[1], dtype=np.float64)[:, None], (*values.shape[:2], 1))
        return np.concatenate([values, steps], axis=2)
    arrays = [frame.to_numpy(dtype=np.float64) for frame in X]
    if timestamps == "index":
        arrays = [np.column_stack([array, elapsed(frame.index)]) for array, frame in zip(arrays, X, strict=True)]
    return np.stack(arrays) if len({array.shape for array in arrays}) == 1 else arrays


def read(estimator, X: np.ndarray | list[pd.DataFrame], fitting: bool = False) -> np.ndarray | list[np.ndarray]:
    """Return the series of a panel for an estimator, after a check that their channels are those of `fit`.

    Channels are taken by position. Names of channels are compared if there are several and all names are strings: an
    array has no names, and the name of a single channel says nothing.

    Parameters
    ----------
    estimator : BaseEstimator
        Has the parameter `timestamps`. Gets the attribute `columns_`, the names or None, in `fit`.
    X : ndarray or list of DataFrame
        As in `sequences`.
    fitting : bool, default False
        Whether `fit` asks.

    Returns
    -------
    ndarray or list of ndarray
        As `sequences`.

    Raises
    ------
    ValueError
        If the channels of a series have other names, or the same ones in another order.
    """
    names = [] if isinstance(X, np.ndarray) else [list(frame.columns) for frame in X]
    named = [own for own in names if len(own) > 1 and all(isinstance(name, str) for name in own)]
    if fitting:
        estimator.columns_ = named[0] if named else None
    for own in named:
        if estimator.columns_ not in (None, own):
            raise ValueError(f"a series has the channels {own}; fitted on {estimator.columns_}, in this order")
    return sequences(X, estimator.timestamps)


def channel_names(X: np.ndarray | list[pd.DataFrame], timestamps: str | None) -> list[str]:
    """Return the names of the channels that `sequences` returns, that of the times included."""
    names = [f"x{channel}" for channel in range(X.shape[1])] if isinstance(X, np.ndarray) else map(str, X[0].columns)
    return [*names, *(["time"] if timestamps == "index" else [])]


def elapsed(index: pd.Index) -> np.ndarray:
    """Return the time since the first entry of a time index, (length,): in seconds for dates, else in its own unit."""
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    since = index - index[0]
    return np.asarray(since.total_seconds() if isinstance(since, pd.TimedeltaIndex) else since, dtype=np.float64)
