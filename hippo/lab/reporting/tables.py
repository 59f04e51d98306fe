"""A table from its trials: ours beside the paper's, with a verdict, in Markdown, CSV and LaTeX."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import tabulate as tabulate_module
from tabulate import tabulate

from hippo.files import write_text
from hippo.lab.plan.experiment import Experiment
from hippo.lab.plan.task import Column
from hippo.lab.reporting.latex import symbols, tex
from hippo.lab.reporting.notes import about_commits, about_trials, about_versions, bullet, data
from hippo.lab.results.outcomes import collect, per_seed
from hippo.lab.results.significance import friedman, least_p, mean_ranks, pairwise, scores
from hippo.lab.results.sweeps import choices
from hippo.lab.results.verdicts import paper_value, statistics
from hippo.lab.plan.sweep_points import format_value

tabulate_module.MIN_PADDING = 0  # a table has to fit the width of a terminal


def write_table(experiment: Experiment, trials: Path, out: Path) -> None:
    """Write `out`.md, .csv, .tex, `out`_seeds.csv (every trial) and `out`_pairs.csv (tests) from the trial folders."""
    outcomes = collect(experiment, trials)
    cells = statistics(experiment, outcomes)
    write_text(out.with_suffix(".csv"), cells.to_csv(index=False))
    write_text(out.with_name(f"{out.stem}_seeds.csv"), per_seed(outcomes).to_csv(index=False))
    write_text(out.with_name(f"{out.stem}_pairs.csv"), pairwise(scores(experiment, outcomes)).to_csv(index=False))
    write_text(out.with_suffix(".tex"), latex(experiment, outcomes, cells))
    write_text(out.with_suffix(".md"), markdown(experiment, outcomes, cells, trials))


@dataclass(frozen=True)
class Section:
    """One printed table: a variant of the dataset, and lines of text under headers."""

    variant: str
    headers: list[str]
    lines: list[list[str]]

    @property
    def alignment(self) -> list[str]:
        """Words to the left, numbers to the right."""
        return ["left" if header in ("model", "verdict", "n") else "right" for header in self.headers]


def sections(experiment: Experiment, cells: pd.DataFrame) -> Iterator[Section]:
    """The printed tables: for each variant one, or one for each number that the paper prints of it."""
    for variant in experiment.spec.variants:
        own = cells[cells["variant"] == variant].set_index(["model", "metric"])
        columns = experiment.task.columns
        compared = [c for c in columns if own.xs(c.metric, level="metric")["paper"].notna().any()]
        others = [c for c in columns if c not in compared]
        for shown in ([*others, compared[0]], *([c] for c in compared[1:])) if compared else (columns,):
            shown = sorted(shown, key=columns.index)
            yield _section(experiment, variant, own, shown, compared)


def _section(experiment, variant: str, cells: pd.DataFrame, shown: list[Column], compared: list[Column]) -> Section:
    headers = ["model"]
    for column in shown:
        headers += [column.label, *(("paper", "diff.", "verdict") if column in compared else ())]
    lines = []
    for row, about in experiment.spec.models.items():
        line = [about.label]
        for column in shown:
            cell = cells.loc[(row, column.metric)]
            printed = theirs(cell, column, paper_value(experiment, variant, row, column.metric))
            line += [mean(cell, column), *(printed if column in compared else ())]
        finished, seeds = cell["finished"], cell["seeds"]
        lines.append([*line, f"{finished}" if finished == seeds else f"{finished}/{seeds}"])
    return Section(variant, [*headers, "n"], lines)


def mean(cell: pd.Series, column: Column) -> str:
    """Ours, with the standard deviation where there are several seeds."""
    if pd.isna(cell["mean"]):
        return "—"
    spread = "" if pd.isna(cell["std"]) else f" ± {cell['std']:{column.format}}"
    return f"{cell['mean']:{column.format}}{spread}"


def theirs(cell: pd.Series, column: Column, value: float | None) -> tuple[str, str, str]:
    """The paper's value with the digits that it prints, ours less it, and the verdict."""
    if value is None:
        return "", "", ""
    difference = "" if pd.isna(cell["difference"]) else f"{cell['difference']:+{column.format}}".replace("-", "−")
    return f"{value:,}", difference, cell["verdict"]


def markdown(experiment: Experiment, outcomes: pd.DataFrame, cells: pd.DataFrame, trials: Path) -> str:
    """The table as a Markdown page: a section per variant, a line per model."""
    plan = experiment.spec
    page = [f"# {plan.title} · {experiment.scale} scale · {data(outcomes)}", ""]
    before = None
    for section in sections(experiment, cells):
        if section.variant != before:
            page += [f"## {plan.variants[section.variant].label}", ""]
        before = section.variant
        form = {"tablefmt": "github", "disable_numparse": True, "colalign": section.alignment}
        page += [tabulate(section.lines, section.headers, **form), ""]
    page += [bullet(note) for note in notes(experiment, outcomes, trials)]
    return "\n".join([*page, ""])


