"""Band-limited noise and its tasks, against the definition of the noise."""

import numpy as np
import pytest

from hippo.data.band_limited_noise import BandLimitedNoise, band_limited_noise, harmonics
from hippo.data.delay import Delay, FrozenDelay
from hippo.data.reconstruct import FrozenReconstruct, Reconstruct
from hippo.data.unit_signals import UnitSignals


def published_noise(
    length: int, interval: float, band_limit: float, rms: float, coefficients: np.ndarray
) -> np.ndarray:
    """The published generator, step by step, given standard normal coefficients (2, length / 2 + 1)."""
    count = length // 2
    spectrum = rms * np.sqrt(0.5) * (coefficients[0] + 1j * coefficients[1])
    spectrum[0] = spectrum[-1] = 0
    zero = np.fft.rfftfreq(length, interval) > band_limit
    spectrum[zero] = 0
    spectrum /= np.sqrt(1 - zero.sum() / count)
    return np.fft.irfft(spectrum * np.sqrt(2 * count), length)


def test_noise_has_the_distribution_of_the_published_generator():
    """Both are linear in independent normal coefficients: matrices that are equal up to a rotation."""
    noise = BandLimitedNoise(length=40, interval=0.05, band_limit=4.0, rms=0.7)
    assert noise.cycles == 8
    exact = BandLimitedNoise(length=100, interval=1.0, band_limit=0.29)  # 100 * 0.29 is 28.999999999999996
    assert exact.cycles == 29 and exact.angles[-1] == pytest.approx(2 * np.pi * 0.29)
    ours = harmonics(40, 8, 0.7)
    theirs = np.stack(
        [published_noise(40, 0.05, 4.0, 0.7, basis.reshape(2, 21)) for basis in np.eye(42)], axis=1
    )  # (length, coefficients)
    np.testing.assert_allclose(ours @ ours.T, theirs @ theirs.T, rtol=0, atol=1e-14)
    assert np.square(ours).sum(axis=1) == pytest.approx(0.49)


def test_signals_are_harmonics_of_their_coefficients():
    signals = band_limited_noise(3, 30, 5, 0.5, np.random.default_rng(0))
    cosines, sines = np.random.default_rng(0).standard_normal((2, 3, 5))
    expected = np.concatenate([cosines, sines], axis=1) @ harmonics(30, 5, 0.5).T
    np.testing.assert_allclose(signals, expected, rtol=0, atol=1e-14)


def test_the_published_reconstruct_targets_have_their_power():
    """0.4996: twice the mean square of the noise, less the correlation with the first sample."""
    _, targets = FrozenReconstruct().coordinates(_Nothing())
    assert np.square(targets).sum() / len(targets) == pytest.approx(0.4996, abs=5e-5)


class _Nothing:
    """No states."""

    def impulse_responses(self, length):
        return np.zeros((0, length))


def test_reconstruct_targets_are_the_last_inputs():
    dataset = Reconstruct(length=60, window=7, train_samples=5, eval_samples=3).build()
    for part in dataset.parts.values():
        np.testing.assert_array_equal(part.inputs[:, -7:, 0], part.targets)
        assert (part.inputs[:, 0] == 0).all()
    frozen = FrozenReconstruct(length=60, window=7, samples=3).build()
    np.testing.assert_array_equal(frozen.parts["test"].targets, dataset.parts["test"].targets)


def test_delay_targets_are_earlier_inputs():
    part = Delay(length=60, lag=7, band_limit=700.0, train_samples=5, eval_samples=3).build().parts["train"]
    np.testing.assert_array_equal(part.inputs[:, :-7], part.targets[:, 7:])
    assert (part.targets[:, :7] == 0).all() and (part.inputs[:, 0] == 0).all()
    part = FrozenDelay(length=60, lag=7, band_limit=700.0, samples=3).build().parts["test"]
    np.testing.assert_array_equal(np.roll(part.inputs, 7, axis=1), part.targets)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 60, "window": 60}, "window = 60 does not fit into length = 60"),
        ({"length": 60, "window": 5, "band_limit": 10.0}, "band_limit = 10.0 Hz is 0 harmonics of 60 samples"),
        ({"length": 60, "window": 5, "band_limit": 500.0}, "choose a band limit of 1 to 29 harmonics"),
    ],
)
def test_settings_that_contradict_each_other(options, message):
    with pytest.raises(ValueError, match=message):
        Reconstruct(**options)
    with pytest.raises(ValueError, match="lag = 60 leaves no target in length = 60"):
        Delay(length=60, lag=60, band_limit=700.0)


def test_unit_signals_have_a_mean_square_of_one():
    constant = UnitSignals(signal="constant", samples=2).build().parts["test"].inputs
    assert (constant == 1).all() and constant.shape == (2, 5000, 1)
    noise = UnitSignals(samples=64).build().parts["test"].inputs
    # Each signal has 2 · 100 coefficients: the mean over 64 of them has a relative deviation of sqrt(2 / 12800).
    assert np.square(noise).mean() == pytest.approx(1, abs=5 * (2 / 12800) ** 0.5)


def test_every_epoch_has_new_sequences_from_the_seed_and_its_number():
    """All parts but one have as many sequences, so that equal seeds would give equal sequences."""
    options = Reconstruct(length=60, window=7, train_samples=4, eval_samples=5, fresh_samples=5)
    first, second = options.epoch_part(1), options.epoch_part(2)
    assert len(first.inputs) == 5
    np.testing.assert_array_equal(options.epoch_part(2).inputs, second.inputs)
    parts = [first, second, *options.build().parts.values()]
    assert len({sample.tobytes() for part in parts for sample in part.inputs}) == 5 + 5 + 4 + 5 + 5
    other = options.model_copy(update={"seed": 1})
    assert not np.array_equal(other.epoch_part(1).inputs, first.inputs)
    assert Reconstruct(length=60, window=7).epoch_part(1) is None
    assert "fresh_samples" not in Reconstruct(length=60, window=7).digest_content()
