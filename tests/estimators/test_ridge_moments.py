"""Ridge regression from moments against scikit-learn's on all samples."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from hippo.estimators.ridge_moments import ALPHAS, RidgeMoments


def samples(count=80, features=6, targets=2, offset=0.0):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(count, features)) * [1, 10, 0.1, 1, 1, 5] + offset
    y = x @ rng.normal(size=(features, targets)) + rng.normal(size=(count, targets))
    return x, y


def moments_of(x, y, chunks=1):
    moments = RidgeMoments(x.shape[1], y.shape[1])
    for rows in np.array_split(np.arange(len(x)), chunks):
        moments.add(x[rows], y[rows])
    return moments


@pytest.mark.parametrize("alpha", [1e-3, 1.0])
def test_it_is_ridge_regression_on_standardized_features(alpha):
    x, y = samples()
    scaler = StandardScaler().fit(x)
    expected = Ridge(alpha * len(x)).fit(scaler.transform(x), y)
    solution = moments_of(x, y).solve(alpha)
    np.testing.assert_allclose(solution.predict(x), expected.predict(scaler.transform(x)), rtol=0, atol=1e-10)


def test_chunks_give_the_moments_of_all_samples():
    """Means of 1e6 with deviations of 1: uncentered sums would lose 12 of 16 digits."""
    x, y = samples(offset=1e6)
    whole, parts = moments_of(x, y).solve(1e-3), moments_of(x, y, chunks=len(x)).solve(1e-3)
    np.testing.assert_allclose(parts.weights, whole.weights, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(parts.predict(x), whole.predict(x), rtol=0, atol=1e-6 * np.ptp(y))


def test_the_strength_has_the_smallest_generalized_cross_validation_error():
    """Against the definition: squared residuals of the hat matrix over the squared trace of its complement."""
    x, y = samples(25)

    def error(alpha):
        z = StandardScaler().fit_transform(x)
        hat = z @ np.linalg.solve(z.T @ z + alpha * len(z) * np.eye(6), z.T) + 1 / len(z)
        residuals = y - hat @ y
        return ((residuals**2).sum(axis=0) / ((y - y.mean(axis=0)) ** 2).sum(axis=0)).sum() / np.trace(
            np.eye(len(z)) - hat
        ) ** 2

    solution = moments_of(x, y).solve()
    assert solution.alpha == min(ALPHAS, key=error)
    residuals = y - solution.predict(x)
    eigenvalues = np.linalg.eigvalsh(np.corrcoef(x.T))
    freedom = 1 + (eigenvalues / (eigenvalues + solution.alpha)).sum()
    np.testing.assert_allclose(solution.variance, (residuals**2).sum(axis=0) / (25 - freedom), rtol=1e-8)


@pytest.mark.parametrize("target", [0, 1])
def test_the_strength_does_not_depend_on_the_unit_of_a_target(target):
    """One target is learned and the other is noise, so that each alone would choose another strength."""
    x, y = samples(25)
    y[:, 1] = np.random.default_rng(1).normal(size=25)
    alone = [moments_of(x, y[:, [column]]).solve().alpha for column in (0, 1)]
    alpha = moments_of(x, y).solve().alpha
    assert len({*alone, alpha}) == 3
    y[:, target] *= 1000
    assert moments_of(x, y).solve().alpha == alpha


def test_constant_features_and_no_samples():
    x, y = samples()
    x[:, 2] = 0.1  # which has rounding errors in its mean
    x[:, 3] = 0
    others = [0, 1, 4, 5]
    solution, expected = moments_of(x, y, chunks=7).solve(0.1), moments_of(x[:, others], y).solve(0.1)
    np.testing.assert_allclose(solution.weights[others], expected.weights, rtol=1e-10)
    assert (solution.weights[[2, 3]] == 0).all()
    empty = RidgeMoments(3, 2).solve()
    assert (empty.predict(np.ones(3)) == 0).all() and np.isnan(empty.variance).all()
    one = RidgeMoments(3, 2)
    one.add(np.ones((1, 3)), np.full((1, 2), 4.0))
    np.testing.assert_allclose(one.solve().predict(np.ones(3)), [4.0, 4.0])
    assert (one.solve().variance == 0).all()  # of no residuals, with as many degrees of freedom as samples