def latex(experiment: Experiment, outcomes: pd.DataFrame, cells: pd.DataFrame) -> str:
    r"""The table for a paper: one `table` to be read by \input, with booktabs; it needs nothing else."""
    plan, parts = experiment.spec, []
    for section in sections(experiment, cells):
        form = {"tablefmt": "latex_booktabs", "disable_numparse": True, "colalign": section.alignment}
        parts.append(tex(plan.variants[section.variant].label) + r"\\[0.5ex]")
        parts.append(symbols(tabulate(section.lines, section.headers, **form)) + r"\\[1.5ex]")
    about = " ".join(essential(experiment, outcomes))
    caption = tex(f"{plan.title}, {experiment.scale} scale, {data(outcomes)}. {about}")
    label = rf"\label{{tab:{experiment.name}}}"
    return "\n".join(
        [r"\begin{table}", r"\centering\small", rf"\caption{{{caption}}}{label}", *parts, r"\end{table}", ""]
    )


def notes(experiment: Experiment, outcomes: pd.DataFrame, trials: Path) -> list[str]:
    """What a reader should know about the numbers of a table."""
    return [
        *essential(experiment, outcomes),
        *_about_choices(experiment, trials),
        *_about_ranks(experiment, outcomes),
        *about_trials(outcomes),
        about_commits(outcomes),
    ]


def essential(experiment: Experiment, outcomes: pd.DataFrame) -> list[str]:
    """What must be read with the numbers wherever they are printed."""
    return [
        "Mean ± standard deviation over n seeds.",
        *_about_paper(experiment),
        *_about_settings(experiment),
        *about_versions(outcomes),
    ]


def _about_paper(experiment: Experiment) -> Iterator[str]:
    if paper := experiment.spec.paper:
        yield f"Paper: {paper.source}. {paper.note}".strip()
        stated = [
            f"{value if isinstance(value, str) else f'{value:g}'} ({experiment.task.column(metric).label})"
            for metric, value in paper.tolerance.items()
        ]
        if stated:
            yield f"Reproduced: within {' or '.join(stated)} of the paper's value."


def _about_settings(experiment: Experiment) -> Iterator[str]:
    plan = experiment.spec
    if experiment.task.trained:
        t = plan.training
        yield f"Epochs: {t.epochs}, batch {t.batch_size}, Adam at {t.learning_rate:g} unless a model says other."
    if any(experiment.is_reduced(variant, row) for variant in plan.variants for row in plan.models):
        yield f"The {experiment.scale} scale is smaller than the paper's: compare the order, not the values."


def _about_choices(experiment: Experiment, trials: Path) -> Iterator[str]:
    """Settings that a row says a sweep has chosen, and whether it has."""
    said: dict[tuple[str, str], list[str]] = {}
    for row, about in experiment.spec.models.items():
        for key, sweep in about.chosen_by.items():
            said.setdefault((key, sweep), []).append(row)
    for (key, sweep), rows in said.items():
        found = choices(experiment, sweep, trials)
        words = [_choice(experiment, row, experiment.setting(row, key), found[row]) for row in rows]
        absent = "" if any(found[row] for row in rows) else ", which is not made at this scale"
        yield f"{key} as chosen by {sweep}{absent}: {', '.join(words)}."


def _choice(experiment: Experiment, row: str, value, chosen: list) -> str:
    but = f" (WHICH CHOOSES {', '.join(map(format_value, chosen))})" if chosen and chosen != [value] else ""
    return f"{experiment.spec.models[row].label} {format_value(value)}{but}"


def _about_ranks(experiment: Experiment, outcomes: pd.DataFrame) -> Iterator[str]:
    table, task = scores(experiment, outcomes), experiment.task
    if len(table) < 2 or table.shape[1] < 2:
        return
    labels = {row: about.label for row, about in experiment.spec.models.items()}
    ranks = ", ".join(f"{labels[row]} {rank:.3g}" for row, rank in mean_ranks(table, task.higher_is_better).items())
    yield f"Mean rank by {task.score} over {len(table)} pairs of variant and seed: {ranks}."
    if without := [about.label for row, about in experiment.spec.models.items() if row not in table]:
        yield f"Not ranked, having a number in less than half of the pairs: {', '.join(without)}."
    if dropped := outcomes[["variant", "seed"]].drop_duplicates().shape[0] - len(table):
        yield f"{dropped} pairs of variant and seed in which a ranked model has no number are left out."
    if table.shape[1] > 2:
        yield f"Friedman's test that all rows are alike: p {friedman(table):.2g}."
    tests = pairwise(table)
    if least_p(len(table)) * len(tests) > 0.05:
        yield f"{len(table)} pairs are too few for Wilcoxon's test with Holm's correction to tell any two rows apart."
        return
    sure = tests[tests["p_holm"] < 0.05]
    found = "; ".join(f"{labels[t.model]} and {labels[t.other]} (p {t.p_holm:.2g})" for t in sure.itertuples())
    yield f"Wilcoxon's signed-rank test with Holm's correction, 5 %, tells apart: {found or 'no two rows'}."
