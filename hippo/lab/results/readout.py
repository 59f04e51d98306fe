"""The best linear readout of states that are not trained, from exact covariances."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

TINY = 1e-14  # of the largest eigenvalue of a covariance: rounding
INDEPENDENT = 1e-6  # least relative deviation of a direction of features of deviation 1: rounding of float32


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
    is fitted to what the others leave, and after each pass over all groups the targets are fitted to all features
    together, until a pass improves the error by less than `tolerance` of it. The error is then an upper bound on the
    least one. Its last digits depend on rounding: where a group holds many directions of the targets equally well,
    rounding decides which it passes on first.

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
        if len(bases) > 1:
            fits, rest = _fit_all_features(fits, [basis for basis, _ in bases], rest)
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


def _fit_all_features(
    fits: list[tuple[np.ndarray, np.ndarray]], bases: list[np.ndarray], rest: np.ndarray
) -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
    """Fit the targets to the features of all groups at once; return fits with the same features, and what is left.

    The fits are kept if the new ones are not better, because directions of the features are left out.
    """
    features = np.concatenate([right @ basis for (_, right), basis in zip(fits, bases, strict=True)])
    targets = rest + np.concatenate([left for left, _ in fits], axis=1) @ features
    scale = np.linalg.norm(features, axis=1)
    used = scale > 0
    weights = np.zeros((len(targets), len(features)))
    solution = scipy.linalg.lstsq((features[used] / scale[used, None]).T, targets.T, cond=INDEPENDENT)[0]
    weights[:, used] = solution.T / scale[used]
    left_out = targets - weights @ features
    if np.square(left_out).sum() >= np.square(rest).sum():
        return fits, rest
    ends = np.cumsum([len(right) for _, right in fits])[:-1]
    return list(zip(np.split(weights, ends, axis=1), (right for _, right in fits), strict=True)), left_out


def _leading_directions(gram: np.ndarray, count: int) -> np.ndarray:
    """Eigenvectors of the largest eigenvalues of a symmetric matrix, in columns."""
    return scipy.linalg.eigh(gram, subset_by_index=[len(gram) - count, len(gram) - 1])[1]
