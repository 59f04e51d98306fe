"""Speed curve: test accuracy against the speed of the pen at test time."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from hippo.config import ConfigError
from hippo.lab.reporting.figure import Figure
from hippo.lab.trials.status import Status

if TYPE_CHECKING:
    import pandas as pd

    from hippo.lab.plan.experiment import Experiment
    from hippo.lab.results.results import Results

SPEED = re.compile(r"speed_(?P<factor>[\d.]+)_accuracy")


def has_speeds(experiment: "Experiment") -> bool:
    """Return whether the datasets of an experiment have test parts at other speeds."""
    return any(getattr(options, "speeds", ()) for options in experiment.datasets.values())


def plot_speed_curve(results: "Results", out: Path) -> None:
    """Plot mean and standard deviation over seeds of the test accuracy at every speed, a panel per variant.

    Parameters
    ----------
    results : Results
        Results of an experiment whose datasets have other speeds.
    out : Path
        Written are `out`.csv (variant, model, speed, accuracy in percent, std, seeds), `out`.png and `out`.svg.

    Raises
    ------
    ConfigError
        If no dataset of the experiment has other speeds.
    """
    from hippo.files import write_text
    from hippo.lab.reporting.plot_style import add_legend, figure_file, panels_height, show_message, styles_by_name

    experiment = results.experiment
    if not has_speeds(experiment):
        raise ConfigError(f"{experiment.where}: no trial is tested at other speeds; see the dataset option 'speeds'")
    curve = accuracy_by_speed(results)
    write_text(out.with_suffix(".csv"), curve.to_csv(index=False))
    if curve.empty:
        with figure_file(out, 1.2) as (_, ((axis,),)):
            return show_message(axis, "no finished trial was tested at other speeds")
    styles, panels = styles_by_name(experiment.models), len(experiment.datasets)
    height = panels_height(panels, 1.8, len(experiment.models))
    with figure_file(out, height, panels, sharex=True) as (figure, axes):
        for axis, (variant, spec) in zip(axes[:, 0], experiment.spec.variants.items(), strict=True):
            for model, line in curve[curve["variant"] == variant].groupby("model", sort=False):
                label = experiment.spec.models[model].label
                axis.errorbar(line["speed"], line["accuracy"], line["std"].fillna(0), label=label, **styles[model])
            axis.set(xscale="log", title=spec.label, ylim=(0, 100), ylabel="test accuracy, %")
            axis.set_xticks([0.25, 0.5, 1, 2, 4], ["¼", "½", "1", "2", "4"])
            axis.minorticks_off()
        axes[-1, 0].set_xlabel("speed at test / speed in training")
        add_legend(figure, axes)


def accuracy_by_speed(results: "Results") -> "pd.DataFrame":
    """Return mean `accuracy` and `std` in percent and the number of `seeds` for each variant, model and speed."""
    outcomes = results.outcomes
    factors = {key: float(match["factor"]) for key in outcomes if (match := SPEED.fullmatch(key))}
    finished = outcomes[outcomes["status"] == Status.FINISHED]
    long = finished.melt(["variant", "model", "seed"], list(factors), "speed", "accuracy")
    long["speed"], long["accuracy"] = long["speed"].map(factors), 100 * long["accuracy"]
    curve = long.groupby(["variant", "model", "speed"], sort=False)["accuracy"].agg(["mean", "std", "count"])
    curve = curve.reset_index().rename(columns={"mean": "accuracy", "count": "seeds"})
    order = {model: number for number, model in enumerate(results.experiment.spec.models)}
    return curve.sort_values(["variant", "model", "speed"], key=lambda c: c.map(order) if c.name == "model" else c)


FIGURE = Figure(
    title="accuracy against speed",
    caption="Test accuracy of each trained model where the pen moves faster or slower than in training.",
    needs="results",
    plot=plot_speed_curve,
    applies=has_speeds,
)
