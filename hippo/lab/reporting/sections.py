"""Sections of a table: the numbers of one variant as text, for Markdown, LaTeX, the report and the terminal."""

from dataclasses import dataclass, replace

import pandas as pd

from hippo.lab.plan.task import Column
from hippo.lab.results.results import Results
from hippo.lab.results.verdicts import paper_value

LEFT, RIGHT = "left", "right"


@dataclass(frozen=True)
class Number:
    """One number of a table as text: ours, and the paper's with difference and verdict; these are empty without one."""

    ours: str
    paper: str
    difference: str
    verdict: str


@dataclass(frozen=True)
class Line:
    """One model of a table: its numbers by metric, and how many seeds have finished."""

    model: str
    label: str
    numbers: dict[str, Number]
    finished: int
    seeds: int

    @property
    def count(self) -> str:
        """Number of finished seeds; "1/3" if some have not finished; empty for numbers of the paper."""
        if not self.seeds:
            return ""
        return f"{self.finished}" if self.finished == self.seeds else f"{self.finished}/{self.seeds}"


@dataclass(frozen=True)
class Section:
    """Columns of one variant, one line per model.

    Parameters
    ----------
    variant, label : str
        The variant and its name in the table. An overview of all variants has no variant: "".
    columns : tuple of Column
        Columns to print.
    compared : frozenset of str
        Metrics of those columns that have the paper's value, difference and verdict beside them.
    lines : tuple of Line
        The models.
    heading : str, default "paper"
        Header of the column of the values that they are compared with.
    """

    variant: str
    label: str
    columns: tuple[Column, ...]
    compared: frozenset[str]
    lines: tuple[Line, ...]
    heading: str = "paper"

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Header and alignment of each printed column."""
        headers = [("model", LEFT)]
        for column in self.columns:
            headers.append((column.label, RIGHT))
            if column.metric in self.compared:
                headers += [(self.heading, RIGHT), ("diff.", RIGHT), ("verdict", LEFT)]
        return [*headers, ("n", LEFT)]

    @property
    def texts(self) -> list[list[str]]:
        """Cells of each printed line."""
        return [self._cells(line) for line in self.lines]

    def _cells(self, line: Line) -> list[str]:
        """Cells of one printed line."""
        cells = [line.label]
        for column in self.columns:
            number = line.numbers[column.metric]
            cells.append(number.ours)
            if column.metric in self.compared:
                cells += [number.paper, number.difference, number.verdict]
        return [*cells, line.count]


def format_variant(results: Results, variant: str) -> Section:
    """Return the section of one variant with all columns of the task."""
    experiment = results.experiment
    columns = experiment.task.columns
    own = results.cells[results.cells["variant"] == variant]
    cells = own.set_index(["model", "metric"])
    lines = []
    for model, spec in experiment.spec.models.items():
        numbers = {}
        for column in columns:
            cell = cells.loc[(model, column.metric)]
            numbers[column.metric] = format_number(cell, column, paper_value(experiment, variant, model, column.metric))
        counts = cells.loc[(model, columns[0].metric)]  # the same for all metrics
        lines.append(Line(model, spec.label, numbers, int(counts["finished"]), int(counts["seeds"])))
    compared = frozenset(own.loc[own["paper"].notna(), "metric"]) & {column.metric for column in columns}
    heading = experiment.spec.paper.heading if experiment.spec.paper else "paper"
    return Section(variant, experiment.spec.variants[variant].label, columns, compared, tuple(lines), heading)


def format_sections(results: Results) -> list[Section]:
    """Return the sections that fit a page: for each variant one, or one for each number that the paper prints."""
    sections = []
    for variant in results.experiment.spec.variants:
        whole = format_variant(results, variant)
        compared = [column for column in whole.columns if column.metric in whole.compared]
        if len(compared) < 2:
            sections.append(whole)
            continue
        others = [column for column in whole.columns if column not in compared]
        for chosen in ([*others, compared[0]], *([column] for column in compared[1:])):
            columns = tuple(sorted(chosen, key=whole.columns.index))
            metrics = frozenset(column.metric for column in columns) & whole.compared
            sections.append(replace(whole, columns=columns, compared=metrics))
    return sections


def format_number(cell: pd.Series, column: Column, paper: float | None) -> Number:
    """Return one number as text.

    Parameters
    ----------
    cell : Series
        Statistics of the number (`verdicts.collect_cells`).
    column : Column
        Its column.
    paper : float or None
        The paper's value with the digits that it prints.
    """
    ours = "—"
    if pd.notna(cell["mean"]):
        spread = "" if pd.isna(cell["std"]) else f" ± {cell['std']:{column.format}}"
        ours = f"{cell['mean']:{column.format}}{spread}"
    if paper is None:
        return Number(ours, "", "", "")
    difference = "" if pd.isna(cell["difference"]) else f"{cell['difference']:+{column.format}}".replace("-", "−")
    return Number(ours, f"{paper:,}", difference, cell["verdict"])
