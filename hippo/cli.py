"""`hippo …`: each rule of the workflow is one of these commands, and a person can paste it."""

import logging
import os
import sys
from dataclasses import replace
from pathlib import Path

import click

from hippo.config import ConfigError, closest
from hippo.data.sources import DataError

FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)


class Command(click.Group):
    """A group whose commands end in one clear message for what a person can mend, and no traceback."""

    def resolve_command(self, ctx, args):
        """As click's, with the closest command named."""
        if args and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"no command {args[0]!r}; {closest(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx):
        """As click's; configuration, data and file errors become messages."""
        try:
            return super().invoke(ctx)
        except (ConfigError, DataError) as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            raise click.ClickException(f"{error.filename or ctx.command_path}: {error.strerror or error}") from error


@click.group(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hippo-lab")
def main():
    """A laboratory for recurrent memory: every step from raw data to a table of the HiPPO papers."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")


def data_options(command):
    """Where data files may come from."""
    real = click.option("--require-real-data", is_flag=True, help="Fail rather than use synthetic recordings.")
    folder = click.option("--data-dir", type=FOLDER, help="Folder with data of your own; else HIPPO_DATA_DIR.")
    return folder(real(command))


def experiment_options(command):
    """Which experiment, at which scale."""
    scale = click.option("--scale", default="quick", show_default=True, help="smoke, quick or paper")
    return click.argument("experiment", type=FILE)(scale(command))


@main.command()
@click.argument("dataset")
@click.option("--out", type=FILE, help="Write where each file came from, as JSON.")
@data_options
def fetch(dataset, out, data_dir, require_real_data):
    """Bring the files of DATASET into the cache, verified; nothing is fetched twice."""
    from hippo import registry
    from hippo.data.sources import Sources
    from hippo.files import write_json

    options = registry.find("datasets", dataset, "hippo fetch")
    found = options().fetch(Sources(data_dir, require_real=require_real_data))
    for file, place in found.items():
        click.echo(f"{file}: {place}")
    if out:
        write_json(out, found)


@main.command()
@experiment_options
@click.option("--variant", required=True, help="Variant of the dataset, as the experiment file names it.")
@click.option("--out", type=FILE, required=True, help="The prepared dataset (.npz).")
@data_options
def prepare(experiment, scale, variant, out, data_dir, require_real_data):
    """Prepare one VARIANT of an experiment's dataset from fetched files."""
    from hippo.data.sources import Sources
    from hippo.lab.plan.experiment import load_experiment

    plan = load_experiment(experiment, scale)
    if variant not in plan.datasets:
        raise ConfigError(f"{experiment}: no variant {variant!r}; {closest(variant, plan.datasets)}")
    options = plan.datasets[variant]
    dataset = options.build(Sources(data_dir, require_real=require_real_data))
    dataset = replace(dataset, options={"name": plan.spec.dataset.name, **options.digest_content()})
    dataset.save(out)
    shapes = ", ".join(f"{name} {'×'.join(map(str, part.inputs.shape))}" for name, part in dataset.parts.items())
    click.echo(f"{out}: {shapes}; {dataset.source}; sha256 {dataset.digest[:16]}")


@main.command()
@experiment_options
@click.option("--variant", required=True)
@click.option("--model", required=True, help="Row of the table, as the experiment file names it.")
@click.option("--seed", type=click.IntRange(min=0), required=True)
@click.option("--data", type=FILE, required=True, help="The prepared dataset (hippo prepare).")
@click.option("--out", type=FOLDER, required=True, help="The trial's folder.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; by default what the experiment states.")
def train(experiment, scale, variant, model, seed, data, out, threads):
    """Run one trial, tracked, and write its folder."""
    from hippo.lab.plan.experiment import load_experiment

    trial = load_experiment(experiment, scale).trial(variant, model, seed)
    if not data.exists():
        raise ConfigError(f"{data}: no prepared dataset; make it with `hippo prepare` or through snakemake")
    from hippo.lab.training.interruption import Interruption
    from hippo.lab.training.run_trial import run_trial

    with Interruption() as interruption:
        outcome = run_trial(replace(trial, threads=threads or trial.threads), data, out, interruption)
        numbers = {key: value for key, value in outcome.items() if isinstance(value, int | float)}
        click.echo(f"{trial.name}: {outcome['status']} " + " ".join(f"{k}={v:.6g}" for k, v in numbers.items()))
        sys.stdout.flush()
        # Python takes a second to come down, in which a signal would make a finished trial look stopped.
        os._exit(0)


partial_option = click.option("--partial", is_flag=True, help="Trials are missing: the next run makes it whole.")


@main.command()
@experiment_options
@click.option("--trials", type=FOLDER, required=True, help="Folder of all trials of this scale.")
@click.option(
    "--out", type=FILE, required=True, help="The table: its .md, .csv, .tex, _seeds.csv and _pairs.csv are written."
)
@partial_option
def table(experiment, scale, trials, out, partial):
    """Make one table, Markdown, CSV and LaTeX, from its finished trials."""
    from hippo.lab.plan.experiments import find_experiment as find
    from hippo.lab.reporting.tables import write_table
    from hippo.lab.results.results import collect_results

    write_table(collect_results(find(str(experiment), scale), trials), out)
    _written(out, partial)


@main.command()
@experiment_options
@click.option("--trials", type=FOLDER, required=True, help="Folder of all trials of this scale.")
@click.option(
    "--out", type=FILE, required=True, help="The sweep; its .md, .csv, _seeds.csv, .png and .svg are written."
)
@partial_option
def sweep(experiment, scale, trials, out, partial):
    """Show what each value of a swept setting gave, and which one is chosen."""
    from hippo.lab.plan.experiment import load_experiment
    from hippo.lab.reporting.figures.sweep import plot_sweep
    from hippo.lab.reporting.sweep_page import write_sweep
    from hippo.lab.results.results import collect_results
    from hippo.lab.tracking.sweep_runs import record

    plan = load_experiment(experiment, scale)
    if not plan.spec.sweep:
        raise ConfigError(f"{experiment}: states no sweep; `hippo table` makes its table")
    results = collect_results(plan, trials)
    write_sweep(results, out)
    plot_sweep(results, out)
    record(plan, results.curve, out)
    _written(out, partial)


def _written(out, partial):
    """Show a page; a partial one is older than any outcome, so that Snakemake makes it whole."""
    if partial:
        os.utime(out.with_suffix(".md"), (1, 1))
    click.echo(out.with_suffix(".md").read_text(encoding="utf-8"))


@main.group()
def figure():
    """Figures beside the tables, each as .png and .svg."""


def _add_figure_commands():
    """One command `hippo figure NAME` per registered figure."""
    from hippo.lab.reporting.figure import available_figures

    for name, declared in available_figures().items():
        figure.command(name.replace("_", "-"), help=declared.caption)(_figure_command(declared))


def _figure_command(declared):
    """The function behind the command of one figure."""
    out = click.option("--out", type=FILE, required=True, help="The figure; its .png and .svg are written.")
    if declared.needs == "results":

        @experiment_options
        @click.option("--trials", type=FOLDER, required=True, help="Folder of all trials of this scale.")
        @out
        def command(experiment, scale, trials, out):
            from hippo.lab.plan.experiments import find_experiment
            from hippo.lab.results.results import collect_results

            declared.plot(collect_results(find_experiment(str(experiment), scale), trials), out)

    elif declared.needs == "benchmark":

        @click.argument("measured", type=FILE, default=declared.file)
        @out
        def command(measured, out):
            declared.plot(measured, out)

    else:

        @out
        def command(out):
            declared.plot(None, out)

    return command


_add_figure_commands()


@main.command()
@click.argument("experiments", type=FILE, nargs=-1)
@click.option("--scale", default="quick", show_default=True, help="smoke, quick or paper")
@click.option("--results", type=FOLDER, help="Folder of that scale's tables, trials and figures; else results/<scale>.")
@click.option("--out", type=FILE, help="The page; else report.html among the results.")
def report(experiments, scale, results, out):
    """Make one page of the tables, figures, times and settings of EXPERIMENTS (files), or of all that have a table.

    It opens offline.
    """
    from hippo.lab.plan.experiment import load_experiment
    from hippo.lab.reporting.pages import experiments_with_pages
    from hippo.lab.reporting.report import write_report
    from hippo.lab.results.results import collect_results

    results = results or Path("results", scale)
    plans = [load_experiment(path, scale) for path in experiments or experiments_with_pages(results)]
    if not plans:
        raise ConfigError(f"{results}: no table in it; make one with `snakemake --config scale={scale}`")
    found = [collect_results(experiment, results / "trials") for experiment in plans]
    write_report(found, scale, results, out or results / "report.html")
    click.echo(out or results / "report.html")


@main.command()
@click.argument("benchmarks", type=FOLDER, nargs=-1, required=True)
@click.option("--since", type=float, default=0, help="Only jobs that ended after this time, in seconds since 1970.")
def times(benchmarks, since):
    """Print how long jobs took, from the folders of their BENCHMARKS."""
    from hippo.lab.reporting.timing import format_times

    click.echo(format_times(benchmarks, since))


@main.command()
@click.argument("name")
@click.option("--scale", default="quick", show_default=True, help="smoke, quick or paper")
@click.option("--results", type=FOLDER, help="Folder of that scale's trials; else results/<scale>.")
def show(name, scale, results):
    """Print the table NAME, or its file, with verdicts, from the trials that there are."""
    from hippo.lab.plan.experiments import find_experiment as find
    from hippo.lab.reporting.pages import format_page
    from hippo.lab.results.results import collect_results

    click.echo(format_page(collect_results(find(name, scale), (results or Path("results", scale)) / "trials")))


@main.command()
@click.argument("table", type=FILE)
@click.argument("model")
def explain(table, model):
    """Print settings, seeds, runs and command behind the row MODEL of TABLE, say results/quick/tables/pmnist.md."""
    from hippo.lab.plan.experiments import find_experiment
    from hippo.lab.reporting.explain import explain
    from hippo.lab.reporting.pages import locate_page
    from hippo.lab.results.results import collect_results

    name, scale, results = locate_page(table)
    click.echo(explain(collect_results(find_experiment(name, scale), results / "trials"), model))


@main.command()
@click.argument("one", type=FOLDER)
@click.argument("other", type=FOLDER)
def compare(one, other):
    """Print what differs between two results folders, ONE and OTHER: numbers, verdicts, settings, data, versions."""
    from hippo.lab.reporting.diff import compare

    click.echo(compare(one, other))


@main.group(invoke_without_command=True)
@click.option("--scale", default="quick", show_default=True, help="smoke, quick or paper, of the list")
@click.pass_context
def runs(context, scale):
    """The trials and their tracked runs; alone, it lists them."""
    if context.invoked_subcommand is None:
        context.invoke(runs_list, scale=scale)


@runs.command("list")
@click.argument("names", nargs=-1)
@click.option("--scale", default="quick", show_default=True, help="smoke, quick or paper")
@click.option("--results", type=FOLDER, help="Folder of that scale's trials; else results/<scale>.")
def runs_list(names, scale, results):
    """List the trials of the tables NAMES, or of all: status, epoch, time left."""
    from hippo.lab.plan.experiments import FOLDER as EXPERIMENTS
    from hippo.lab.plan.experiments import find_experiment as find
    from hippo.lab.reporting.listing import list_trials
    from hippo.lab.results.results import collect_results

    plans = [find(name, scale) for name in names or sorted(path.stem for path in EXPERIMENTS.glob("*.yaml"))]
    trials = (results or Path("results", scale)) / "trials"
    click.echo(list_trials([collect_results(experiment, trials) for experiment in plans]))


@runs.command("init")
@click.argument("experiments", nargs=-1, required=True)
@click.option("--out", type=FILE, help="Write the store's address and the experiments' ids, as JSON.")
def runs_init(experiments, out):
    """Make the MLflow store and one experiment per table, before parallel trials need them."""
    from hippo.files import write_json
    from hippo.lab.tracking.store import create_store, tracking_uri

    ids = create_store(list(experiments))
    click.echo(f"{tracking_uri()}: {', '.join(ids)}")
    if out:
        write_json(out, {"uri": tracking_uri(), "experiments": ids})


gone = click.option("--gone", metavar="HOST", multiple=True, help="Another machine whose processes are over too.")


@runs.command("import")
@click.argument("trials", type=FOLDER)
@gone
def runs_import(trials, gone):
    """Bring every trial under TRIALS into the store, each once: after a move, or a store that was away."""
    from hippo.lab.tracking.import_runs import import_trials

    for line in import_trials(trials, gone):
        click.echo(line)


@runs.command("reconcile")
@click.argument("results", type=FOLDER, default=Path("results"))
@gone
def runs_reconcile(results, gone):
    """End runs that the store believes running though their process on this machine is gone."""
    from hippo.lab.tracking.import_runs import reconcile

    for line in reconcile(results, gone):
        click.echo(line)


@main.command()
@click.option("--data-dir", type=FOLDER, help="Folder with data of your own; else HIPPO_DATA_DIR.")
@click.option("--results", type=FOLDER, default=Path("results"), show_default=True)
@click.option("--lock", type=FILE, default=Path("requirements.lock"), show_default=True)
def doctor(data_dir, results, lock):
    """Check the environment, and say what to mend; exit status 1 if something will not work."""
    from hippo.lab.doctor import examine

    logging.disable(logging.WARNING)  # what is missing is a finding here, and said once
    try:
        found = [click.echo(str(finding)) or finding.state for finding in examine(results, lock, data_dir)]
    finally:
        logging.disable(logging.NOTSET)
    sys.exit("problem" in found)


@main.command()
@click.option("--check", is_flag=True, help="Only say whether the files on disk are up to date.")
def schema(check):
    """Write the JSON schemas of the configuration files, from the definitions that validate them."""
    from hippo.lab.plan.schemas import outdated_schemas
    from hippo.lab.plan.schemas import write_schemas

    if not check:
        write_schemas()
    elif paths := outdated_schemas():
        sys.exit(f"out of date: {', '.join(map(str, paths))}; run `hippo schema`")


if __name__ == "__main__":
    main()
