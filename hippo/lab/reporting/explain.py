"""Where one number of a table comes from: its settings, its trials, and the command that makes it again."""

from pathlib import Path

import pandas as pd
import yaml

from hippo.config import ConfigError, closest
from hippo.lab.plan.experiment import Experiment, load_experiment
from hippo.lab.plan.experiments import check_choices
from hippo.lab.plan.schema import SCALES
from hippo.lab.reporting.tables import markdown, mean, theirs
from hippo.lab.results import sweeps
from hippo.lab.results.outcomes import collect
from hippo.lab.results.verdicts import paper_value, statistics
from hippo.lab.plan.sweep_points import format_value

EXPERIMENTS = Path("config/experiments")


def settings(experiment: Experiment, variant: str, row: str) -> str:
    """Every setting of the trials behind one cell, as YAML."""
    trial = experiment.trial(variant, row, 0).model_dump(include={"task", "dataset", "model", "training", "threads"})
    return yaml.safe_dump(trial, sort_keys=False).strip()


def rerun_command(experiment: Experiment, variant: str, row: str) -> str:
    """The command that trains the trials behind one cell again, and no others."""
    names = [experiment.trial(variant, row, seed).name for seed in range(experiment.spec.seeds)]
    targets = " ".join(f"results/{experiment.scale}/trials/{name}/metrics.json" for name in names)
    return f"snakemake --cores all --forcerun train -- {targets}"


def find(name: str, scale: str) -> Experiment:
    """The experiment called `name`, or in the file `name`, at `scale`; ConfigError names the closest."""
    path = Path(name) if name.endswith(".yaml") else EXPERIMENTS / f"{name}.yaml"
    experiment = load_experiment(path, scale)
    sweeps = {sweep for row in experiment.spec.models.values() for sweep in row.chosen_by.values()}
    files = {sweep: path.with_name(f"{sweep}.yaml") for sweep in sweeps}
    check_choices(experiment, {sweep: load_experiment(file, scale) for sweep, file in files.items() if file.exists()})
    return experiment


def made(results: Path) -> list[Path]:
    """Files of the experiments that have a table or a sweep among `results`."""
    pages = {path.stem for kind in ("tables", "sweeps") for path in (results / kind).glob("*.md")}
    return [path for path in sorted(EXPERIMENTS.glob("*.yaml")) if path.stem in pages]


def show(experiment: Experiment, trials: Path) -> str:
    """The table or sweep of `experiment` from the trials that there are, as Markdown that fits a terminal."""
    outcomes = collect(experiment, trials)
    if experiment.spec.sweep:
        return sweeps.markdown(experiment, outcomes, sweeps.sweep_curve(experiment, outcomes))
    return markdown(experiment, outcomes, statistics(experiment, outcomes), trials)


def explain(table: Path, model: str) -> str:
    """All that stands behind the row `model` (its key or its label) of the table or sweep file `table`, in words."""
    results = table.parent.parent
    if table.parent.name not in ("tables", "sweeps") or results.name not in SCALES:
        raise ConfigError(f"{table}: no table's file; expected something like results/quick/tables/pmnist.md")
    experiment = find(table.stem, results.name)
    keys = {key: key for key in experiment.spec.models} | {m.label: k for k, m in experiment.spec.models.items()}
    if model not in keys:
        raise ConfigError(f"{experiment.where}: no row {model!r}; {closest(model, keys)}")
    row = keys[model]
    outcomes = collect(experiment, results / "trials")
    cells = statistics(experiment, outcomes)
    parts = [f"{experiment.spec.models[row].label} · {experiment.spec.title} · {experiment.scale} scale"]
    for key, sweep in experiment.spec.models[row].chosen_by.items():
        chosen = sweeps.choices(experiment, sweep, results / "trials")[row]
        parts.append(_choice(experiment, row, key, sweep, chosen))
    for variant, about in experiment.spec.variants.items():
        here = (outcomes["variant"] == variant) & (outcomes["row"] == row)
        parts += ["", about.label, *_numbers(experiment, cells, variant, row), ""]
        parts += [_seed(results, trial) for _, trial in outcomes[here].iterrows()]
        parts += ["", settings(experiment, variant, row), "", "make it again:"]
        parts += ["  " + rerun_command(experiment, variant, row)]
    return "\n".join(parts)


def _choice(experiment: Experiment, row: str, key: str, sweep: str, chosen: list) -> str:
    """What a setting is, and what the sweep that it is said to come from chooses."""
    value = experiment.setting(row, key)
    said = f"{key} = {format_value(value)}, as chosen by {sweep}"
    if not chosen:
        command = f"snakemake --cores all --config scale={experiment.scale} -- {sweep}"
        return f"{said}, which is not made at this scale: {command}"
    return f"{said}" if chosen == [value] else f"{said}, WHICH CHOOSES {', '.join(map(format_value, chosen))}"


def _numbers(experiment: Experiment, cells: pd.DataFrame, variant: str, row: str) -> list[str]:
    lines = []
    for column in experiment.task.columns:
        own = (cells["variant"] == variant) & (cells["model"] == row) & (cells["metric"] == column.metric)
        cell = cells[own].iloc[0]
        paper, difference, verdict = theirs(cell, column, paper_value(experiment, variant, row, column.metric))
        beside = f", paper {paper}, difference {difference or '—'}: {verdict}" if paper else ""
        lines.append(f"  {column.label}: {mean(cell, column)}{beside}")
    return lines


def _seed(results: Path, trial: pd.Series) -> str:
    known = {key: value for key, value in trial.items() if isinstance(value, str) and value}
    words = [f"  seed {trial['seed']}: {trial['status']}"]
    words += [f"run {known['run_id']}"] if "run_id" in known else []
    words += [f"commit {known['commit']}"] if "commit" in known else []
    words += [f"{known['device']}, {trial['threads']:g} threads"] if "device" in known else []
    words += [f"kernels {known['kernels']}"] if "kernels" in known else []
    words += [known["reason"]] if "reason" in known else []
    return ", ".join([*words, str(results / "trials" / trial["folder"])])
