"""Commands for trials and their tracked runs: list, import, reconcile."""

import sys
from collections import Counter
from pathlib import Path

import click

from hippo.cli.options import FILE, FOLDER, Commands, collect, results_option, scale_option

gone_option = click.option("--gone", metavar="HOST", multiple=True, help="A host that runs no process any more.")


@click.group(cls=Commands, invoke_without_command=True)
@click.pass_context
def runs(context):
    """List trials and tracked runs; import and reconcile runs. Without a command, list all trials of scale quick."""
    if context.invoked_subcommand is None:
        context.invoke(list_)


@runs.command("list")
@click.argument("experiments", nargs=-1)
@scale_option
@results_option
def list_(experiments, scale, results):
    """List the trials of EXPERIMENTS, names or files, or of all: status, epoch, time left."""
    from hippo.lab.plan.experiments import files_with_scales
    from hippo.lab.reporting.listing import list_trials

    names = experiments or [path.stem for path in files_with_scales([scale])]
    trials = results and results / "trials"
    click.echo(list_trials([collect(name, scale, trials) for name in names]))


@runs.command("init")
@click.argument("experiments", nargs=-1, required=True)
@click.option("--out", type=FILE, help="Write the store's address and the experiments' ids, as JSON.")
def init(experiments, out):
    """Create the MLflow store and one MLflow experiment per table, before parallel trials need them."""
    from hippo.files import write_json
    from hippo.lab.tracking.address import tracking_uri
    from hippo.lab.tracking.store import create_store

    ids = create_store(list(experiments))
    click.echo(f"{tracking_uri()}: {', '.join(ids)}")
    if out:
        write_json(out, {"uri": tracking_uri(), "experiments": ids})


@runs.command("import")
@click.argument("trials", type=FOLDER)
@gone_option
@click.option("--undelivered", is_flag=True, help="Only trials that ended while the store was unreachable.")
def import_(trials, gone, undelivered):
    """Deliver every trial under the folder TRIALS to the store, each once: after a move, or without its runs.

    The exit status is 1 if a trial was left alone or failed.
    """
    from hippo.lab.tracking.import_runs import import_trials

    states = Counter()
    for trial in import_trials(trials, gone, undelivered):
        states[trial.state] += 1
        click.echo(trial)
    missing = {"left": "left alone", "failed": "failed", "empty": "never started"}
    counts = [f"{states['imported']} of {states.total()} imported"]
    counts += [f"{states[state]} {text}" for state, text in missing.items() if states[state]]
    click.echo(", ".join(counts))
    sys.exit(bool(states["left"] or states["failed"]))


@runs.command("reconcile")
@click.argument("root", type=FOLDER, default=Path("results"))
@gone_option
def reconcile_(root, gone):
    """End runs that have the status RUNNING in the store although their process on this machine has ended."""
    from hippo.lab.tracking.import_runs import reconcile

    states = Counter()
    for trial in reconcile(root, gone):
        states[trial.state] += 1
        click.echo(trial)
    if not states:
        click.echo("no run has the status RUNNING: nothing to reconcile")
    if states["failed"]:
        click.echo(f"{states['failed']} of {states.total()} failed")
    sys.exit(bool(states["failed"]))
