from itertools import combinations

import numpy as np
import pytest

from hippo_baselines.minirocket import MiniRocketFeatures


def by_hand(sequence, channels_per_kernel, channels, dilations, features_per_dilation, biases):
    """The paper's kernels, one convolution at a time: weights 2 at three of nine places, -1 at the others.

    Both ends are padded with zeros, and the outputs on the padding are pooled too, as for sequences of any length.
    """
    length, features = len(sequence), []
    channels, biases = iter(np.split(channels, np.cumsum(channels_per_kernel)[:-1])), iter(biases)
    for dilation, count in zip(dilations, features_per_dilation, strict=True):
        for places in combinations(range(9), 3):
            chosen = sequence[:, next(channels)].sum(axis=1)
            padded = np.pad(chosen, 4 * dilation)
            weights = np.where(np.isin(np.arange(9), places), 2.0, -1.0)
            output = sum(w * padded[j * dilation : j * dilation + length] for j, w in enumerate(weights))
            features += [np.mean(output > next(biases)) for _ in range(count)]
    return np.array(features)


def test_features_are_fractions_of_positive_values():
    X = np.random.default_rng(0).normal(size=(4, 60, 3)).astype(np.float32)
    features = MiniRocketFeatures(kernels=252, seed=1).fit(X)
    expected = np.array([by_hand(x, *features.transform_.parameters) for x in X])
    # One of about 60 pooled values may be within a float32 rounding of the bias and be counted differently.
    found = features.transform(X)
    assert found.shape == (4, 252)
    assert np.mean(np.abs(found - expected) > 1e-6) < 0.02


def test_one_seed_gives_one_transform_for_any_length():
    X = np.random.default_rng(0).normal(size=(6, 30, 2))
    first, again, other = (MiniRocketFeatures(kernels=84, seed=s).fit(X) for s in (3, 3, 4))
    assert np.array_equal(first.transform(X), again.transform(X))
    assert not np.array_equal(first.transform(X), other.transform(X))
    for length in (5, 12, 90):
        fractions = first.transform(np.random.default_rng(1).normal(size=(3, length, 2)))
        assert fractions.shape == (3, 84) and ((fractions >= 0) & (fractions <= 1)).all()


@pytest.mark.parametrize("scale", [0.5, 8.0])
def test_features_do_not_depend_on_the_unit(scale):
    """Biases are quantiles of the outputs of the kernels, so they scale with the inputs."""
    X = np.random.default_rng(0).normal(size=(6, 30, 2)).astype(np.float32)
    one, scaled = (MiniRocketFeatures(kernels=84, seed=3).fit(factor * X) for factor in (1, scale))
    np.testing.assert_array_equal(one.transform(X), scaled.transform(scale * X))
