"""Page of a sweep: the selection score at each value of a setting, with the chosen value in bold."""

from dataclasses import dataclass
from pathlib import Path

from hippo.files import write_text
from hippo.lab.plan.sweep_points import format_value
from hippo.lab.plan.task import Column
from hippo.lab.reporting.notes import page_title, sweep_notes
from hippo.lab.reporting.text import bullet, markdown_table
from hippo.lab.results.outcomes import per_seed
from hippo.lab.results.results import Results


@dataclass(frozen=True)
class Point:
    """One value of the grid: the score as text, and whether the sweep chooses the value."""

    text: str
    chosen: bool


@dataclass(frozen=True)
class Curve:
    """One model of a sweep: the points of its curve, in the order of the grid."""

    label: str
    points: tuple[Point, ...]


def write_sweep(results: Results, out: Path) -> None:
    """Write a sweep: `out`.md, `out`.csv (the curve) and `out`_seeds.csv (every trial).

    Parameters
    ----------
    results : Results
        Results of an experiment with a sweep.
    out : Path
        Any of the files; the suffix is replaced.
    """
    write_text(out.with_suffix(".csv"), results.curve.to_csv(index=False))
    write_text(out.with_name(f"{out.stem}_seeds.csv"), per_seed(results.outcomes).to_csv(index=False))
    write_text(out.with_suffix(".md"), format_sweep(results))


def format_sweep(results: Results) -> str:
    """Return the sweep as a Markdown page: a section per variant, a line per model, a column per value, then notes."""
    spec, page = results.experiment.spec, [f"# {page_title(results)}", ""]
    headers = [f"{selection(results).label}, at {spec.sweep.label}", *map(format_value, spec.sweep.values)]
    alignment = ["left", *["right"] * len(spec.sweep.values)]
    for label, curves in format_curves(results).items():
        lines = [[curve.label, *(f"**{p.text}**" if p.chosen else p.text for p in curve.points)] for curve in curves]
        page += [f"## {label}", "", markdown_table(headers, lines, alignment), ""]
    return "\n".join([*page, *map(bullet, sweep_notes(results)), ""])


def selection(results: Results) -> Column:
    """Return the column of the score by which the sweep chooses."""
    task = results.experiment.task
    return task.column(task.selection)


def format_curves(results: Results) -> dict[str, list[Curve]]:
    """Return the curves of every variant, by the label of the variant."""
    column, found = selection(results), {}
    for variant, spec in results.experiment.spec.variants.items():
        lines = results.curve[results.curve["variant"] == variant].groupby("model", sort=False)
        found[spec.label] = [
            Curve(
                line["label"].iloc[0],
                tuple(Point(_format_point(cell, column), cell["chosen"]) for cell in line.to_dict("records")),
            )
            for _, line in lines
        ]
    return found


def _format_point(cell: dict, column: Column) -> str:
    """Score at one value, with the number of seeds if some are missing; else why there is no score."""
    if not cell["finished"]:
        return cell["status"]
    part = "" if cell["finished"] == cell["seeds"] else f" ({cell['finished']}/{cell['seeds']})"
    return f"{cell[column.metric]:{column.format}}{part}"
