"""The command that runs one trial."""

import fcntl
import logging
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import click

from hippo.cli import allocator, collector
from hippo.cli.options import FILE, FOLDER, experiment_argument
from hippo.config import ConfigError

log = logging.getLogger(__name__)


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
def train(experiment, scale, variant, model, seed, data, out, threads, force, wait):
    """Run one trial of EXPERIMENT, a name or a file, tracked, and write its folder.

    An interrupted trial resumes from its last checkpoint. A finished trial whose outcome is up to date is not trained
    again.
    """
    from hippo.lab.plan.experiments import find_experiment
    from hippo.lab.trials.outcome import has_outcome

    trial = find_experiment(experiment, scale).trial(variant, model, seed)
    data = data or Path("data", scale, trial.experiment, f"{variant}.npz")
    out = out or Path("results", scale, "trials", trial.name)
    if not data.exists() and (force or not has_outcome(out)):
        raise ConfigError(f"{data}: no prepared dataset; make it with `hippo prepare` or through snakemake")
    allocator.use_huge_pages()
    with collector.paused():
        from hippo.lab.training.interruption import Interruption
        from hippo.lab.training.run_trial import run_trial

    with Interruption() as interruption:
        if wait:
            wait_for_folder(out, interruption)
        trial = replace(trial, threads=threads or trial.threads)
        outcome = run_trial(trial, data, out, interruption, force=force)
        numbers = {key: value for key, value in outcome.items() if isinstance(value, int | float)}
        click.echo(f"{trial.name}: {outcome['status']} " + " ".join(f"{k}={v:.6g}" for k, v in numbers.items()))
        sys.stdout.flush()
        # The interpreter takes a second to end, in which a signal would make a finished trial look interrupted.
        os._exit(0)


def wait_for_folder(folder: Path, interruption) -> None:
    """Wait until no other process holds the lock of a trial's folder.

    Parameters
    ----------
    folder : Path
        Folder of the trial.
    interruption : Interruption
        Notes signals.

    Raises
    ------
    Interrupted
        If a signal came.
    """
    from hippo.lab.training.interruption import Interrupted

    if not folder.is_dir():
        return
    handle, told = os.open(folder, os.O_RDONLY), False
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if not told:
                    log.info("%s: another process is running this trial; waiting until it ends", folder)
                told = True
            except OSError:  # a file system without locks on folders
                return
            if interruption.caught is not None:
                raise Interrupted(interruption.caught)
            time.sleep(0.5)
    finally:
        os.close(handle)
