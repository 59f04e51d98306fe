"""Curves of sweeps: the scores at each value of a setting, and the value that the sweep chooses."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hippo.lab.plan.experiment import Experiment
from hippo.lab.plan.experiments import load_sweep
from hippo.lab.plan.sweep_points import Value
from hippo.lab.results.outcomes import collect_outcomes
from hippo.lab.trials.status import Status


@dataclass(frozen=True)
class Choice:
    """A setting of one model that the experiment file says a sweep has chosen.

    Parameters
    ----------
    model : str
        Model of the table.
    key : str
        The setting.
    value : bool, int, float or str
        Its value in the experiment file.
    sweep : str
        Name of the sweep.
    chosen : tuple
        Values that the sweep chooses, one per variant of the sweep without repetitions; empty while it is incomplete,
        and if its file does not state the scale.
    """

    model: str
    key: str
    value: Value
    sweep: str
    chosen: tuple[Value, ...]

    @property
    def agrees(self) -> bool:
        """Whether the sweep is incomplete or chooses the stated value."""
        return not self.chosen or self.chosen == (self.value,)


def collect_curve(experiment: Experiment, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Compute the curve of a sweep.

    Parameters
    ----------
    experiment : Experiment
        An experiment with a sweep.
    outcomes : DataFrame
        Outcomes of its trials (`collect_outcomes`).

    Returns
    -------
    DataFrame
        One line per variant, swept model and value. Columns: `scale`, `variant`, `model`, `label`, `value`; `finished`
        and `diverged` of `seeds`; `status`, which says why a value lacks seeds; mean `<metric>` and `<metric>_std` of
        the finished seeds for each metric of the table; and `chosen`.

        The value with the best mean of the task's selection metric is chosen, among the values of which all seeds have
        finished. No value is chosen while a trial of that model and variant is missing.
    """
    task = experiment.task
    metrics = {column.metric: column for column in (*task.columns, task.column(task.selection))}
    lines = []
    for variant in experiment.datasets:
        for entry, point in experiment.points.items():
            own = outcomes[(outcomes["variant"] == variant) & (outcomes["model"] == entry)]
            finished, diverged = (own[own["status"] == status] for status in (Status.FINISHED, Status.DIVERGED))
            cell = {"scale": experiment.scale, "variant": variant, "model": point.model}
            cell |= {"label": experiment.swept[point.model].label, "value": point.value}
            cell |= {"finished": len(finished), "diverged": len(diverged), "seeds": len(own)}
            cell["status"] = own["status"].sort_values(key=lambda s: s == Status.FINISHED).iloc[0]
            for metric, column in metrics.items():
                values = finished.get(metric, pd.Series(dtype=float)) * column.factor
                cell |= {metric: values.mean(), f"{metric}_std": values.std(ddof=1)}
            lines.append(cell)
    curve = pd.DataFrame(lines).assign(chosen=False)
    for _, line in curve.groupby(["variant", "model"]):
        complete = line[line["finished"] == line["seeds"]]
        if len(complete) and (line["finished"] + line["diverged"] == line["seeds"]).all():
            scores = complete[task.selection]
            curve.loc[scores.idxmax() if task.higher_is_better else scores.idxmin(), "chosen"] = True
    return curve


def collect_choices(experiment: Experiment, trials: Path) -> tuple[Choice, ...]:
    """Return every setting that the experiment file says a sweep has chosen, with the choice of that sweep.

    Parameters
    ----------
    experiment : Experiment
        The experiment. The files of the sweeps lie beside its file.
    trials : Path
        Folder of all trials of the scale, those of the sweeps included.
    """
    curves: dict[str, tuple[Experiment, pd.DataFrame] | None] = {}
    choices = []
    for model in experiment.spec.models:
        for key, name in experiment.chosen_by(model).items():
            if name not in curves:
                sweep = load_sweep(experiment, name)
                there = sweep.scale == experiment.scale
                curves[name] = (sweep, collect_curve(sweep, collect_outcomes(sweep, trials))) if there else None
            curve = curves[name]
            chosen = _chosen(experiment, model, *curve) if curve else ()
            choices.append(Choice(model, key, experiment.setting(model, key), name, chosen))
    return tuple(choices)


def _chosen(experiment: Experiment, model: str, sweep: Experiment, curve: pd.DataFrame) -> tuple[Value, ...]:
    """Values that a sweep chooses for a model: for the entry of its name, else for entries of its registered model."""
    registered = {point.model: sweep.spec.models[entry].model for entry, point in sweep.points.items()}
    ours = experiment.spec.models[model].model or model
    swept = [model] if model in registered else [entry for entry, name in registered.items() if name == ours]
    return tuple(curve.loc[curve["chosen"] & curve["model"].isin(swept), "value"].unique().tolist())
