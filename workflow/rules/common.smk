# What several files of rules use: settings, experiments, paths. Planning imports no torch, pandas or MLflow.
import os
import re
import sys
from functools import cache as memoize
from pathlib import Path

from snakemake.exceptions import WorkflowError

from hippo.config import ConfigError, closest
from hippo.data.availability import missing_files
from hippo.data.errors import DataError
from hippo.lab.plan.experiments import read_experiments
from hippo.lab.plan.schema import SCALES

# Jobs call `hippo` from the environment of this interpreter, activated or not.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
try:
    EXPERIMENTS = read_experiments(config)
except ConfigError as error:
    raise WorkflowError(str(error))
SETTINGS = EXPERIMENTS.settings

DATA = "data/{scale}/{experiment}/{variant}.npz"
TRIAL = "{experiment}/{variant}/{model}/seed{seed}"
OUTCOME = "results/{scale}/trials/" + TRIAL + "/metrics.json"


def find(name, scale):
    """An experiment at a scale, which it must have."""
    try:
        return EXPERIMENTS[name, scale]
    except ConfigError as error:
        refuse(error)


def experiment_of(wildcards):
    """The experiment that a job belongs to, at its scale."""
    return find(wildcards.experiment, wildcards.scale)


def file_of(wildcards):
    """The file of the experiment that a job belongs to."""
    return EXPERIMENTS.files[wildcards.experiment]


def spec_of(wildcards):
    """Content of the experiment file at a job's scale: a change makes the table out of date."""
    return experiment_of(wildcards).spec.model_dump_json()


def refuse(message):
    """End with one line: a target that cannot be made is no fault of the workflow."""
    sys.exit(str(message))


@memoize
def is_available(name, scale, variant):
    """Whether the data of a variant is there, if the user must supply it. If not, the table says what to put where."""
    try:
        return not missing_files(find(name, scale).datasets[variant], SETTINGS.data_dir)
    except DataError as error:
        refuse(error)


def outcomes_of(name, scale):
    """metrics.json of every trial of an experiment whose data is available."""
    trials = [trial for trial in find(name, scale).trials() if is_available(name, scale, trial.variant)]
    return [f"results/{scale}/trials/{trial.name}/metrics.json" for trial in trials]


def names_at(scale):
    """Names of the experiments that have a scale."""
    return [name for name in EXPERIMENTS.files if (name, scale) in EXPERIMENTS]


def kind_of(name, scale):
    """What an experiment ends in: a table or a sweep."""
    return "sweep" if find(name, scale).spec.sweep else "table"


def page_of(name, scale):
    """The page of an experiment: its table or sweep."""
    return f"results/{scale}/{kind_of(name, scale)}s/{name}.md"


def files_of(name):
    """Page and outcomes of an experiment at the configured scale: a missing outcome is made although the page exists."""
    return [page_of(name, SETTINGS.scale), *outcomes_of(name, SETTINGS.scale)]
