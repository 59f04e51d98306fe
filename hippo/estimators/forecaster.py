"""sktime forecaster: ridge regression on the coefficients of HiPPO memories, updated on a stream."""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from sktime.forecasting.base import BaseForecaster

from hippo.estimators.memory_bank import MemoryBank
from hippo.estimators.ridge_moments import RidgeMoments, RidgeSolution
from hippo.operators.checks import check_positive


class HiPPOForecaster(BaseForecaster):
    """Forecast a series from memories of its past.

    Memories read the series and the forecaster predicts, for each step of the horizon, the change from the last value
    by a ridge regression on the last value and the coefficients of the memories. Of several variables, each is
    predicted from all.

    `update` continues the memories and the moments of the regression with the new samples alone: the forecaster is
    then equal to one that was fitted to the whole series, to rounding, and keeps no samples but as many as the longest
    horizon. With ``update_params=False`` the weights stay as they are.

    Parameters
    ----------
    order : int, default 16
        Coefficients of each variable and window length.
    measure : str, default "legt"
        Name of the measure; see `hippo.OnlineMemory`.
    dynamics : {"scale-invariant", "time-invariant"}, optional
        As in `hippo.OnlineMemory`.
    theta : float or sequence of float, optional
        Length of the window of a time-invariant memory, in samples. With several lengths there is one memory for each.
        Default: twice the order. The memory resolves periods longer than about pi * theta / order samples.
    discretization : str or float, optional
        As in `hippo.OnlineMemory`.
    alpha : float, optional
        Regularization strength relative to the number of samples; features are standardized. With a large strength
        the forecast is the last value plus the mean change. Default: for each step of the horizon, the one of 19
        between 1e-6 and 1e3 with the smallest generalized cross-validation error.

    Attributes
    ----------
    solutions_ : dict of RidgeSolution
        Regression of each step of the horizon.

    Notes
    -----
    Prediction intervals assume independent normal errors with the variance of the residuals. The time before the first
    sample is taken as constant. Time-invariant memories measure time in samples, whatever the index is.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from hippo.estimators import HiPPOForecaster
    >>> series = pd.Series(np.sin(np.arange(200) / 5))
    >>> forecaster = HiPPOForecaster().fit(series[:150], fh=[1, 20])
    >>> forecaster = forecaster.update(series[150:180])
    >>> bool(abs(forecaster.predict() - series[[180, 199]]).max() < 0.02)
    True
    """

    _tags = {
        "authors": "hippo-lab",
        "maintainers": "hippo-lab",
        "y_inner_mtype": "pd.DataFrame",
        "X_inner_mtype": "pd.DataFrame",
        "requires-fh-in-fit": True,
        "capability:multivariate": True,
        "capability:exogenous": False,
        "capability:insample": False,
        "capability:pred_int": True,
        "capability:pred_int:insample": False,
        "capability:missing_values": False,
        "capability:update": True,
        "capability:categorical_in_X": False,
        "capability:random_state": False,
    }
    _config = {"remember_data": False}

    def __init__(
        self,
        order: int = 16,
        measure: str = "legt",
        dynamics: str | None = None,
        theta: float | Sequence[float] | None = None,
        discretization: str | float | None = None,
        alpha: float | None = None,
    ):
        self.order, self.measure, self.dynamics = order, measure, dynamics
        self.theta, self.discretization, self.alpha = theta, discretization, alpha
        super().__init__()
        self._y = self._X = None  # where sktime puts the data, if its configuration asks to remember it

    def _fit(self, y: pd.DataFrame, X=None, fh=None):
        """Read the series and fit the regressions."""
        bank = MemoryBank(self.order, self.measure, self.dynamics, self.theta, self.discretization)
        if self.theta is None and not bank.scale_invariant:
            bank = MemoryBank(self.order, self.measure, self.dynamics, 2.0 * self.order, self.discretization)
        if self.alpha is not None:
            check_positive("alpha", self.alpha)
        if not len(y):
            raise ValueError("the series has no samples: pass at least one")
        steps = self._steps(fh)
        variables = y.shape[1]
        self._memories = bank.memories(batch=variables, dtype=np.float64)
        self._moments = {step: RidgeMoments(variables * (1 + bank.features), variables) for step in steps}
        self._columns, self._first = y.columns, y.to_numpy(np.float64)[0]
        self._features = np.empty((0, variables * (1 + bank.features)))  # of as many samples as the longest horizon
        self._values = np.empty((0, variables))
        self._read(y, learn=True)
        self._end = self.cutoff
        return self

    def _update(self, y: pd.DataFrame, X=None, update_params=True):
        """Read the samples that are new; y may overlap with those read before."""
        end = self.cutoff  # sktime has moved it to the end of y, which may be earlier, or refused below
        self._set_cutoff(self._end)
        new = self._ordered(y)[y.index > self._end[0]]
        if not len(new):
            warnings.warn(f"update: no sample is later than {self._end[0]}, the last one read", stacklevel=3)
            return self
        self._read(new, learn=update_params)
        self._end = end
        self._set_cutoff(end)
        return self

    def _ordered(self, y: pd.DataFrame) -> pd.DataFrame:
        """The variables in the order that they had in `fit`; ValueError if they are others."""
        if y.shape[1] == len(self._columns) == 1:
            return y
        if sorted(y.columns, key=str) != sorted(self._columns, key=str):
            raise ValueError(f"the variables are {list(y.columns)}; fitted on {list(self._columns)}")
        return y[self._columns]

    def _read(self, y: pd.DataFrame, learn: bool) -> None:
        """Continue the memories with new samples; with `learn`, the regressions too."""
        values = y.to_numpy(np.float64)  # (new, variables)
        signals = values - self._first
        coefficients = [memory.record(signals.T) for memory in self._memories]  # of (variables, new, order)
        columns = [signals, *(block.swapaxes(0, 1).reshape(len(y), -1) for block in coefficients)]
        known = len(self._values)
        self._features = np.concatenate([self._features, np.concatenate(columns, axis=1)])
        self._values = np.concatenate([self._values, values])
        total = len(self._values)
        if learn:
            for step, moments in self._moments.items():
                first = max(known, step)  # of the samples that are a target `step` after a known one
                if first < total:
                    sources = slice(first - step, total - step)
                    moments.add(self._features[sources], self._values[first:] - self._values[sources])
            self.solutions_ = {step: moments.solve(self.alpha) for step, moments in self._moments.items()}
        kept = max(self._moments)
        self._features, self._values = self._features[-kept:], self._values[-kept:]

    def _predict(self, fh, X=None) -> pd.DataFrame:
        """Forecasts (steps, variables)."""
        last, features = self._values[-1], self._features[-1]
        return self._frame(fh, [last + solution.predict(features) for solution in self._chosen(fh)])

    def _predict_var(self, fh=None, X=None, cov=False) -> pd.DataFrame:
        """Variances (steps, variables) of the forecasts: those of the residuals."""
        return self._frame(fh, [solution.variance for solution in self._chosen(fh)])

    def _chosen(self, fh) -> list[RidgeSolution]:
        """The regressions of a horizon; ValueError if an absolute one is no longer that of `fit`."""
        steps = self._steps(fh)
        if not self.solutions_.keys() >= set(steps):
            raise ValueError(
                f"the horizon is {steps} steps after {self._end[0]}; fitted for {sorted(self.solutions_)}: pass a "
                "relative horizon to fit, which moves with each update"
            )
        return [self.solutions_[step] for step in steps]

    def _steps(self, fh) -> list[int]:
        """The steps of a horizon, counted from the end of the series."""
        return [int(step) + 1 for step in fh.to_indexer(self.cutoff)]

    def _frame(self, fh, rows: list[np.ndarray]) -> pd.DataFrame:
        return pd.DataFrame(rows, index=fh.to_absolute_index(self.cutoff), columns=self._columns)

    @classmethod
    def get_test_params(cls, parameter_set="default"):
        """Return parameters for sktime's tests."""
        return [
            {"order": 4},
            {"order": 3, "theta": [6, 12.5], "alpha": 0.1},
            {"order": 4, "measure": "legs"},
        ]
