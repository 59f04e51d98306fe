"""Figures, read from the axes that were saved: each line against the numbers that the test wrote."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib import image
from matplotlib.collections import FillBetweenPolyCollection, LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure as Canvas
from numpy.polynomial import legendre

from hippo.config import ConfigError
from hippo.data.reconstruct import FrozenReconstruct
from hippo.data.white_noise import white_noise
from hippo.lab.analysis.linear_states import BilinearStates
from hippo.lab.plan.experiment import load_experiment
from hippo.lab.reporting.figure import Figure, available_figures, find_figure, plot_figure
from hippo.lab.reporting.plot_style import STYLE, WIDTH, line_styles
from hippo.lab.results.results import collect_results
from hippo.memory import OnlineMemory, reconstruct
from hippo.operators.measures import MEASURES
from tests.lab.outcomes import finish, finish_all, write_experiment

RANKLESS = "pairs of variant and seed: 0, at least 2 needed\nmodels: 0, at least 3 needed"
LETTERS = {"name": "character_trajectories", "speeds": [0.5, 1.0, 2.0]}
NOISE = {
    "dataset": {"name": "white_noise"},
    "models": {"legs": {"label": "LegS", "model": "memory"}},
    "training": {},
    "scales": {},
    "seeds": 1,
    "paper": None,
}


@pytest.fixture
def plot(tmp_path, monkeypatch):
    """Plots a registered figure, checks both of its files, and returns what was saved: the figure and its axes."""
    saved, save = {}, Canvas.savefig

    def savefig(self, path, *, format, **options):
        saved[format] = self
        save(self, path, format=format, **options)

    monkeypatch.setattr(Canvas, "savefig", savefig)

    def plot(name, source, **options):
        out = tmp_path / "figure.png"
        find_figure(name).plot(source, out, **options)
        assert image.imread(out).shape[1] == pytest.approx(WIDTH * STYLE["savefig.dpi"], abs=2)  # 8 cm
        assert out.with_suffix(".svg").read_text().startswith("<?xml")
        assert saved["png"] is saved["svg"]
        return saved["png"], saved["png"].axes

    return plot


def named(axis) -> dict:
    """The lines of an axis that its legend names."""
    return {line.get_label(): line for line in axis.lines if not line.get_label().startswith("_")}


def legend_of(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_learning_curves_show_mean_and_band_of_every_model(tmp_path, plot):
    variants = {key: {"label": f"variant {key}"} for key in "ab"}
    experiment, trials = write_experiment(tmp_path, variants=variants), tmp_path / "trials"
    labels = [model.label for model in experiment.spec.models.values()]
    finish_all(experiment, trials)
    for seed, scores in enumerate(((0.1, 0.2), (0.3, 0.4), (0.2, 0.9))):
        folder = finish(experiment, trials, "gru", seed, variant="b")
        rows = "".join(f"{epoch},{score}\n" for epoch, score in enumerate(scores, start=1))
        (folder / "history.csv").write_text(f"epoch,validation_accuracy\n{rows}")
    figure, axes = plot("learning_curves", collect_results(experiment, trials))
    assert [axis.get_title() for axis in axes] == ["variant a", "variant b"] and legend_of(figure) == labels
    for axis in axes:
        bands = [band for band in axis.collections if isinstance(band, FillBetweenPolyCollection)]
        assert len(bands) == 3 and list(named(axis)) == labels
        for (label, line), band in zip(named(axis).items(), bands, strict=True):
            changed = axis is axes[1] and label.startswith("GRU")
            epochs = [1, 2] if changed else [1, 2, 3]
            mean = [20, 50] if changed else [37, 42, 47]  # 30 + 5 an epoch, 2 more for each seed
            low, high = ([10, 20], [30, 90]) if changed else ([35, 40, 45], [39, 44, 49])
            np.testing.assert_allclose(line.get_xydata(), np.column_stack([epochs, mean]))
            edge = {(x, y) for x, y in band.get_paths()[0].vertices.round(6)}
            assert edge == {*zip(epochs, low, strict=True), *zip(epochs, high, strict=True)}
            assert to_rgb(band.get_facecolor()[0]) == to_rgb(line.get_color())


def test_learning_curves_leave_out_trials_of_other_settings(tmp_path, plot):
    experiment, trials = write_experiment(tmp_path), tmp_path / "trials"
    finish_all(experiment, trials)
    finish(experiment, trials, "legs", 0, trial="another")
    _, (axis,) = plot("learning_curves", collect_results(experiment, trials))
    plotted = {label: list(line.get_ydata().round(6)) for label, line in named(axis).items()}
    assert (plotted["LegS"], plotted["LSTM"]) == ([38, 43, 48], [37, 42, 47])  # LegS without the lowest of three seeds


def test_learning_curves_have_no_panel_of_a_variant_without_trials(tmp_path, plot):
    variants = {key: {"label": f"variant {key}"} for key in "abc"}
    experiment, trials = write_experiment(tmp_path, variants=variants), tmp_path / "trials"
    finish(experiment, trials, "gru", 0, variant="b")
    diverged = finish(experiment, trials, "gru", 0, variant="c", status="diverged")
    history = "epoch,validation_accuracy\n1,{}\n2,\n"
    (diverged / "history.csv").write_text(history.format(""))
    _, axes = plot("learning_curves", collect_results(experiment, trials))
    assert [axis.get_title() for axis in axes] == ["variant b"]
    assert axes[0].get_yscale() == "linear"
    (diverged / "history.csv").write_text(history.format(0.25))  # it diverged in the second epoch
    _, axes = plot("learning_curves", collect_results(experiment, trials))
    assert [axis.get_title() for axis in axes] == ["variant b", "variant c"]
    (line,) = named(axes[1]).values()
    np.testing.assert_allclose(line.get_xydata(), [[1, 25]])


def test_learning_curves_of_errors_are_logarithmic(tmp_path, plot):
    experiment = write_experiment(tmp_path, dataset={"name": "adding", "train_samples": 5}, paper=None)
    folder = finish(experiment, tmp_path / "trials", "gru", 0, validation_nrmse=0.1, test_nrmse=0.1, test_loss=0.01)
    (folder / "history.csv").write_text("epoch,validation_nrmse\n1,0.5\n2,0.1\n")
    _, (axis,) = plot("learning_curves", collect_results(experiment, tmp_path / "trials"))
    (line,) = named(axis).values()
    np.testing.assert_allclose(line.get_xydata(), [[1, 0.5], [2, 0.1]])
    assert axis.get_yscale() == "log"


def test_figures_without_any_trial_have_a_message(tmp_path, plot):
    letters = {"dataset": LETTERS, "variants": {key: {"label": key} for key in "ab"}}
    experiments = {
        "learning_curves": (write_experiment(tmp_path), "no trial has finished an epoch"),
        "ranks": (write_experiment(tmp_path), RANKLESS),
        "speed_curve": (write_experiment(tmp_path, **letters), "no finished trial was tested at other speeds"),
        "signals": (write_experiment(tmp_path, **NOISE), "no finished trial"),
    }
    for name, (experiment, message) in experiments.items():
        _, axes = plot(name, collect_results(experiment, tmp_path / "trials"))
        assert [text.get_text() for axis in axes for text in axis.texts] == [message]
        assert not axes[0].axison and not any(axis.lines or axis.collections for axis in axes)


def test_the_speed_curve_shows_mean_and_deviation_of_every_model_at_every_speed(tmp_path, plot):
    experiment, trials = write_experiment(tmp_path, dataset=LETTERS), tmp_path / "trials"
    accuracy = {"legs": (0.5, 0.9, 0.7), "gru": (0.2, 0.8, 0.1)}  # at half, same and double speed; lstm never ran
    for model, at_speeds in accuracy.items():
        for seed, more in enumerate((-0.05, 0, 0.05)):  # whose sample deviation is 0.05
            numbers = zip(("0.5", "1", "2"), at_speeds, strict=True)
            finish(experiment, trials, model, seed, **{f"speed_{s}_accuracy": a + more for s, a in numbers})
    figure, (axis,) = plot("speed_curve", collect_results(experiment, trials))
    plotted = {bar.get_label(): bar.lines for bar in axis.containers}
    labels = {model: experiment.spec.models[model].label for model in accuracy}
    assert list(plotted) == legend_of(figure) == list(labels.values())
    for model, at_speeds in accuracy.items():
        line, _, (bars,) = plotted[labels[model]]
        assert isinstance(bars, LineCollection)
        np.testing.assert_allclose(line.get_xydata(), np.column_stack([[0.5, 1, 2], np.multiply(at_speeds, 100)]))
        np.testing.assert_allclose([np.ptp(bar[:, 1]) / 2 for bar in bars.get_segments()], 5)
    table = pd.read_csv(tmp_path / "figure.csv")
    assert len(table) == 6 and (table["seeds"] == 3).all()


def test_a_speed_curve_needs_other_speeds(tmp_path):
    with pytest.raises(ConfigError, match="see the dataset option 'speeds'"):
        plot_figure(
            "speed_curve", collect_results(write_experiment(tmp_path), tmp_path / "trials"), tmp_path / "curve.png"
        )


def test_ranks_show_every_model_at_its_mean_rank(tmp_path, plot):
    experiment = write_experiment(tmp_path)
    finish_all(experiment, tmp_path / "trials", gru=0.4)
    _, (axis,) = plot("ranks", collect_results(experiment, tmp_path / "trials"))
    points = [line for line in axis.lines if len(line.get_xdata()) == 1]
    assert [point.get_xdata()[0] for point in points] == [1.5, 1.5, 3.0]  # two equal ones both have the mean of 1 and 2
    labels = [experiment.spec.models[model].label for model in ("legs", "lstm", "gru")]
    for text, label, point in zip(axis.texts, labels, points, strict=True):
        assert text.get_text().startswith(label) and text.xy == (point.get_xdata()[0], point.get_ydata()[0])
    (bar,) = [line for line in axis.lines if len(line.get_xdata()) == 2]
    assert list(bar.get_xdata()) == [1.5, 3.0]  # 1.91, the critical difference, is more than 1.5


def test_basis_functions_are_those_of_each_measure(plot):
    """Those of LegS are the Legendre polynomials, orthonormal on the past as fractions of it; 0 is now."""
    figure, axes = plot("basis_functions", None)
    assert len(axes) == sum(measure.basis is not None for measure in MEASURES.values())
    assert legend_of(figure) == [f"n = {n}" for n in range(5)]
    assert [len(named(axis)) for axis in axes] == [5] * len(axes)
    legs = next(axis for axis in axes if axis.get_title().startswith("LegS"))
    for n, line in enumerate(named(legs).values()):
        age = line.get_xdata()
        expected = np.sqrt(2 * n + 1) * legendre.legval(1 - 2 * age, [0] * n + [1])
        np.testing.assert_allclose(line.get_ydata(), expected, rtol=0, atol=1e-12)
        assert (age[0], age[-1]) == (0, 1)


def test_basis_kernels_are_those_of_each_system(plot):
    """legs against its closed form; a larger distance from it with noise, and a larger one without low-rank term."""
    figure, axes = plot("basis_kernels", None, order=32)
    titles = {axis.get_title() for axis in axes}
    assert {"S4-LegS", "S4-LegT", "S4-FouT", "S4D-LegS", "S4D-Inv", "S4D-Lin", "S4D-Real"} < titles
    assert legend_of(figure) == [f"n = {n}" for n in range(5)]
    lines = {axis.get_title(): list(named(axis).values()) for axis in axes}
    exact, noisy, without = 0.0, 0.0, 0.0
    for n in range(5):
        age = lines["S4-LegS"][n].get_xdata()
        expected = np.exp(-age) * np.sqrt(2 * n + 1) * legendre.legval(2 * np.exp(-age) - 1, [0] * n + [1])
        titles_of_legs = ("S4-LegS", "S4-LegS, P + noise", "S4D-LegS")
        errors = [np.linalg.norm(lines[title][n].get_ydata() - expected) for title in titles_of_legs]
        exact, noisy, without = exact + errors[0], noisy + errors[1], without + errors[2]
        np.testing.assert_allclose(
            lines["S4D-Lin"][n].get_ydata(), np.sqrt(2) * np.exp(-age / 2) * np.cos(np.pi * n * age), rtol=0, atol=1e-12
        )
    assert exact < 1e-10 < 0.1 < noisy < without


def test_low_rank_terms_have_a_panel_per_system_and_term(plot):
    """With the exact term, legs against its closed form; without a term, fout is a cosine at all ages."""
    figure, axes = plot("low_rank_terms", None, order=32)
    lines = {axis.get_title(): list(named(axis).values()) for axis in axes}
    assert len(lines) == len(axes) == 12 and all(len(kernels) == 3 for kernels in lines.values())
    for n in range(3):
        age = lines["LegS, exact P"][n].get_xdata()
        expected = np.exp(-age) * np.sqrt(2 * n + 1) * legendre.legval(2 * np.exp(-age) - 1, [0] * n + [1])
        errors = [
            np.linalg.norm(lines[f"LegS, {term}"][n].get_ydata() - expected)
            for term in ("exact P", "P + noise", "random P")
        ]
        assert errors[0] < 1e-10 < 0.1 < errors[1] < errors[2]
    np.testing.assert_allclose(lines["FouT, no P"][1].get_ydata(), np.sqrt(2) * np.cos(np.pi * age), rtol=0, atol=1e-10)


def test_kernel_speed_has_a_panel_per_dtype_and_a_line_per_method(tmp_path, plot):
    rows = [(d, n, m, k * 1e8 / n) for d in ("float32", "float64") for n in (64, 256)
            for m, k in (("bilinear", 1), ("zoh", 2), ("update bilinear", 3))]  # fmt: skip
    measured = pd.DataFrame(rows, columns=["dtype", "order", "method", "steps_per_second"])
    measured.to_csv(tmp_path / "kernels.csv", index=False)
    figure, axes = plot("kernel_speed", tmp_path / "kernels.csv")
    assert [axis.get_title() for axis in axes] == ["float32", "float64"]
    assert legend_of(figure) == ["bilinear", "zoh"]
    for axis in axes:
        for line, times in zip(named(axis).values(), (1, 2), strict=True):
            np.testing.assert_allclose(line.get_xydata(), [[64, times * 1e8 / 64], [256, times * 1e8 / 256]])


def test_signals_show_both_ends_and_what_each_model_makes_of_them(tmp_path, plot):
    experiment, trials = write_experiment(tmp_path, **NOISE), tmp_path / "trials"
    folder = finish(experiment, trials, "legs", 0, mse=0.25, optimal_mse=0.2, steps_per_second=1.0)
    sample = np.arange(1001)
    points = pd.DataFrame({"sample": sample, "signal": np.sin(sample), "reconstructed": np.cos(sample)})
    points.to_csv(folder / "reconstruction.csv", index=False)
    figure, axes = plot("signals", collect_results(experiment, trials))
    assert legend_of(figure) == ["signal", "reconstructed"] and axes[0].get_ylabel() == "LegS\nMSE 0.25"
    for axis, shown in zip(axes, (sample[:81], sample[-81:]), strict=True):
        for line, wave in zip(named(axis).values(), (np.sin, np.cos), strict=True):
            np.testing.assert_allclose(line.get_xydata(), np.column_stack([shown / 1e6, wave(shown)]))


def test_lines_differ_without_their_color():
    styles = [(style["linestyle"], style["marker"]) for style, _ in zip(line_styles(), range(12), strict=False)]
    assert len(set(styles)) == 12


def test_memory_errors_are_those_of_one_pass_over_the_signal(tmp_path, plot):
    """The errors again, from a memory that is updated sample by sample, and the optimum by numpy's least squares."""
    options = {"orders": (8, 256), "lengths": (500, 600), "length": 500, "optimum_length": 1500, "cycles": 3}
    figure, (by_order, by_length) = plot("memory_errors", None, **options)
    table = pd.read_csv(tmp_path / "figure.csv").set_index(["measure", "order", "length"])["mse"]
    assert set(table.index) == {
        *((m, n, 500) for m in ("legs", "legt") for n in (8, 256)), *((m, 256, 600) for m in ("legs", "legt")),
        *(("optimum", n, 1500) for n in (8, 256)),
    }  # fmt: skip
    assert table.index.is_unique
    signal = white_noise(500, 3, seed=1).astype(np.float32)
    memory = OnlineMemory("legs", 8)
    for sample in signal:
        memory.update(np.array([sample]))
    shown = reconstruct(memory.coefficients, "legs", points=500)
    assert table["legs", 8, 500] == pytest.approx(np.mean((shown - signal) ** 2), rel=1e-3)
    noise = white_noise(1500, 3, seed=1)
    x = (2 * np.arange(1500) + 1) / 1500 - 1
    basis = legendre.legvander(x, 7)
    residual = noise - basis @ np.linalg.lstsq(basis, noise, rcond=None)[0]
    assert table["optimum", 8, 1500] == pytest.approx(np.mean(residual**2), rel=1e-9)
    lines = {label: line.get_xydata() for label, line in named(by_order).items()}
    assert list(lines) == ["best polynomial", "HiPPO-LegS", "HiPPO-LegT"]
    np.testing.assert_allclose(lines["HiPPO-LegS"], [[8, table["legs", 8, 500]], [256, table["legs", 256, 500]]])


