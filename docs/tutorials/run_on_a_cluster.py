"""Run on a cluster.

The experiments run on a Slurm cluster with the same command as on one machine and one more option. This tutorial shows
what would be submitted. It submits nothing, and needs no Slurm. Run it in a clone of the project.
"""

# %%
# ## The trials of an experiment
#
# An experiment file describes one table. Each trial, that is each model, variant and seed, is one job.

import subprocess
import sys
from pathlib import Path

import yaml

from hippo.lab.plan.experiments import find_experiment

experiment = find_experiment("pmnist", "paper")
trials = experiment.trials()
print(f"{experiment.spec.title}: {len(trials)} trials at the scale {experiment.scale!r}")
for trial in trials[:3]:
    print(f"  {trial.variant}, {trial.model}, seed {trial.seed}: at most {trial.training.epochs} epochs")

# %%
# ## What Slurm is asked for
#
# The profile holds the options of Snakemake for a cluster.

profile = yaml.safe_load(Path("profiles/slurm/config.yaml").read_text())
for key in ("executor", "jobs", "default-resources", "slurm-requeue"):
    print(f"{key}: {profile[key]}")

# %%
# ## The plan
#
# `--dry-run` plans all jobs and runs none of them. Leave it out, and add `--workflow-profile profiles/slurm`, to submit
# the trials.

command = [sys.executable, "-m", "snakemake", "pmnist", "--dry-run", "--config", "scale=paper"]
done = subprocess.run(command, capture_output=True, text=True)
plan = done.stdout.splitlines()
print("\n".join(plan[-12:]))
assert done.returncode == 0, done.stderr

# %%
# ```text
# snakemake pmnist --workflow-profile profiles/slurm --config scale=paper
# ```
#
# A job whose time ends saves its state and returns to the queue; a trial that is interrupted resumes from its last
# checkpoint. The page [Cluster](../cluster.md) describes settings, limits and failures.
