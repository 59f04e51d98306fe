"""Report: all tables, sweeps and figures of one scale as one HTML page that needs no other file and no network."""

import base64
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import jinja2
import pandas as pd

from hippo.files import write_text
from hippo.lab.plan.sweep_points import format_value
from hippo.lab.reporting.claims import describe
from hippo.lab.reporting.commands import make_command, retrain_command
from hippo.lab.reporting.explain import format_settings
from hippo.lab.reporting.figure import Figure, available_figures
from hippo.lab.reporting.figures.sweep import FIGURE as SWEEP_FIGURE
from hippo.lab.reporting.notes import describe_data, sweep_notes, table_notes, uses_substitute
from hippo.lab.reporting.overview import format_overview
from hippo.lab.reporting.sections import format_variant
from hippo.lab.reporting.summary import SIGNS, in_order, summarize
from hippo.lab.reporting.sweep_page import format_curves, selection
from hippo.lab.reporting.timing import collect_times
from hippo.lab.results.results import Results
from hippo.lab.trials.status import Status


def write_report(found: list[Results], scale: str, folder: Path, out: Path) -> None:
    """Write the report.

    Parameters
    ----------
    found : list of Results
        Results of the experiments to report. They appear in the order of their positions.
    scale : str
        Their scale.
    folder : Path
        Folder of that scale, such as results/quick, with the folders figures, sweeps and benchmarks.
    out : Path
        The HTML file.
    """
    tables = in_order([results for results in found if not results.experiment.spec.sweep])
    sweeps = in_order([results for results in found if results.experiment.spec.sweep])
    outcomes = pd.concat([results.outcomes for results in found], ignore_index=True)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hippo.lab.reporting", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.get_template("report.html.j2").render(
        scale=scale,
        summary=summarize(tables, outcomes, scale),
        tables=[_table(results, folder) for results in tables],
        sweeps=[_sweep(results, folder) for results in sweeps],
        shared=_figures(folder, {name: figure for name, figure in available_figures().items() if _is_shared(figure)}),
        times=collect_times((folder / "benchmarks", folder.parent / "benchmarks")),
        origins=_origins(outcomes),
        signs=SIGNS,
        version=version("hippo-lab"),
    )
    write_text(out, page)


def _is_shared(figure: Figure) -> bool:
    """Whether a figure belongs to no single experiment."""
    return figure.needs != "results"


def _table(results: Results, folder: Path) -> dict:
    """One table as the template reads it."""
    experiment = results.experiment
    figures = {f"{experiment.name}_{name}": f for name, f in available_figures().items() if not _is_shared(f)}
    return {
        "name": experiment.name,
        "title": experiment.spec.title,
        "source": describe_data(results.outcomes),
        "substitute": uses_substitute(results.outcomes),
        "claims": [(claim, describe(results, claim)) for claim in results.claims],
        "overviews": format_overview(results),
        "sections": [_section(results, variant) for variant in experiment.spec.variants],
        "notes": table_notes(results),
        "figures": _figures(folder, figures),
        "command": make_command(experiment.name, experiment.scale),
    }


def _section(results: Results, variant: str) -> dict:
    """One variant as the template reads it: the numbers, and the origin of each."""
    experiment, section = results.experiment, format_variant(results, variant)
    origins = {
        line.model: {
            "id": f"{experiment.name}--{variant}--{line.model}",
            "trials": [_trial(results, trial) for _, trial in results.select(variant, line.model).iterrows()],
            "settings": format_settings(experiment, variant, line.model),
            "command": retrain_command(experiment, variant, line.model),
        }
        for line in section.lines
    }
    return {"label": section.label, "columns": section.columns, "compared": section.compared} | {
        "lines": section.lines,
        "origins": origins,
    }


def _trial(results: Results, trial: pd.Series) -> dict:
    """One seed as the template reads it."""
    numbers = [
        f"{trial[column.metric] * column.factor:{column.format}}" if pd.notna(trial.get(column.metric)) else "—"
        for column in results.experiment.task.columns
    ]
    return {**trial.where(trial.notna(), None).to_dict(), "numbers": numbers}


def _sweep(results: Results, folder: Path) -> dict:
    """One sweep as the template reads it."""
    experiment, sweep = results.experiment, results.experiment.spec.sweep
    return {
        "name": experiment.name,
        "title": experiment.spec.title,
        "key": sweep.label,
        "score": selection(results).label,
        "grid": [format_value(value) for value in sweep.values],
        "variants": format_curves(results),
        "source": describe_data(results.outcomes),
        "substitute": uses_substitute(results.outcomes),
        "notes": sweep_notes(results),
        "figures": _figures(folder, {experiment.name: SWEEP_FIGURE}, "sweeps"),
        "command": make_command(experiment.name, experiment.scale),
    }


def _figures(folder: Path, figures: dict[str, Figure], kind: str = "figures") -> list[tuple[str, str]]:
    """Caption and data address of each figure that has been plotted, by the name of its file."""
    found = []
    for name, figure in figures.items():
        path = folder / kind / f"{name}.svg"
        if path.exists():
            picture = base64.b64encode(path.read_bytes()).decode()
            found.append((figure.caption, f"data:image/svg+xml;base64,{picture}"))
    return found


def _origins(outcomes: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """Versions, machines and commits of the finished trials: each fact and its values, the most frequent first."""
    facts: dict[str, Counter] = {}
    for trial in outcomes[outcomes["status"] == Status.FINISHED].to_dict("records"):
        known = {key: value for key, value in trial.items() if isinstance(value, str | dict)}
        found = {**known.get("versions", {}), **known.get("machine", {})}
        found |= {key: known[key] for key in ("device", "kernels", "commit") if key in known}
        for key, value in found.items():
            facts.setdefault(key, Counter())[str(value)] += 1
    return [(key, [f"{v} ({n} trials)" if len(c) > 1 else v for v, n in c.most_common()]) for key, c in facts.items()]