def test_the_output_variance_of_a_constant_is_1_in_orthonormal_bases(tmp_path, plot):
    """The states of S4D-Real are 1 / n, times sqrt(2). Four states of a basis hold a part of the noise."""
    figure, (noise, constant) = plot("output_variance", None, orders=(4, 8))
    table = pd.read_csv(tmp_path / "figure.csv").set_index(["signal", "system", "order"])["variance"].sort_index()
    for system in ("legs", "legt", "fout"):
        np.testing.assert_allclose(table["constant", system], [1, 1], rtol=1e-9)
        assert 0 < table["noise", system, 4] < table["noise", system, 8] < 0.9
    real = [2 * (1 / np.arange(1, order // 2 + 1) ** 2).sum() for order in (4, 8)]
    np.testing.assert_allclose(table["constant", "diag_real"], real, rtol=1e-9)
    assert (noise.get_title(), constant.get_title()) == ("noise of variance 1", "the constant 1")
    for axis, signal in ((noise, "noise"), (constant, "constant")):
        for line, system in zip(named(axis).values(), ("legs", "legt", "fout"), strict=False):
            np.testing.assert_allclose(line.get_xydata(), np.column_stack([[4, 8], table[signal, system]]))


def test_step_sizes_are_around_the_one_whose_window_is_asked_for(tmp_path, plot):
    """The grey line is there. The error of the middle step is that of least squares on the coordinates of the noise."""
    options = {"orders": (8, 16), "steps": 3, "window": 50, "length": 200}
    figure, axes = plot("step_sizes", None, **options)
    table = pd.read_csv(tmp_path / "figure.csv")
    task = FrozenReconstruct(length=200, window=50, band_limit=25.0)
    for axis, system in zip(axes, ("legs", "legt", "fout"), strict=True):
        assert list(axis.lines[0].get_xdata()) == [2 / 50] * 2
        for order, line in zip((8, 16), named(axis).values(), strict=True):
            steps, errors = line.get_xydata().T
            np.testing.assert_allclose(steps, [0.01, 0.04, 0.16])
            states, targets = task.coordinates(BilinearStates(system, order, 0.04))
            residual = targets - targets @ np.linalg.pinv(states, rcond=1e-8) @ states
            assert errors[1] == pytest.approx(np.linalg.norm(residual) / np.linalg.norm(targets), rel=1e-6, abs=1e-9)
            own = table[(table["system"] == system) & (table["order"] == order)]
            np.testing.assert_allclose(own[["step", "nrmse"]], line.get_xydata())


def test_every_figure_is_declared_with_title_and_caption():
    expected = {"learning_curves", "ranks", "signals", "speed_curve", "memory_errors", "basis_functions"}
    figures = available_figures()
    assert expected | {"kernel_speed"} <= figures.keys()
    for figure in figures.values():
        assert figure.title and figure.caption.endswith(".") and len(figure.caption) > len(figure.title)
    with pytest.raises(ConfigError, match="did you mean 'ranks'"):
        find_figure("rank")


@pytest.mark.parametrize("name", [name for name, figure in available_figures().items() if figure.needs == "memories"])
def test_every_figure_of_the_memories_is_plotted_with_its_test_options(name, plot):
    figure, axes = plot(name, None, **find_figure(name).test_options)
    assert all(axis.lines for axis in axes)


def test_declarations_import_no_plotting_and_no_torch():
    """The workflow reads them before any job starts."""
    code = (
        "import sys; from hippo.lab.reporting.figure import available_figures; available_figures();"
        "print([name for name in ('matplotlib', 'pandas', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_figures_belong_to_the_experiments_that_have_their_numbers():
    def figures(name, scale="paper"):
        experiment = load_experiment(f"config/experiments/{name}.yaml", scale)
        return {key for key, figure in available_figures().items() if figure.belongs_to(experiment)}

    everywhere = {"basis_functions", "basis_kernels", "kernel_speed"}
    assert figures("pmnist") == everywhere | {"learning_curves", "ranks"}
    assert figures("timescale") == everywhere | {"learning_curves", "ranks", "speed_curve"}
    assert figures("reconstruction") == everywhere | {"signals", "memory_errors"}
    assert figures("kernels") == everywhere | {"ranks", "low_rank_terms"}
    assert figures("sweep_theta") == everywhere


def test_only_a_figure_of_a_benchmark_has_a_file():
    with pytest.raises(ValueError, match="state file"):
        Figure(title="speed", caption="Speed.", needs="benchmark", plot=print)
