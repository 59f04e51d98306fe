"""The command that runs one trial."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import click

from hippo.cli import allocator, collector
from hippo.cli.options import FILE, FOLDER, experiment_argument
from hippo.config import ConfigError


@click.command()
@experiment_argument
@click.option("--variant", required=True, help="Variant of the dataset, as the experiment file names it.")
@click.option("--model", required=True, help="Model of the table, as the experiment file names it.")
@click.option("--seed", type=click.IntRange(min=0), required=True)
@click.option("--data", type=FILE, help="The prepared dataset; else data/<scale>/<experiment>/<variant>.npz.")
@click.option("--out", type=FOLDER, help="The trial's folder; else its folder in results/<scale>/trials.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; else as the experiment file states.")
@click.option(
    "--force", is_flag=True, envvar="HIPPO_FORCE_TRAIN", help="Train again although the outcome is up to date."
)
@click.option("--wait", is_flag=True, help="Wait for a process that is running this trial already.")
@click.option(
    "--requeue", is_flag=True, envvar="HIPPO_REQUEUE", help="After SIGUSR1 or SIGTERM, requeue the Slurm job around it."
)
def train(experiment, scale, variant, model, seed, data, out, threads, force, wait, requeue):
    """Run one trial of EXPERIMENT, a name or a file, tracked, and write its folder.

    An interrupted trial resumes from its last checkpoint. A finished trial whose outcome is up to date is not trained
    again.
    """
    from hippo.lab.plan.experiments import find_experiment
    from hippo.lab.trials.outcome import has_outcome
    from hippo.lab.trials.requeue import requeue_job

    trial = find_experiment(experiment, scale).trial(variant, model, seed)
    data = data or Path("data", scale, trial.experiment, f"{variant}.npz")
    out = out or Path("results", scale, "trials", trial.name)
    if not data.exists() and (force or not has_outcome(out)):
        raise ConfigError(f"{data}: no prepared dataset; make it with `hippo prepare` or through snakemake")
    allocator.use_huge_pages()
    with collector.paused():
        from hippo.lab.training.interruption import SIGNALS, Interrupted, Interruption
        from hippo.lab.training.run_trial import run_trial
        from hippo.lab.trials.lock import wait_until_unlocked

    with Interruption() as interruption:
        try:
            if wait:
                wait_until_unlocked(out, interruption.check)
            trial = replace(trial, threads=threads or trial.threads)
            outcome = run_trial(trial, data, out, interruption, force=force)
        except Interrupted as stopped:
            if requeue and stopped.number != signal.SIGINT:
                for number in SIGNALS:  # the next one must not keep the job from the queue
                    signal.signal(number, signal.SIG_IGN)
                requeue_job()
            raise
        numbers = {key: value for key, value in outcome.items() if isinstance(value, int | float)}
        click.echo(f"{trial.name}: {outcome['status']} " + " ".join(f"{k}={v:.6g}" for k, v in numbers.items()))
        sys.stdout.flush()
        # The interpreter takes a second to end, in which a signal would make a finished trial look interrupted.
        os._exit(0)
