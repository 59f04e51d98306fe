"""Table of an experiment: our numbers beside the paper's, with verdicts, in Markdown, CSV and LaTeX."""

from pathlib import Path

from tabulate import tabulate

from hippo.files import write_text
from hippo.lab.reporting.claims import claim_notes
from hippo.lab.reporting.latex import symbols, tex
from hippo.lab.reporting.notes import describe_data, essential_notes, page_title, table_notes
from hippo.lab.reporting.overview import format_page
from hippo.lab.reporting.text import bullet, markdown_table
from hippo.lab.results.outcomes import per_seed
from hippo.lab.results.results import Results
from hippo.lab.results.significance import pairwise


def write_table(results: Results, out: Path) -> None:
    """Write a table.

    Parameters
    ----------
    results : Results
        Results of an experiment without a sweep.
    out : Path
        Any of the files; the suffix is replaced. Written are `out`.md, `out`.csv (statistics of every number),
        `out`.tex, `out`_seeds.csv (every trial) and `out`_pairs.csv (tests of every two models).
    """
    write_text(out.with_suffix(".csv"), results.cells.to_csv(index=False))
    write_text(out.with_name(f"{out.stem}_seeds.csv"), per_seed(results.outcomes).to_csv(index=False))
    write_text(out.with_name(f"{out.stem}_pairs.csv"), pairwise(results.scores).to_csv(index=False))
    write_text(out.with_suffix(".tex"), format_latex(results))
    write_text(out.with_suffix(".md"), format_table(results))


def format_table(results: Results) -> str:
    """Return the table as a Markdown page: claims, a section per variant, a line per model, then notes."""
    notes = map(bullet, table_notes(results))
    return "\n".join([f"# {page_title(results)}", "", *format_body(results, level=2), *notes, ""])


def format_body(results: Results, level: int) -> list[str]:
    """Return the claims and the sections of a table as lines of Markdown.

    Parameters
    ----------
    results : Results
        Results of an experiment without a sweep.
    level : int
        Level of the headings.
    """
    heading, lines, before = "#" * level, [], None
    if results.claims:
        lines += [f"{heading} Claims", "", *map(bullet, claim_notes(results)), ""]
    for section in format_page(results):
        if section.variant != before or not section.variant:
            lines += [f"{heading} {section.label}", ""]
        before = section.variant
        headers, alignment = zip(*section.headers, strict=True)
        lines += [markdown_table(list(headers), section.texts, list(alignment)), ""]
    return lines


def format_latex(results: Results) -> str:
    r"""Return the table as one LaTeX `table`, to be read by \input. It needs the package booktabs and no other."""
    experiment, parts = results.experiment, []
    for section in format_page(results):
        headers, alignment = zip(*section.headers, strict=True)
        form = {"tablefmt": "latex_booktabs", "disable_numparse": True, "colalign": alignment}
        parts.append(tex(section.label) + r"\\[0.5ex]")
        parts.append(symbols(tabulate(section.texts, headers, **form)) + r"\\[1.5ex]")
    title = f"{experiment.spec.title}, {experiment.scale} scale, {describe_data(results.outcomes)}"
    caption = tex(f"{title}. {' '.join(essential_notes(results))}")
    label = rf"\label{{tab:{experiment.name}}}"
    return "\n".join(
        [r"\begin{table}", r"\centering\small", rf"\caption{{{caption}}}{label}", *parts, r"\end{table}", ""]
    )
