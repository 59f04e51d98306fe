"""Page of the documentation with the tables of one scale."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from hippo.config import ConfigError
from hippo.files import write_text
from hippo.lab.reporting.notes import describe_data, table_notes
from hippo.lab.reporting.summary import in_order
from hippo.lab.reporting.tables import format_body
from hippo.lab.reporting.text import bullet, paragraph, wrap
from hippo.lab.results.results import Results
from hippo.lab.trials.status import Status


def write_results_page(found: list[Results], out: Path) -> None:
    """Write the tables of several experiments as one Markdown page, in the order of their positions.

    Parameters
    ----------
    found : list of Results
        Results of experiments of one scale. Sweeps are left out; experiments without a finished trial are named.
    out : Path
        The page.

    Raises
    ------
    ConfigError
        If none of the experiments is a table with a finished trial. No page is written.
    """
    names = ", ".join(results.experiment.name for results in found)
    found = in_order([results for results in found if not results.experiment.spec.sweep])
    tables = [results for results in found if results.outcomes["status"].eq(Status.FINISHED).any()]
    if not tables:
        raise ConfigError(
            f"{out}: not written, since no table with a finished trial is among the experiments {names}; name or train "
            "one. The curve of a sweep is written by hippo sweep"
        )
    empty = [results for results in found if results not in tables]
    sections = [line for results in tables for line in _table(results)]
    write_text(out, "\n".join([*_introduction(tables, empty, out), *_contents(tables), *sections]))


def _introduction(tables: list[Results], empty: list[Results], out: Path) -> list[str]:
    """Title, what is finished and what is missing, machines, commands, and what a verdict is."""
    scale = tables[0].experiment.scale
    finished = sum(int(results.outcomes["status"].eq(Status.FINISHED).sum()) for results in tables)
    planned = sum(len(results.outcomes) for results in [*tables, *empty])
    text = (
        f"{finished} of {planned} trials are finished. They took {_core_time(*tables)} on {_processors(tables)}. "
        f"`snakemake --cores all --config scale={scale}` trains the missing ones; the name of a table as the first "
        f"argument limits it to that table. This page is written by `hippo results --scale {scale} --out {out}`."
    )
    if empty:
        text += f" No trial is finished of {', '.join(results.experiment.name for results in empty)}."
    trained = (
        "Accuracies are in percent. A verdict compares with the value in the column beside it, usually the paper's; "
        "the notes under a table give the tolerance."
    )
    return [f"# Tables of the {scale} scale", "", paragraph(text), "", paragraph(trained), ""]


def _contents(tables: list[Results]) -> Iterator[str]:
    """Links to the tables, with the core time of each."""
    for results in tables:
        title = results.experiment.spec.title
        anchor = re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", title.lower(), flags=re.ASCII))
        yield bullet(f"[{title}](#{anchor}): `{results.experiment.name}`, {_core_time(results)}")
    yield ""


def _processors(tables: list[Results]) -> str:
    """The processors on which the finished trials ran and their instruction sets, the most frequent first."""
    names: Counter[str] = Counter()
    for results in tables:
        if "machine" in results.outcomes:
            known = results.outcomes[["machine", "kernels"]].dropna()
            names.update(f"{machine['processor']} ({kernels})" for machine, kernels in known.itertuples(index=False))
    return ", ".join(name for name, _ in names.most_common()) or "an unknown processor"


def _table(results: Results) -> list[str]:
    """One experiment: title, data, claims, sections and notes."""
    data = describe_data(results.outcomes)
    title = [f"## {results.experiment.spec.title}", "", wrap(data[:1].upper() + data[1:] + "."), ""]
    notes = map(bullet, [*table_notes(results), f"The trials took {_core_time(results)}."])
    return [*title, *format_body(results, level=3), *notes, ""]


def _core_time(*found: Results) -> str:
    """Time of the finished trials, with the waiting of their threads for memory and disk."""
    finished = [results.outcomes[results.outcomes["status"] == Status.FINISHED] for results in found]
    hours = sum(float((trials["seconds"] * trials["threads"]).sum()) for trials in finished) / 3600
    return f"{hours:.1f} core-hours" if hours >= 1 else f"{60 * hours:.1f} core-minutes"
