"""Explanation of the numbers of one model: settings, trials, and the commands that make them again."""

import pandas as pd
import yaml

from hippo.config import ConfigError, closest
from hippo.lab.plan.experiment import Experiment
from hippo.lab.plan.sweep_points import format_value
from hippo.lab.reporting.commands import make_command, retrain_command, train_command
from hippo.lab.reporting.notes import describe_choice
from hippo.lab.reporting.sections import Line, Section, format_variant
from hippo.lab.results.results import Results
from hippo.lab.results.sweeps import Choice


def explain(results: Results, model: str) -> str:
    """Explain the numbers of one model.

    Parameters
    ----------
    results : Results
        Results of a table or a sweep.
    model : str
        Name of the model in the experiment file, or its label.

    Returns
    -------
    str
        For each variant: numbers with the paper's, trials with their runs, settings as YAML, and commands.

    Raises
    ------
    ConfigError
        If the table has no such model. The message names the closest.
    """
    experiment = results.experiment
    models = experiment.spec.models
    keys = {key: key for key in models} | {spec.label: key for key, spec in models.items()}
    if model not in keys:
        raise ConfigError(f"{experiment.where}: no model {model!r}; {closest(model, keys)}")
    key = keys[model]
    parts = [f"{models[key].label} · {experiment.spec.title} · {experiment.scale} scale"]
    parts += [_describe(choice, experiment) for choice in results.choices if choice.model == key]
    for variant in experiment.spec.variants:
        section = format_variant(results, variant)
        line = next(line for line in section.lines if line.model == key)
        parts += ["", section.label, *_format_numbers(section, line), ""]
        parts += [_format_trial(results, trial) for _, trial in results.select(variant, key).iterrows()]
        parts += ["", format_settings(experiment, variant, key), ""]
        parts += ["train all seeds again:", f"  {retrain_command(experiment, variant, key)}"]
        parts += ["train one seed without Snakemake:", f"  {train_command(experiment, variant, key, 0)}"]
    return "\n".join(parts)


def format_settings(experiment: Experiment, variant: str, model: str) -> str:
    """Return every setting of the trials of one variant and model, as YAML."""
    content = experiment.trial(variant, model, 0).to_mapping()
    settings = {key: content[key] for key in ("task", "dataset", "model_options", "training", "threads")}
    return yaml.safe_dump(settings, sort_keys=False).strip()


def _describe(choice: Choice, experiment: Experiment) -> str:
    """A setting, its value, and what the sweep that it comes from chooses."""
    text = f"{choice.key} = {format_value(choice.value)}, as chosen by {choice.sweep}"
    if not choice.chosen:
        return f"{text}, which is not made at this scale: {make_command(choice.sweep, experiment.scale)}"
    return f"{text}, but {but}" if (but := describe_choice(choice)) else text


def _format_numbers(section: Section, line: Line) -> list[str]:
    """One line per number: ours, and the paper's with difference and verdict."""
    texts = []
    for column in section.columns:
        number = line.numbers[column.metric]
        difference = number.difference or "—"
        paper = f", paper {number.paper}, difference {difference}: {number.verdict}" if number.paper else ""
        texts.append(f"  {column.label}: {number.ours}{paper}")
    return texts


def _format_trial(results: Results, trial: pd.Series) -> str:
    """Status, run, commit, device, kernels and folder of one seed."""
    known = {key: value for key, value in trial.items() if isinstance(value, str) and value}
    facts = [f"  seed {trial['seed']}: {trial['status']}"]
    facts += [f"run {known['run_id']}"] if "run_id" in known else []
    facts += [f"commit {known['commit']}"] if "commit" in known else []
    facts += [f"{known['device']}, {trial['threads']:g} threads"] if "device" in known else []
    facts += [f"kernels {known['kernels']}"] if "kernels" in known else []
    facts += [known["reason"]] if "reason" in known else []
    return ", ".join([*facts, str(results.trials / trial["folder"])])
