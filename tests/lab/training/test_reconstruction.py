import numpy as np
import pandas as pd
import pytest
from numpy.polynomial import laguerre, legendre

from hippo.config import ConfigError
from hippo.data.white_noise import WhiteNoise, expected_projection_error, white_noise
from hippo.lab.analysis.memory_reconstruction import reconstruct_by_memory
from hippo.lab.analysis.optimum import optimal_mse
from hippo.lab.plan.reconstruction_options import LSTMOptions, MemoryOptions
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.training import lstm_reconstruction, reconstruction
from hippo.lab.training.lstm_reconstruction import reconstruct_by_lstm
from hippo.lab.training.reconstruction import run
from hippo.propagation import BlockPropagator
from tests.lab.recorders import Rows, Stopped


def midpoints(length: int) -> np.ndarray:
    return (2 * np.arange(length) + 1) / length - 1


def test_a_polynomial_of_low_degree_is_kept_exactly():
    signal = legendre.legval(midpoints(5000), np.random.default_rng(0).standard_normal(20))
    assert optimal_mse(signal, order=20) < 1e-12  # rounding of a sum of squares near 1
    assert optimal_mse(signal, order=19) > 1e-4


def test_the_optimum_is_the_least_squares_residual(monkeypatch):
    """NumPy's own solver of the same problem, by orthogonal factors instead of normal equations."""
    monkeypatch.setattr("hippo.lab.analysis.optimum.CHUNK", 700)  # several chunks, the last one short
    signal = np.random.default_rng(1).standard_normal(3000)
    basis = legendre.legvander(midpoints(3000), 29)
    residual = signal - basis @ np.linalg.lstsq(basis, signal, rcond=None)[0]
    assert optimal_mse(signal, order=30) == pytest.approx(np.mean(residual**2), rel=1e-10)


def test_the_optimum_of_white_noise_is_the_expected_projection_error():
    """Averaged over 60 signals, which leaves a standard error of about a tenth (measured: 8 %)."""
    found = [optimal_mse(WhiteNoise(samples=4000, cycles=12, seed=s).build().parts["test"].inputs[0, :, 0], 32)
             for s in range(60)]  # fmt: skip
    assert np.mean(found) == pytest.approx(expected_projection_error(12, 32), rel=0.35)


def trial(measure: str) -> TrialSpec:
    return TrialSpec(
        experiment="e",
        scale="quick",
        variant="v",
        model=measure,
        seed=0,
        task="reconstruction",
        dataset_name="white_noise",
        dataset=WhiteNoise(),
        model_name="memory",
        model_options=MemoryOptions(measure=measure, order=64, dtype="float64"),
        training=None,
        threads=1,
    )


@pytest.mark.parametrize("measure", ["legs", "lmu", "legt"])
def test_a_memory_of_enough_coefficients_comes_near_the_optimum_and_never_below(measure, tmp_path):
    dataset = WhiteNoise(samples=20_000, cycles=10, seed=0).build()
    outcome = run(trial(measure), dataset, Rows(folder=tmp_path))
    assert outcome["optimal_mse"] < 1e-6  # 64 coefficients, 10 cycles: π coefficients per cycle are enough
    assert outcome["optimal_mse"] <= outcome["mse"] < 1e-3
    assert outcome["steps_per_second"] > 0
    plotted = pd.read_csv(tmp_path / "reconstruction.csv")
    error = np.mean((plotted["signal"] - plotted["reconstructed"]) ** 2)
    assert error == pytest.approx(outcome["mse"], rel=0.3, abs=1e-9)


@pytest.mark.parametrize(("samples", "points"), [(1000, 1000), (9000, 4000)])
def test_the_plotted_points_are_those_of_the_signal_from_end_to_end(tmp_path, samples, points):
    dataset = WhiteNoise(samples=samples, cycles=3).build()
    run(trial("legs"), dataset, Rows(folder=tmp_path))
    plotted = pd.read_csv(tmp_path / "reconstruction.csv")
    assert len(plotted) == points and plotted["sample"].is_unique
    assert (plotted["sample"].min(), plotted["sample"].max()) == (0, samples - 1)
    signal = dataset.parts["test"].inputs[0, plotted["sample"], 0]
    np.testing.assert_allclose(plotted["signal"], signal, rtol=1e-5)  # printed with six digits


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
def test_an_error_that_is_not_finite_is_divergence(monkeypatch, tmp_path, value):
    """The square of 1e200 is infinite."""
    monkeypatch.setattr(reconstruction, "reconstruct_by_memory", lambda signal, options: (signal + value, {}))
    recorder = Rows(folder=tmp_path)
    with np.errstate(over="ignore", invalid="ignore"):
        outcome = run(trial("legs"), WhiteNoise(samples=1000, cycles=3).build(), recorder)
    assert outcome == {"status": "diverged", "epochs": 1}
    assert recorder.rows == [] and not list(tmp_path.iterdir())


