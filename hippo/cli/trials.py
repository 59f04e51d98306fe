"""Commands for one trial: run it, and predict with the model that it kept."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from hippo.cli import allocator, collector
from hippo.cli.options import FILE, FOLDER, experiment_argument, scale_option
from hippo.config import ConfigError, closest


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

    trial = find_experiment(experiment, scale).trial(variant, model, seed)
    data = data or Path("data", scale, trial.experiment, f"{variant}.npz")
    out = out or Path("results", scale, "trials", trial.name)
    if not data.exists() and (force or not has_outcome(out)):
        raise ConfigError(f"{data}: no prepared dataset; make it with `hippo prepare` or through snakemake")
    allocator.use_huge_pages()
    with collector.paused():
        from hippo.lab.training.interruption import Interruption
        from hippo.lab.training.run_trial import run_trial
        from hippo.lab.trials.lock import wait_until_unlocked

    with Interruption() as interruption, _requeueing(requeue):
        if wait:
            wait_until_unlocked(out, interruption.check)
        trial = replace(trial, threads=threads or trial.threads)
        outcome = run_trial(trial, data, out, interruption, force=force)
        numbers = {key: value for key, value in outcome.items() if isinstance(value, int | float)}
        click.echo(f"{trial.name}: {outcome['status']} " + " ".join(f"{k}={v:.6g}" for k, v in numbers.items()))
        sys.stdout.flush()
        # The interpreter takes a second to end, in which a signal would make a finished trial look interrupted.
        os._exit(0)


@contextmanager
def _requeueing(asked: bool) -> Iterator[None]:
    """Context that, if asked, requeues the Slurm job around it when a signal other than SIGINT ends its block."""
    from hippo.lab.training.interruption import SIGNALS, Interrupted
    from hippo.lab.trials.requeue import requeue_job

    try:
        yield
    except Interrupted as stopped:
        if asked and stopped.number != signal.SIGINT:
            for number in SIGNALS:  # the next one must not keep the job from the queue
                signal.signal(number, signal.SIG_IGN)
            requeue_job()
        raise


@click.command()
@click.argument("trial")
@click.argument("data", type=FILE)
@scale_option
@click.option("--out", type=FILE, help="The predictions, as CSV; else they are printed.")
def predict(trial, data, scale, out):
    """Predict the sequences in the CSV file DATA with the model that TRIAL kept.

    TRIAL is the folder of a trial, or its name, for example pmnist/bit-reversal/legs/seed0. A trial keeps its model if
    its experiment file says `keep_model: best`. DATA has one step per line: a column per channel; `time`, if the model
    reads timestamps; and `sample`, which names the sequence of the step, if there are several.
    """
    from hippo.files import write_text
    from hippo.lab.prediction import predict as predict_sequences
    from hippo.lab.prediction import read_sequences
    from hippo.nn import load_model

    model, metadata = load_model(_trial_folder(trial, scale))
    predictions = predict_sequences(model, metadata, read_sequences(data, metadata))
    text = predictions.to_csv(index=False, float_format="%.6g")
    if out:
        write_text(out, text)
    click.echo(out or text, nl=bool(out))


def _trial_folder(trial: str, scale: str) -> Path:
    """Folder of a trial that is given by its folder or its name."""
    from hippo.nn import MODEL_FILE

    folder, trials = Path(trial), Path("results", scale, "trials")
    if folder.exists():
        return folder
    if not (trials / trial).is_dir():
        kept = [path.parent.relative_to(trials).as_posix() for path in trials.glob(f"*/*/*/*/{MODEL_FILE}")]
        raise ConfigError(f"{trial}: no such folder, and no such trial in {trials}; {closest(trial, kept)}")
    return trials / trial
