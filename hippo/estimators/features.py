"""Scikit-learn transformer of sequences into the coefficients of HiPPO memories."""

from collections.abc import Sequence

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from hippo.estimators.memory_bank import MemoryBank

LAYOUTS = {"channels_last": "(samples, length, channels)", "channels_first": "(samples, channels, length)"}


class HiPPOFeatures(TransformerMixin, BaseEstimator):
    """Transform sequences into the coefficients of each channel.

    The coefficients of a channel are those of a memory after it has read the whole channel (`hippo.project`). With the
    default measure they are its projection onto Legendre polynomials over its whole length, and do not depend on the
    rate at which the channel was sampled.

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
        Default: the length of each sequence.
    discretization : str or float, optional
        As in `hippo.OnlineMemory`.
    timestamps : bool, default False
        Whether the last channel holds the times of the samples, which are not negative and never decrease. That
        channel has no coefficients of its own. Only scale-invariant memories read times.
    layout : {"channels_last", "channels_first"}, optional
        Axes of sequences with three dimensions: (samples, length, channels), or (samples, channels, length) as in
        sktime and aeon. There is no default, because an array does not show which of the two it is.

    Attributes
    ----------
    n_channels_ : int
        Number of channels, that of the times included.
    n_features_in_ : int
        Number of columns if `fit` received a table, otherwise `n_channels_`.
    feature_names_in_ : ndarray of str
        Names of the columns, if `fit` received a data frame with names of type str.

    References
    ----------
    Gu et al. 2020, arXiv 2008.07669, sections 2 and 3.

    Examples
    --------
    >>> import numpy as np
    >>> from hippo.estimators import HiPPOFeatures
    >>> sequences = np.random.default_rng(0).normal(size=(10, 200, 3))
    >>> HiPPOFeatures(order=8, layout="channels_last").fit_transform(sequences).shape
    (10, 24)
    >>> windows = HiPPOFeatures(order=2, measure="legt", theta=[50, 200]).fit(sequences[:, :, 0])
    >>> windows.get_feature_names_out().tolist()
    ['x0_legt50_0', 'x0_legt50_1', 'x0_legt200_0', 'x0_legt200_1']
    """

    def __init__(
        self,
        order: int = 32,
        measure: str = "legs",
        *,
        dynamics: str | None = None,
        theta: float | Sequence[float] | None = None,
        discretization: str | float | None = None,
        timestamps: bool = False,
        layout: str | None = None,
    ):
        self.order, self.measure, self.dynamics = order, measure, dynamics
        self.theta, self.discretization = theta, discretization
        self.timestamps, self.layout = timestamps, layout

    def fit(self, X, y=None) -> "HiPPOFeatures":
        """Check the parameters and store the number of channels; nothing else is learned.

        Parameters
        ----------
        X : array_like, shape (samples, length) or with three dimensions as `layout` states, or list of arrays
            Sequences. A table (samples, length) has one channel. In a list, each sequence has a length of its own; it
            has the axes of `layout` without the samples, or shape (length,).
        y : ignored

        Returns
        -------
        HiPPOFeatures
            The transformer itself.

        Raises
        ------
        ValueError
            If a parameter or the shape of `X` is not valid, or `X` holds NaN or infinite numbers.
        TypeError
            If a parameter has the wrong type.
        """
        if not isinstance(self.timestamps, bool | np.bool_):
            raise TypeError(f"timestamps must be True or False, got {self.timestamps!r}")
        self._bank = MemoryBank(self.order, self.measure, self.dynamics, self.theta, self.discretization)
        if self.timestamps and not self._bank.scale_invariant:
            raise ValueError(
                f"timestamps=True needs scale-invariant memories; those of measure {self.measure!r} with "
                f"dynamics={self.dynamics!r} have a fixed step"
            )
        # Set before the shape is checked, so that scikit-learn finds the number of columns in its messages.
        self._form = _form(X)
        arrays = self._sequences(X, reset=True)
        self.n_channels_ = arrays[0].shape[2]
        if self._form != "table":
            self.n_features_in_ = self.n_channels_
        self._check_channels(arrays)
        return self

    def transform(self, X) -> np.ndarray:
        """Return the coefficients of all channels.

        Parameters
        ----------
        X : array_like or list
            Sequences as in `fit`. Their length may differ from that in `fit`, unless both are tables: the columns of a
            table are its features, whose number scikit-learn keeps.

        Returns
        -------
        ndarray, shape (samples, channels * windows * order), float64
            The coefficients of the first channel, by window length, then those of the second channel, and so on.

        Raises
        ------
        ValueError
            If `X` has another number of channels than in `fit`, or is refused as in `fit`.
        sklearn.exceptions.NotFittedError
            If `fit` was not called.
        """
        check_is_fitted(self)
        arrays = self._sequences(X, reset=False)
        self._check_channels(arrays)
        return np.concatenate([self._coefficients(sequences) for sequences in arrays])

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Return the names of the features: channel, measure with its window length, number of the coefficient.

        Parameters
        ----------
        input_features : array_like of str, optional
            Names of the channels, or of the columns of a table, which are not used; default: x0, x1, and so on.

        Returns
        -------
        ndarray of str, shape (channels * windows * order,)

        Raises
        ------
        ValueError
            If there are not `n_features_in_` names.
        sklearn.exceptions.NotFittedError
            If `fit` was not called.
        """
        check_is_fitted(self)
        channels = [f"x{channel}" for channel in range(self.n_channels_)]
        if input_features is not None:
            if len(input_features) != self.n_features_in_:
                raise ValueError(
                    f"input_features should have length equal to number of features ({self.n_features_in_}), got "
                    f"{len(input_features)}"
                )
            channels = channels if self._form == "table" else list(input_features)
        return self._bank.names(channels[: self.n_channels_ - bool(self.timestamps)])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_channels_")

    def _coefficients(self, sequences: np.ndarray) -> np.ndarray:
        """Coefficients (samples, features) of sequences (samples, length, channels) of one length."""
        if not self.timestamps:
            return self._bank.coefficients(sequences)
        return self._bank.coefficients(sequences[:, :, :-1], sequences[:, :, -1])

    def _check_channels(self, arrays: list[np.ndarray]) -> None:
        for sequences in arrays:
            if sequences.shape[2] != self.n_channels_:
                raise ValueError(f"sequences have {sequences.shape[2]} channels; fitted on {self.n_channels_}")
        if self.timestamps and self.n_channels_ < 2:
            raise ValueError("sequences have one channel; with timestamps=True they need one more, the times")

    def _sequences(self, X, reset: bool) -> list[np.ndarray]:
        """Sequences as float64 arrays (samples, length, channels): one array, or one for each item of a ragged list."""
        form = _form(X)
        if form == "list":
            items = [check_array(one, dtype=np.float64, ensure_2d=False, allow_nd=True)[None] for one in X]
            return [one[:, :, None] if one.ndim == 2 else self._channels_last(one) for one in items]
        options = {} if form == "table" else {"ensure_2d": False, "allow_nd": True}
        if form == self._form:
            X = validate_data(self, X, reset=reset, dtype=np.float64, **options)
        else:  # nothing of `fit` to compare with but the number of channels
            X = check_array(X, dtype=np.float64, **options)
        return [X[:, :, None] if form == "table" else self._channels_last(X)]

    def _channels_last(self, sequences: np.ndarray) -> np.ndarray:
        """Sequences with the axes that `layout` states as an array (samples, length, channels)."""
        if sequences.ndim != 3 or 0 in sequences.shape:
            raise ValueError(
                f"sequences must have shape (samples, length) or {' or '.join(LAYOUTS.values())}, without an axis of "
                f"size 0; got {sequences.shape}"
            )
        if self.layout not in LAYOUTS:
            options = " or ".join(f"layout={name!r} for {axes}" for name, axes in LAYOUTS.items())
            raise ValueError(
                f"layout={self.layout!r} does not state the axes of sequences {sequences.shape}: pass {options}"
            )
        return sequences if self.layout == "channels_last" else sequences.swapaxes(1, 2)


def _form(X) -> str:
    """Kind of sequences: "list" of arrays of unequal shapes, "table" with one channel, or "array"."""
    if isinstance(X, list | tuple) and len({np.shape(one) for one in X}) > 1:
        return "list"
    ndim = X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim
    return "table" if ndim < 3 else "array"
