import numpy as np
import pytest
from numpy.polynomial import legendre
from pydantic import ValidationError

from hippo.data.white_noise import WhiteNoise, expected_projection_error, white_noise


def test_spectrum_ends_at_the_cutoff_and_power_is_one():
    signal = white_noise(10_000, 40, seed=3)
    power = np.abs(np.fft.rfft(signal)) ** 2
    assert power[0] < 1e-20 and power[41:].max() < 1e-20  # rounding of an FFT of unit-power input
    assert power[1:41].min() > 0
    np.testing.assert_allclose(np.mean(signal**2), 1, rtol=1e-12)


def test_spectrum_is_flat_on_average():
    powers = [np.abs(np.fft.rfft(white_noise(256, 16, seed))[1:17]) ** 2 for seed in range(500)]
    mean = np.mean(powers, axis=0)
    # each power is exponential, so its mean over 500 signals has a standard error of 1/sqrt(500) = 4.5 %; four of them
    np.testing.assert_allclose(mean / mean.mean(), 1, rtol=0, atol=0.18)


def test_same_cycles_at_another_length_are_the_same_function():
    np.testing.assert_allclose(white_noise(4000, 20, 1)[::4], white_noise(1000, 20, 1), rtol=0, atol=1e-12)


def test_expected_error_is_the_mean_least_squares_error():
    cycles, order, samples, count = 6, 20, 2000, 200
    grid = (2 * np.arange(samples) + 1) / samples - 1
    basis = legendre.legvander(grid, order - 1)
    signals = np.stack([white_noise(samples, cycles, seed) for seed in range(count)], axis=1)
    fitted = basis @ np.linalg.lstsq(basis, signals, rcond=None)[0]
    errors = np.mean((signals - fitted) ** 2, axis=0)
    # four standard errors of the mean, and 2 % because unit power is forced on every signal
    tolerance = 4 * errors.std() / np.sqrt(count) + 0.02 * errors.mean()
    assert abs(errors.mean() - expected_projection_error(cycles, order)) < tolerance


def test_expected_error_is_0_at_high_orders_and_1_for_the_mean():
    assert expected_projection_error(10, 80) == pytest.approx(0, abs=1e-12)
    assert expected_projection_error(10, 1) == pytest.approx(1, abs=1e-12)  # every harmonic has zero mean


def test_default_cutoff_is_the_one_nearest_to_the_papers_error():
    cycles = WhiteNoise().cycles
    errors = {near: abs(expected_projection_error(near, 256) - 0.02) for near in range(cycles - 3, cycles + 4)}
    assert min(errors, key=errors.get) == cycles


def test_dataset_holds_one_signal_that_is_its_own_target():
    dataset = WhiteNoise(samples=5000, cycles=10, seed=2).build()
    (part,) = dataset.parts.values()
    assert part.inputs.shape == (1, 5000, 1) and part.inputs.dtype == np.float32
    assert part.targets is None and part.times is None and dataset.classes is None
    # float32 of values below 5
    np.testing.assert_allclose(part.inputs[0, :, 0], white_noise(5000, 10, 2), rtol=0, atol=1e-6)
    assert dataset.digest == WhiteNoise(samples=5000, cycles=10, seed=2).build().digest
    assert dataset.digest != WhiteNoise(samples=5000, cycles=10, seed=3).build().digest


def test_cutoff_above_half_the_sampling_rate_is_refused():
    with pytest.raises(ValidationError, match="cycles = 50 needs more than 100 samples, got 100"):
        WhiteNoise(samples=100, cycles=50)
