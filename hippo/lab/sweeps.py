"""A sweep from its trials: what each value of a setting gave, and the value that validation chooses."""

from pathlib import Path
from textwrap import fill

import pandas as pd
from tabulate import tabulate

from hippo.files import write_text
from hippo.lab.experiment import Experiment
from hippo.lab.outcomes import collect
from hippo.lab.style import drawn, legend, looks
from hippo.lab.tasks import Column


def write_sweep(experiment: Experiment, trials: Path, out: Path) -> None:
    """Write `out`.csv, .md, .png and .svg from the trial folders under `trials`."""
    curve = sweep_curve(experiment, collect(experiment, trials))
    write_text(out.with_suffix(".csv"), curve.to_csv(index=False))
    write_text(out.with_suffix(".md"), markdown(experiment, curve))
    draw(experiment, curve, out)


def sweep_curve(experiment: Experiment, outcomes: pd.DataFrame) -> pd.DataFrame:
    """One row per variant, model and value: means and deviations over the finished seeds, and whether it is chosen.

    The choice is by validation alone, among values all of whose seeds finished, and none is made while a trial of the
    grid is missing: half a sweep would choose the best of what happened to be there.
    """
    metrics = {column.metric: column for column in experiment.task.columns}
    rows = []
    for variant in experiment.datasets:
        for row, point in experiment.points.items():
            own = outcomes[(outcomes["variant"] == variant) & (outcomes["row"] == row)]
            finished, diverged = (own[own["status"] == status] for status in ("finished", "diverged"))
            cell = {"variant": variant, "model": point.place["of"], "value": point.place["value"]}
            cell |= {"finished": len(finished), "diverged": len(diverged), "seeds": len(own)}
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


def markdown(experiment: Experiment, curve: pd.DataFrame) -> str:
    """The sweep as a page: a section per variant, a line per model, a column per value; the chosen one in bold."""
    plan, deciding = experiment.plan, experiment.task.columns[0]
    page = [f"# {plan.title} · {experiment.scale} scale", ""]
    for variant, about in plan.variants.items():
        lines = []
        for model, line in curve[curve["variant"] == variant].groupby("model", sort=False):
            lines.append([model, *(_cell(cell, deciding) for cell in line.to_dict("records"))])
        headers = [f"{deciding.label}, at {plan.sweep.label}", *(f"{value:g}" for value in plan.sweep.values)]
        alignment = ["left", *["right"] * len(plan.sweep.values)]
        table = tabulate(lines, headers, tablefmt="github", disable_numparse=True, colalign=alignment)
        page += [f"## {about.label}", "", table, ""]
    without = curve.groupby(["variant", "model"])["chosen"].any()
    notes = ["In bold: the value that validation chooses; the test part has no say in it."]
    notes += [
        f"{v}, {m}: trials are missing, so nothing is chosen." for (v, m), chosen in without.items() if not chosen
    ]
    ends = {min(plan.sweep.values), max(plan.sweep.values)}
    edge = curve[curve["chosen"] & curve["value"].isin(ends)]
    if len(edge):
        models = ", ".join(dict.fromkeys(edge["model"]))
        notes.append(f"Chosen at the end of the grid: {models}. Values beyond it have not been tried.")
    return "\n".join([*page, *(fill(note, 100, initial_indent="- ", subsequent_indent="  ") for note in notes), ""])


def text(cell: dict, column: Column) -> str:
    """What one value of the grid gave, or why there is nothing."""
    if not cell["finished"]:
        return "diverged" if cell["diverged"] else "missing"
    return f"{cell[column.metric]:{column.form}}"


def _cell(cell: dict, column: Column) -> str:
    return f"**{text(cell, column)}**" if cell["chosen"] else text(cell, column)


def draw(experiment: Experiment, curve: pd.DataFrame, out: Path) -> None:
    """Validation score over the swept value, a panel per variant, a line per model, the chosen values ringed."""
    column, models = experiment.task.columns[0], list(curve["model"].unique())
    styles = looks(models)
    values, count = experiment.plan.sweep.values, len(experiment.datasets)
    with drawn(out, 1.8 * count + 0.13 * len(models) / 2 + 0.3, count, sharex=True, sharey=True) as (figure, axes):
        for axis, (variant, about) in zip(axes[:, 0], experiment.plan.variants.items(), strict=True):
            for model, line in curve[curve["variant"] == variant].groupby("model", sort=False):
                look = styles[model]
                deviation = line[f"{column.metric}_std"].fillna(0)
                axis.errorbar(line["value"], line[column.metric], deviation, label=model, **look)
                chosen = line[line["chosen"]]
                axis.plot(chosen["value"], chosen[column.metric], "o", ms=8, mfc="none", mec=look["color"])
            axis.set(xscale="log", title=about.label, ylabel=column.label)
            axis.set_xticks(values, [f"{value:g}" for value in values], minor=False)
            axis.minorticks_off()
        axes[-1, 0].set_xlabel(experiment.plan.sweep.label)
        legend(figure, axes)