def test_a_fading_memory_spans_the_signal_by_its_time_constants():
    """Against the sums of the signal times e^{-s/2} L_n(s), with the ages s from 0 to 10 time constants."""
    signal = white_noise(4000, 3, seed=1)
    options = MemoryOptions(measure="lagt", order=16, dtype="float64", time_constants=10.0)
    reconstructed, _ = reconstruct_by_memory(signal, options)
    step = 10 / 4000
    ages = step * (np.arange(4000)[::-1] + 0.5)
    basis = np.exp(-ages / 2)[:, None] * laguerre.lagvander(ages, 15)
    # A midpoint rule: 16 errors of step^2 / 24 times second derivatives, which are below 16^2.
    np.testing.assert_allclose(reconstructed, basis @ (step * signal @ basis), rtol=0, atol=1e-3)


def test_a_trained_lstm_beats_the_mean_on_an_easy_task(monkeypatch):
    """Two cycles on 40 samples: four numbers to remember. The answer 0 has the error 1, the power of the signals."""
    options = LSTMOptions(hidden_size=24, order=8, length=40, steps=150, batch_size=32, learning_rate=1e-2)
    signal = white_noise(40, 2, seed=99).astype(np.float32)
    monkeypatch.setattr(lstm_reconstruction, "CHUNK", 7)  # the state passes from chunk to chunk
    given, new_signals = [], lstm_reconstruction._new_signals
    monkeypatch.setattr(
        lstm_reconstruction, "_new_signals", lambda *options: given.append(new_signals(*options)) or given[-1]
    )
    reconstructed, row = reconstruct_by_lstm(signal, options, cycles=2, entropy=5, recorder=Rows())
    assert row["training_length_mse"] < 0.3
    assert len({one.numpy().tobytes() for batch in given for one in batch}) == 150 * 32 + 64  # also when held out
    assert np.mean((reconstructed - signal) ** 2) < 0.3  # of a signal of the training length
    assert row["parameters"] == 4 * 24 * (1 + 24 + 2) + 25 * 8


def test_training_signals_that_are_too_short_are_refused():
    options = LSTMOptions(hidden_size=4, order=3, length=10, steps=6, batch_size=2)
    with pytest.raises(ConfigError, match="length 10 .*: more than 10 samples are needed for 5 cycles"):
        reconstruct_by_lstm(np.zeros(40, np.float32), options, cycles=5, entropy=5, recorder=Rows())


def test_an_interrupted_lstm_ends_with_equal_bits():
    options = LSTMOptions(hidden_size=4, order=3, length=10, steps=6, batch_size=2)
    signal = white_noise(40, 2, seed=99).astype(np.float32)

    def read(recorder):
        return reconstruct_by_lstm(signal, options, cycles=2, entropy=5, recorder=recorder)[0]

    first = Rows(stop=4)
    with pytest.raises(Stopped):
        read(first)
    np.testing.assert_array_equal(read(Rows(earlier=first)), read(Rows()))


@pytest.mark.parametrize("length", [100, 4095])
def test_no_matrix_is_computed_while_time_is_measured(monkeypatch, length):
    made, seen = [], []
    build = BlockPropagator.power
    monkeypatch.setattr(BlockPropagator, "power", lambda self, width: made.append(width) or build(self, width))
    monkeypatch.setattr(
        "hippo.lab.training.reconstruction.time.perf_counter", lambda: seen.append(len(made)) or len(seen)
    )
    options = MemoryOptions(measure="legt", order=7, dtype="float32")
    reconstruct_by_memory(np.ones(length, dtype=np.float32), options)
    assert seen[0] == seen[1] > 0
