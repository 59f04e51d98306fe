"""Overview of a table: one column per variant, and the mean over them; ours, then the paper's."""

import math

from hippo.lab.plan.task import Column
from hippo.lab.reporting.sections import Line, Number, Section, format_sections
from hippo.lab.results.results import Results
from hippo.lab.results.verdicts import paper_value

MEAN = "mean over variants"


def format_overview(results: Results) -> list[Section]:
    """Return the sections that a table with `overview` begins with.

    Parameters
    ----------
    results : Results
        Results of an experiment.

    Returns
    -------
    list of Section
        Empty without `overview`. Else our scores, and the paper's if it prints any. The mean is over the variants in
        which every model has a score that has one in any variant; its header states how many they are.
    """
    experiment = results.experiment
    if not experiment.spec.overview:
        return []
    task = experiment.task
    own = results.cells[results.cells["metric"] == task.score].set_index(["variant", "model"])
    ours = {key: cell["mean"] for key, cell in own.iterrows()}
    spread = {key: cell["std"] for key, cell in own.iterrows()}
    counts = own.groupby("model")[["finished", "seeds"]].sum()
    score = task.column(task.score).label
    sections = [_section(results, f"All variants: {score}", ours, spread, counts.to_dict("index"))]
    axes = [(variant, model) for variant in experiment.spec.variants for model in experiment.spec.models]
    paper = {key: paper_value(experiment, *key, task.score) for key in axes}
    if any(value is not None for value in paper.values()):
        theirs = {key: math.nan if value is None else value for key, value in paper.items()}
        sections.append(_section(results, f"All variants, the paper: {score}", theirs, {}, {}))
    return sections


def format_page(results: Results) -> list[Section]:
    """Return all sections of a page, in their order: the overview, if there is one, then `format_sections`."""
    return [*format_overview(results), *format_sections(results)]


def _section(results: Results, label: str, values: dict, spread: dict, counts: dict) -> Section:
    """The scores of all models and variants by (variant, model), with their mean as the last column."""
    spec, column = results.experiment.spec, results.experiment.task.column(results.experiment.task.score)
    scored = {model for (_, model), value in values.items() if not math.isnan(value)}
    complete = [v for v in spec.variants if scored and not any(math.isnan(values[v, model]) for model in scored)]
    header = MEAN if len(complete) == len(spec.variants) else f"mean over {len(complete)} of {len(spec.variants)}"
    columns = [Column(name, variant.label, format=column.format) for name, variant in spec.variants.items()]
    lines = []
    for model, entry in spec.models.items():
        texts = {v: _text(values[v, model], spread.get((v, model), math.nan), column) for v in spec.variants}
        mean = sum(values[v, model] for v in complete) / len(complete) if complete else math.nan
        texts[MEAN] = _text(mean, math.nan, column)
        numbers = {name: Number(text, "", "", "") for name, text in texts.items()}
        if counts or model in scored:
            count = counts.get(model, {"finished": 0, "seeds": 0})
            lines.append(Line(model, entry.label, numbers, int(count["finished"]), int(count["seeds"])))
    return Section("", label, (*columns, Column(MEAN, header, format=column.format)), frozenset(), tuple(lines))


def _text(value: float, spread: float, column: Column) -> str:
    """A score, with its deviation over the seeds if there is one."""
    if math.isnan(value):
        return "—"
    return f"{value:{column.format}}" + ("" if math.isnan(spread) else f" ± {spread:{column.format}}")
