"""Command lines that tables, reports and explanations print. Each works as printed, in the project's folder.

Targets come first: `--config` and `--forcerun` would take a target that follows them as one more value.
"""

import shlex

from hippo.lab.plan.experiment import Experiment


def make_command(name: str, scale: str) -> str:
    """Return the command that makes the table or sweep of the experiment `name` at a scale."""
    return f"snakemake {name} --cores all --config scale={scale}"


def retrain_command(experiment: Experiment, variant: str, model: str) -> str:
    """Return the command that trains all seeds of one model and variant again, and no other trial."""
    names = [experiment.trial(variant, model, seed).name for seed in range(experiment.spec.seeds)]
    targets = " ".join(f"results/{experiment.scale}/trials/{name}/metrics.json" for name in names)
    return f"snakemake {targets} --cores all --forcerun train"


def train_command(experiment: Experiment, variant: str, model: str, seed: int) -> str:
    """Return the command that runs one trial without Snakemake, on the dataset that Snakemake prepared."""
    name = experiment.trial(variant, model, seed).name
    options = {
        "scale": experiment.scale,
        "variant": variant,
        "model": model,
        "seed": seed,
        "data": f"data/{experiment.scale}/{experiment.name}/{variant}.npz",
        "out": f"results/{experiment.scale}/trials/{name}",
    }
    flags = " ".join(f"--{key} {shlex.quote(str(value))}" for key, value in options.items())
    return f"hippo train {shlex.quote(str(experiment.path))} {flags}"
