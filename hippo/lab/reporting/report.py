"""All tables and figures of one scale as one page that needs nothing else: no other file, no host."""

import base64
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import jinja2
import pandas as pd

from hippo.files import write_text
from hippo.lab.plan.experiment import Experiment
from hippo.lab.reporting.explain import rerun_command, settings
from hippo.lab.reporting.notes import data
from hippo.lab.reporting.tables import mean, notes, theirs
from hippo.lab.reporting.timing import by_rule
from hippo.lab.results.outcomes import collect
from hippo.lab.results.sweeps import notes as sweep_notes
from hippo.lab.results.sweeps import sweep_curve, text
from hippo.lab.results.verdicts import paper_value, statistics
from hippo.lab.plan.sweep_points import format_value

CAPTIONS = {
    "learning_curves": "Validation score after each epoch; the band runs from the lowest to the highest seed.",
    "ranks": "Mean ranks over variants and seeds; a bar joins what Nemenyi's test at 5 % does not tell apart.",
    "speed_curve": "Test accuracy where the pen is faster or slower than in training.",
    "signals": "The signal's oldest and newest samples, and what each model makes of them.",
    "memory_errors": "Error of the memories against their order and against the signal's length.",
    "basis_functions": "The first basis functions of each measure.",
    "kernel_speed": "Speed of the kernels, as `make bench` measured it.",
}
SIGNS = {"reproduced": "✓", "above": "↑", "below": "↓"}


def write_report(experiments: list[Experiment], scale: str, results: Path, out: Path) -> None:
    """Write `out`, the page over `experiments` at `scale`, from the trials, figures and benchmarks under `results`."""
    found = [(experiment, collect(experiment, results / "trials")) for experiment in experiments]
    trials = pd.concat([outcomes for _, outcomes in found], ignore_index=True)
    kept = results / "trials"
    tables = [_Table(experiment, outcomes, kept) for experiment, outcomes in found if not experiment.spec.sweep]
    sweeps = [_sweep(experiment, outcomes, results) for experiment, outcomes in found if experiment.spec.sweep]
    verdicts = Counter(cell["verdict"] for table in tables for cell in table.judged())
    shared = [results / "figures" / f"{name}.svg" for name in ("memory_errors", "basis_functions", "kernel_speed")]
    page = jinja2.Environment(
        loader=jinja2.PackageLoader("hippo.lab.reporting", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
    ).get_template("report.html.j2")
    write_text(
        out,
        page.render(
            scale=scale,
            tables=tables,
            sweeps=sweeps,
            verdicts=[(name, SIGNS.get(name, "–"), verdicts[name]) for name in sorted(verdicts, key=_order)],
            trials=dict(trials["status"].value_counts()),
            figures={
                table.name: _figures([results / "figures" / f"{table.name}_{kind}.svg" for kind in CAPTIONS])
                for table in tables
            },
            shared=_figures(shared),
            times=by_rule((results / "benchmarks", results.parent / "benchmarks")),
            origins=_origins(trials),
            version=version("hippo-lab"),
        ),
    )


class _Table:
    """One table as the template reads it."""

    def __init__(self, experiment: Experiment, outcomes: pd.DataFrame, trials: Path):
        self.experiment, self.outcomes, self.cells = experiment, outcomes, statistics(experiment, outcomes)
        self.name, self.title = experiment.name, experiment.spec.title
        self.source, self.notes = data(outcomes), notes(experiment, outcomes, trials)

    def judged(self) -> list[dict]:
        """The cells that the paper prints too."""
        return self.cells[self.cells["paper"].notna()].to_dict("records")

    def columns(self, variant: str) -> list[tuple]:
        """Columns of one variant, each with whether the paper prints it."""
        own = self.cells[(self.cells["variant"] == variant) & self.cells["paper"].notna()]
        return [(column, column.metric in set(own["metric"])) for column in self.experiment.task.columns]

    def rows(self, variant: str) -> list[dict]:
        """Lines of one variant: label, numbers, and where they come from."""
        own = self.cells[self.cells["variant"] == variant].set_index(["model", "metric"])
        return [self._row(variant, row, about.label, own) for row, about in self.experiment.spec.models.items()]

    def _row(self, variant: str, row: str, label: str, own: pd.DataFrame) -> dict:
        numbers = []
        for column, compared in self.columns(variant):
            cell = own.loc[(row, column.metric)]
            paper, difference, verdict = theirs(cell, column, paper_value(self.experiment, variant, row, column.metric))
            numbers.append((mean(cell, column), compared, paper, difference, verdict, SIGNS.get(verdict, "")))
        here = (self.outcomes["variant"] == variant) & (self.outcomes["row"] == row)
        return {
            "id": f"{self.name}--{variant}--{row}",
            "label": label,
            "numbers": numbers,
            "finished": cell["finished"],
            "seeds": cell["seeds"],
            "trials": [self._trial(trial) for _, trial in self.outcomes[here].iterrows()],
            "settings": settings(self.experiment, variant, row),
            "command": rerun_command(self.experiment, variant, row),
        }

    def _trial(self, trial: pd.Series) -> dict:
        shown = [(c, trial.get(c.metric)) for c in self.experiment.task.columns]
        numbers = [f"{value * c.factor:{c.format}}" if pd.notna(value) else "—" for c, value in shown]
        return {**trial.where(trial.notna(), None).to_dict(), "numbers": numbers}


def _sweep(experiment: Experiment, outcomes: pd.DataFrame, results: Path) -> dict:
    """A sweep as the template reads it: for each variant, a line per model with what each value gave."""
    curve, column, plan = sweep_curve(experiment, outcomes), experiment.task.columns[0], experiment.spec
    variants = {}
    for variant, about in plan.variants.items():
        lines = curve[curve["variant"] == variant].groupby("label", sort=False)
        variants[about.label] = [
            (label, [(text(cell, column), cell["chosen"]) for cell in line.to_dict("records")]) for label, line in lines
        ]
    return {
        "name": experiment.name,
        "plan": plan,
        "column": column,
        "values": [format_value(value) for value in plan.sweep.values],
        "variants": variants,
        "source": data(outcomes),
        "notes": sweep_notes(experiment, outcomes, curve),
        "figures": _figures([results / "sweeps" / f"{experiment.name}.svg"]),
        "command": f"snakemake --cores all --config scale={experiment.scale} -- {experiment.name}",
    }


def _order(verdict: str) -> tuple:
    return (list(SIGNS).index(verdict) if verdict in SIGNS else len(SIGNS), verdict)


def _figures(paths: list[Path]) -> list[tuple[str, str]]:
    """Caption and data address of each picture that there is."""
    found = []
    for path in paths:
        if path.exists():
            kind = next((kind for kind in CAPTIONS if path.stem.endswith(kind)), "")
            picture = base64.b64encode(path.read_bytes()).decode()
            found.append((CAPTIONS.get(kind, path.stem), f"data:image/svg+xml;base64,{picture}"))
    return found


def _origins(trials: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """What the finished trials were made with: each fact and its values, the most frequent first."""
    facts: dict[str, Counter] = {}
    for trial in trials[trials["status"] == "finished"].to_dict("records"):
        known = {key: value for key, value in trial.items() if isinstance(value, str | dict)}
        said = {**known.get("versions", {}), **known.get("machine", {})}
        said |= {key: known[key] for key in ("device", "kernels", "commit") if key in known}
        for key, value in said.items():
            facts.setdefault(key, Counter())[str(value)] += 1
    return [(key, [f"{v} ({n} trials)" if len(c) > 1 else v for v, n in c.most_common()]) for key, c in facts.items()]
