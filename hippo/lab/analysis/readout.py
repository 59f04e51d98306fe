"""The best linear readout of states that are not trained, from exact covariances."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

TINY = 1e-14  # of the largest eigenvalue of a covariance: rounding


@dataclass(frozen=True)
class Readout:
    """A fitted readout.

    Parameters
    ----------
    weights : list of ndarray, each (targets, states)
        Weights of each group of states.
    mse : float
        Expected squared error of a target, averaged over targets.
    power : float
        Expected square of a target, averaged over targets.
    sweeps : int
        Passes over the groups.
    """

    weights: list[np.ndarray]
    mse: float
    power: float
    sweeps: int


def fit_readout(
    states: list[np.ndarray],
    targets: np.ndarray,
    features: list[int],
    cutoff: float = 1e-8,
    sweeps: int = 20,
    tolerance: float = 1e-3,
) -> Readout:
    """Fit targets by groups of states, of which each passes a limited number of linear features on.

    The readout is sum_g W_g x_g with rank(W_g) <= features[g]. With one group this is reduced-rank regression, whose
    solution is exact; with as many features as states it is least squares. With several groups, one group after another
    is fitted to what the others leave, until a pass over all groups improves the error by less than `tolerance` of it.
    The error is then an upper bound on the least one. It depends on rounding: where a group holds many directions of
    the targets equally well, rounding decides which it passes on first.

    After few passes, the weights stay so small that the rounding of signals to float32 does not show. A decoder that
    is fitted to the features of all groups together has a smaller exact error and weights that multiply the rounding.

    Parameters
    ----------
    states : list of ndarray, each (states, variables)
        States in coordinates of independent standard normal variables.
    targets : ndarray, shape (targets, variables)
        Targets in the same coordinates.
    features : list of int
        Largest rank of the weights of each group.
    cutoff : float, default 1e-8
        Directions of a group's states whose deviation is below `cutoff` times the largest one are not used.
    sweeps : int, default 20
        Largest number of passes.
    tolerance : float, default 0.001
        Relative improvement below which passes end.

    Returns
    -------
    Readout
        Weights and expected error.

    References
    ----------
    A. J. Izenman, Reduced-rank regression for the multivariate linear model, J. Multivariate Analysis 5, 1975.
    """
    outer, rest = _compress(targets)  # targets = outer @ rest
    power = float(np.square(rest).sum()) / len(targets)
    bases = [_orthonormal(group, cutoff) for group in states]
    fits = [(np.zeros((len(rest), 1)), np.zeros((1, len(basis)))) for basis, _ in bases]  # weights and features
    error, done = power, 0
    while done < sweeps:
        before, done = error, done + 1
        for group, (basis, _) in enumerate(bases):
            left, right = fits[group]
            rest += left @ (right @ basis)
            left, right = fits[group] = _reduce_rank(rest @ basis.T, features[group])
            rest -= left @ (right @ basis)
        error = float(np.square(rest).sum()) / len(targets)
        if len(bases) == 1 or before - error <= tolerance * error:
            break
    weights = [outer @ left @ (right @ back) for (left, right), (_, back) in zip(fits, bases, strict=True)]
    return Readout(weights, error, power, done)


def _compress(targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal columns, and as many rows of which they make the targets."""
    values, vectors = np.linalg.eigh(targets @ targets.T)
    vectors = vectors[:, values > TINY * values[-1]]
    return vectors, vectors.T @ targets


def _orthonormal(states: np.ndarray, cutoff: float) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal rows that span the states, and the matrix that makes them of the states."""
    try:
        left, deviations, right = scipy.linalg.svd(states, full_matrices=False, check_finite=False)
    except np.linalg.LinAlgError:  # divide and conquer does not converge for every matrix of states; iteration does
        left, deviations, right = scipy.linalg.svd(states, full_matrices=False, lapack_driver="gesvd")
    kept = deviations > cutoff * deviations[0]
    return right[kept], (left[:, kept] / deviations[kept]).T


def _reduce_rank(fit: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Two factors of the best approximation of a matrix of at most the given rank."""
    rows, columns = fit.shape
    if rank >= min(rows, columns):
        return fit, np.eye(columns)
    if rows > columns:
        directions = _leading_directions(fit.T @ fit, rank)
        return fit @ directions, directions.T
    directions = _leading_directions(fit @ fit.T, rank)
    return directions, directions.T @ fit


def _leading_directions(gram: np.ndarray, count: int) -> np.ndarray:
    """Eigenvectors of the largest eigenvalues of a symmetric matrix, in columns."""
    return scipy.linalg.eigh(gram, subset_by_index=[len(gram) - count, len(gram) - 1])[1]
