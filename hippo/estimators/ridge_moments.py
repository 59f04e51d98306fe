"""Ridge regression from moments, which grow sample by sample: a stream needs no stored samples."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

ALPHAS = np.logspace(-6, 3, 19)
"""Regularization strengths that are tried."""

CONSTANT = 1e-12
"""A feature is constant if its standard deviation is at most this fraction of its mean."""


@dataclass(frozen=True)
class RidgeSolution:
    """Weights (features, targets), intercept (targets,), variance of the residuals (targets,), and strength."""

    weights: np.ndarray
    intercept: np.ndarray
    variance: np.ndarray
    alpha: float

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the targets (..., targets) that belong to features (..., features)."""
        return features @ self.weights + self.intercept


class RidgeMoments:
    """Means and centered products of features and targets.

    Moments of two sets of samples are combined as in Chan, Golub, LeVeque 1983, without cancellation: the moments
    after many small chunks are those of all samples at once, to rounding.

    Parameters
    ----------
    features, targets : int
        Their numbers.

    Attributes
    ----------
    samples : int
        Number of samples so far.
    """

    def __init__(self, features: int, targets: int):
        self.samples = 0
        self._means = np.zeros(features), np.zeros(targets)
        self._products = np.zeros((features, features)), np.zeros((features, targets)), np.zeros(targets)

    def add(self, features: np.ndarray, targets: np.ndarray) -> None:
        """Add samples.

        Parameters
        ----------
        features : ndarray, shape (samples, features)
        targets : ndarray, shape (samples, targets)
        """
        new, old = len(features), self.samples
        if not new:
            return
        means = features.mean(axis=0), targets.mean(axis=0)
        x, y = features - means[0], targets - means[1]
        dx, dy = means[0] - self._means[0], means[1] - self._means[1]
        between = old * new / (old + new)
        xx, xy, yy = self._products
        self._products = (
            xx + x.T @ x + between * np.outer(dx, dx),
            xy + x.T @ y + between * np.outer(dx, dy),
            yy + (y * y).sum(axis=0) + between * dy * dy,
        )
        self.samples = old + new
        self._means = self._means[0] + dx * new / self.samples, self._means[1] + dy * new / self.samples

    def solve(self, alpha: float | None = None) -> RidgeSolution:
        """Return the ridge regression of the targets on the standardized features.

        Parameters
        ----------
        alpha : float, optional
            Regularization strength relative to the number of samples: the minimized sum is that of the squared errors
            plus samples * alpha * |weights|². Default: the one of `ALPHAS` with the smallest generalized
            cross-validation error, in which each target counts relative to its variance.

        Returns
        -------
        RidgeSolution
            All zeros if there are no samples; the variance is then NaN.

        References
        ----------
        Golub, Heath, Wahba, "Generalized cross-validation as a method for choosing a good ridge parameter",
        Technometrics 21 (1979).
        """
        n, (xx, xy, yy) = self.samples, self._products
        if not n:
            return RidgeSolution(xy, yy, np.full_like(yy, np.nan), alpha or 0.0)
        spread = np.sqrt(np.diag(xx) / n)
        # The spread of a constant feature is rounding, which must not be scaled up to a feature.
        constant = spread <= CONSTANT * np.abs(self._means[0])
        scale = np.where(constant, np.inf, spread)
        eigenvalues, basis = eigh(xx / np.outer(scale, scale) / n)
        eigenvalues = np.maximum(eigenvalues, 0)  # rounding makes some negative
        projected = basis.T @ (xy / scale[:, None]) / n  # (features, targets)
        tried = [self._fit(eigenvalues, projected, strength) for strength in (ALPHAS if alpha is None else [alpha])]
        alpha, weights, errors, freedom = min(tried, key=lambda fit: self._cross_validation(fit[2], fit[3]))
        weights = basis @ weights / scale[:, None]
        intercept = self._means[1] - self._means[0] @ weights
        return RidgeSolution(weights, intercept, errors * n / max(n - freedom, 1), float(alpha))

    def _fit(self, eigenvalues: np.ndarray, projected: np.ndarray, alpha: float) -> tuple:
        """Strength, weights in the eigenbasis, mean squared errors (targets,), and degrees of freedom."""
        weights = projected / (eigenvalues + alpha)[:, None]
        explained = (weights * (2 * projected - eigenvalues[:, None] * weights)).sum(axis=0)
        errors = np.maximum(self._products[2] / self.samples - explained, 0)
        return alpha, weights, errors, 1 + (eigenvalues / (eigenvalues + alpha)).sum()

    def _cross_validation(self, errors: np.ndarray, freedom: float) -> float:
        """The generalized cross-validation error; infinite with as many degrees of freedom as samples."""
        left = self.samples - freedom
        total = self._products[2]
        relative = np.divide(errors * self.samples, total, out=np.zeros_like(total), where=total > 0)
        return relative.sum() / left**2 if left > 0 else np.inf
