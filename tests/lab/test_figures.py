import numpy as np
import pandas as pd
import pytest
from matplotlib import image
from matplotlib.axes import Axes

from hippo.lab.figures.basis import basis_functions
from hippo.lab.figures.kernels import kernel_speed
from hippo.lab.figures.learning import histories, learning_curves
from hippo.lab.figures.ranks import ranks
from hippo.lab.style import STYLE, WIDTH, lines
from tests.lab.outcomes import finish, finish_all, write_plan


def check(path):
    """Both files, 8 cm wide, with something drawn."""
    picture = image.imread(path)[..., :3]
    assert picture.shape[1] == pytest.approx(WIDTH * STYLE["savefig.dpi"], abs=2)
    assert (picture < 0.6).any(axis=-1).sum() > 2000
    assert path.with_suffix(".svg").read_text().startswith("<?xml")


def test_learning_curves_show_mean_and_band_of_every_model(tmp_path):
    experiment, trials = write_plan(tmp_path), tmp_path / "trials"
    finish_all(experiment, trials)
    learning_curves(experiment, trials, tmp_path / "curves.png")
    check(tmp_path / "curves.png")
    folders = [trials / experiment.trial("a", "legs", seed).name for seed in range(3)]
    table = histories(folders, "validation_accuracy").groupby("epoch")["validation_accuracy"]
    np.testing.assert_allclose(table.mean(), [0.37, 0.42, 0.47])
    np.testing.assert_allclose(table.max() - table.min(), 0.04)


def test_learning_curves_leave_out_trials_of_other_settings(tmp_path, monkeypatch):
    experiment, trials = write_plan(tmp_path), tmp_path / "trials"
    finish_all(experiment, trials)
    finish(experiment, trials, "legs", 0, trial="another")
    lines, plot = {}, Axes.plot

    def noted(axis, line, label, **look):
        lines[label] = line.to_numpy()
        return plot(axis, line, label=label, **look)

    monkeypatch.setattr(Axes, "plot", noted)
    learning_curves(experiment, trials, tmp_path / "curves.png")
    np.testing.assert_allclose(lines["LegS"], [38, 43, 48])  # of seeds 1 and 2
    np.testing.assert_allclose(lines["LSTM"], [37, 42, 47])


def test_figures_without_any_trial_say_so(tmp_path):
    experiment = write_plan(tmp_path)
    for draw, name in ((learning_curves, "curves"), (ranks, "ranks")):
        draw(experiment, tmp_path / "trials", tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 3000


def test_ranks_basis_functions_and_kernel_speed_are_drawn(tmp_path):
    experiment = write_plan(tmp_path)
    finish_all(experiment, tmp_path / "trials", gru=0.4)
    ranks(experiment, tmp_path / "trials", tmp_path / "ranks.png")
    basis_functions(tmp_path / "basis.png")
    rows = [(d, n, m, 1e8 / n) for d in ("float32", "float64") for n in (64, 256) for m in ("bilinear", "zoh")]
    kernel_speed(pd.DataFrame(rows, columns=["dtype", "order", "method", "steps_per_second"]), tmp_path / "speed.png")
    for name in ("ranks", "basis", "speed"):
        check(tmp_path / f"{name}.png")


def test_lines_differ_without_their_colour():
    looks = [(look["linestyle"], look["marker"]) for look, _ in zip(lines(), range(12), strict=False)]
    assert len(set(looks)) == 12
