"""A sweep from its trials: what each value of a setting gave, and the value that is chosen."""

from pathlib import Path

import pandas as pd
from tabulate import tabulate

from hippo.files import write_text
from hippo.lab.plan.experiment import Experiment, load_experiment
from hippo.lab.plan.task import Column
from hippo.lab.reporting.notes import about_commits, about_trials, about_versions, bullet, data
from hippo.lab.results.outcomes import collect, per_seed
from hippo.lab.plan.sweep_points import format_value


def write_sweep(experiment: Experiment, trials: Path, out: Path) -> pd.DataFrame:
    """Write `out`.csv, `out`_seeds.csv (every trial) and .md from the trial folders under `trials`; the curve."""
    outcomes = collect(experiment, trials)
    curve = sweep_curve(experiment, outcomes)
    write_text(out.with_suffix(".csv"), curve.to_csv(index=False))
    write_text(out.with_name(f"{out.stem}_seeds.csv"), per_seed(outcomes).to_csv(index=False))
    write_text(out.with_suffix(".md"), markdown(experiment, outcomes, curve))
    return curve


def sweep_curve(experiment: Experiment, outcomes: pd.DataFrame) -> pd.DataFrame:
    """One row per variant, model and value: means and deviations over the finished seeds, and whether it is chosen.

    The choice is by validation alone, among values all of whose seeds finished, and none is made while a trial of the
    grid is missing: half a sweep would choose the best of what happened to be there. `status` is why a value has not
    all of its seeds.
    """
    metrics = {column.metric: column for column in experiment.task.columns}
    rows = []
    for variant in experiment.datasets:
        for row, point in experiment.points.items():
            own = outcomes[(outcomes["variant"] == variant) & (outcomes["row"] == row)]
            finished, diverged = (own[own["status"] == status] for status in ("finished", "diverged"))
            place = {"scale": experiment.scale, "variant": variant, "model": point.place["of"], "label": point.line}
            cell = {**place, "value": point.place["value"]}
            cell |= {"finished": len(finished), "diverged": len(diverged), "seeds": len(own)}
            cell["status"] = own["status"].sort_values(key=lambda s: s == "finished").iloc[0]
            for metric, column in metrics.items():
                values = finished.get(metric, pd.Series(dtype=float)) * column.factor
                cell |= {metric: values.mean(), f"{metric}_std": values.std(ddof=1)}
            rows.append(cell)
    curve = pd.DataFrame(rows).assign(chosen=False)
    deciding = experiment.task.columns[0].metric
    for _, line in curve.groupby(["variant", "model"]):
        whole = line[line["finished"] == line["seeds"]]
        if len(whole) and (line["finished"] + line["diverged"] == line["seeds"]).all():
            best = whole[deciding].idxmax() if experiment.task.higher_is_better else whole[deciding].idxmin()
            curve.loc[best, "chosen"] = True
    return curve


def choices(experiment: Experiment, name: str, trials: Path) -> dict[str, list]:
    """For each row of `experiment`, the values that the sweep called `name` chooses for it, from its trials.

    A row is found in the sweep by its own name, else by its model's.
    """
    sweep = load_experiment(experiment.path.with_name(f"{name}.yaml"), experiment.scale)
    curve = sweep_curve(sweep, collect(sweep, trials))
    models = {point.place["of"]: point.model for point in sweep.points.values()}
    found = {}
    for row, about in experiment.spec.models.items():
        swept = [row] if row in models else [of for of, model in models.items() if model == (about.model or row)]
        found[row] = list(curve.loc[curve["chosen"] & curve["model"].isin(swept), "value"].unique())
    return found


def markdown(experiment: Experiment, outcomes: pd.DataFrame, curve: pd.DataFrame) -> str:
    """The sweep as a page: a section per variant, a line per model, a column per value; the chosen one in bold."""
    plan, deciding = experiment.spec, experiment.task.columns[0]
    page = [f"# {plan.title} · {experiment.scale} scale · {data(outcomes)}", ""]
    for variant, about in plan.variants.items():
        lines = []
        for label, line in curve[curve["variant"] == variant].groupby("label", sort=False):
            lines.append([label, *(_cell(cell, deciding) for cell in line.to_dict("records"))])
        headers = [f"{deciding.label}, at {plan.sweep.label}", *map(format_value, plan.sweep.values)]
        alignment = ["left", *["right"] * len(plan.sweep.values)]
        table = tabulate(lines, headers, tablefmt="github", disable_numparse=True, colalign=alignment)
        page += [f"## {about.label}", "", table, ""]
    return "\n".join([*page, *map(bullet, notes(experiment, outcomes, curve)), ""])


def notes(experiment: Experiment, outcomes: pd.DataFrame, curve: pd.DataFrame) -> list[str]:
    """What a reader should know about the numbers of a sweep."""
    silent = "; the test part has no say in it" if experiment.task.trained else ""
    found = [f"In bold: the value chosen, by {experiment.task.columns[0].label.split(',')[0]}{silent}."]
    without = curve.groupby(["variant", "label"], sort=False)["chosen"].any()
    names = [f"{variant}, {label}" for (variant, label), chosen in without.items() if not chosen]
    found += [f"Nothing is chosen where a trial is missing, or all diverged: {'; '.join(names)}."] if names else []
    ends = {experiment.spec.sweep.values[0], experiment.spec.sweep.values[-1]} if _ordered(experiment) else set()
    edge = curve.loc[curve["chosen"] & curve["value"].isin(ends), "label"].unique()
    found += [f"Chosen at the end of the grid: {', '.join(edge)}. Values beyond it have not been tried."] * bool(
        len(edge)
    )
    return [*found, *about_trials(outcomes), *about_versions(outcomes), about_commits(outcomes)]


def _ordered(experiment: Experiment) -> bool:
    """Whether the values are numbers in order, so that the grid has ends."""
    values = experiment.spec.sweep.values
    return numeric(values) and values in (sorted(values), sorted(values, reverse=True))


def numeric(values: list) -> bool:
    """Whether a grid is of numbers, and not of words or switches."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def text(cell: dict, column: Column) -> str:
    """What one value of the grid gave, over how many seeds where not over all, or why there is nothing."""
    if not cell["finished"]:
        return cell["status"]
    part = "" if cell["finished"] == cell["seeds"] else f" ({cell['finished']}/{cell['seeds']})"
    return f"{cell[column.metric]:{column.format}}{part}"


def _cell(cell: dict, column: Column) -> str:
    return f"**{text(cell, column)}**" if cell["chosen"] else text(cell, column)
