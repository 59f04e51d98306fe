import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from hippo.lab.reporting.figures.trial import plot_trial
from hippo.lab.results.trial_files import read_history, read_reconstruction


def plot_folder(folder) -> None:
    plot_trial(read_history(folder), read_reconstruction(folder), folder / "figure")


def plotted(monkeypatch, folder) -> list[np.ndarray]:
    """The lines of the figure, panel by panel."""
    lines, plot = [], Axes.plot

    def record(axis, *data, **style):
        lines.append(np.asarray(data[-1]))
        return plot(axis, *data, **style)

    monkeypatch.setattr(Axes, "plot", record)
    plot_folder(folder)
    return lines


def test_a_trained_trial_shows_every_number_of_every_part(tmp_path, monkeypatch):
    history = pd.DataFrame({"epoch": [1, 2, 3], "seconds": [1.0, 1, 1]})
    for k, column in enumerate(
        f"{part}_{name}" for name in ("loss", "accuracy") for part in ("train", "validation", "test")
    ):
        history[column] = np.arange(3.0) + 10 * k
    history.to_csv(tmp_path / "history.csv", index=False)
    lines = plotted(monkeypatch, tmp_path)
    np.testing.assert_array_equal(lines, [np.arange(3.0) + 10 * k for k in range(6)])
    assert (tmp_path / "figure.png").exists() and (tmp_path / "figure.svg").exists()


def test_a_memory_shows_both_ends_of_its_signal(tmp_path, monkeypatch):
    samples = np.arange(101)
    points = {"sample": samples, "signal": np.sin(samples), "reconstructed": np.cos(samples)}
    pd.DataFrame(points).to_csv(tmp_path / "reconstruction.csv", index=False)
    old, old_again, new, new_again = plotted(monkeypatch, tmp_path)
    np.testing.assert_allclose(old, np.sin(samples[:9]))  # 8 % at each end
    np.testing.assert_allclose(old_again, np.cos(samples[:9]))
    np.testing.assert_allclose(new, np.sin(samples[92:]))
    np.testing.assert_allclose(new_again, np.cos(samples[92:]))


def test_one_epoch_is_not_plotted(tmp_path):
    pd.DataFrame({"epoch": [1], "train_loss": [1.0]}).to_csv(tmp_path / "history.csv", index=False)
    plot_folder(tmp_path)
    assert not (tmp_path / "figure.png").exists()
