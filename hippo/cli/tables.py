"""Commands for tables and sweeps: write, show, explain and compare them, and report on all."""

from pathlib import Path

import click

from hippo.cli.options import (
    FILE,
    FOLDER,
    check_scale,
    collect,
    experiment_argument,
    results_option,
    scale_option,
    trials_option,
)
from hippo.config import ConfigError


@click.command()
@experiment_argument
@trials_option
@click.option("--out", type=FILE, help="The table; else results/<scale>/tables/<experiment>.md.")
def table(experiment, scale, trials, out):
    """Write the table of EXPERIMENT, a name or a file, from its trials.

    Written are OUT as .md, .csv and .tex, OUT_seeds.csv with every trial, and OUT_pairs.csv with significance tests.
    """
    from hippo.lab.reporting.tables import write_table

    results = collect(experiment, scale, trials)
    if results.experiment.spec.sweep:
        raise ConfigError(f"{results.experiment.path}: describes a sweep; use `hippo sweep`")
    out = out or Path("results", scale, "tables", f"{results.experiment.name}.md")
    write_table(results, out)
    _show(out)


@click.command()
@experiment_argument
@trials_option
@click.option("--out", type=FILE, help="The sweep; else results/<scale>/sweeps/<experiment>.md.")
def sweep(experiment, scale, trials, out):
    """Write the sweep of EXPERIMENT, a name or a file, from its trials: scores at each value, and the chosen value.

    Written are OUT as .md, .csv, .png and .svg, and OUT_seeds.csv with every trial.
    """
    from hippo.lab.reporting.figures.sweep import plot_sweep
    from hippo.lab.reporting.sweep_page import write_sweep
    from hippo.lab.tracking.sweep_runs import record_sweep

    results = collect(experiment, scale, trials)
    if not results.experiment.spec.sweep:
        raise ConfigError(f"{results.experiment.path}: describes no sweep; use `hippo table`")
    out = out or Path("results", scale, "sweeps", f"{results.experiment.name}.md")
    write_sweep(results, out)
    plot_sweep(results, out)
    record_sweep(results.experiment, results.curve, out)
    _show(out)


def _show(out: Path) -> None:
    """Print a page, and remove the partial page that an earlier run with failed trials left."""
    name = out.stem
    if not name.endswith(".partial"):
        for partial in out.parent.glob(f"{name}.partial*"):
            partial.unlink(missing_ok=True)
    click.echo(out.with_suffix(".md").read_text(encoding="utf-8"))


@click.command()
@click.argument("experiments", nargs=-1)
@scale_option
@results_option
@click.option("--out", type=FILE, help="The page; else report.html among the results.")
def report(experiments, scale, results, out):
    """Write one page with the tables, figures, times and settings of EXPERIMENTS, names or files.

    Without arguments, of all experiments that have a table or a sweep. The page opens without a network.
    """
    from hippo.lab.reporting.report import write_report

    results = results or Path("results", scale)
    out = out or results / "report.html"
    write_report(_collect_all(experiments, scale, results), scale, results, out)
    click.echo(out)


@click.command("results")
@click.argument("experiments", nargs=-1)
@scale_option
@results_option
@click.option("--out", type=FILE, required=True, help="The Markdown page, for example docs/results.md.")
def results_page(experiments, scale, results, out):
    """Write one Markdown page with the tables of EXPERIMENTS, names or files.

    Without arguments, of all experiments. Those without a finished trial are named at the top.
    """
    from hippo.lab.plan.experiments import files_with_scales
    from hippo.lab.reporting.results_page import write_results_page

    trials = (results or Path("results", scale)) / "trials"
    names = experiments or [str(path) for path in files_with_scales([scale])]
    write_results_page([collect(name, scale, trials) for name in names], out)
    click.echo(out)


def _collect_all(experiments: tuple[str, ...], scale: str, results: Path) -> list:
    """Results of the named experiments, or of all that have a page in the folder `results` of one scale."""
    from hippo.lab.reporting.commands import make_command
    from hippo.lab.reporting.pages import experiments_with_pages

    names = experiments or [str(path) for path in experiments_with_pages(results)]
    if not names:
        raise ConfigError(f"{results}: contains no table; make one, for example with `{make_command('pmnist', scale)}`")
    return [collect(name, scale, results / "trials") for name in names]


@click.command()
@click.argument("experiment")
@scale_option
@results_option
def show(experiment, scale, results):
    """Print the table or sweep of EXPERIMENT, a name or a file, from the trials that exist."""
    from hippo.lab.reporting.pages import format_page

    click.echo(format_page(collect(experiment, scale, results and results / "trials")))


@click.command()
@click.argument("table")
@click.argument("model")
@scale_option
def explain(table, model, scale):
    """Print settings, seeds, runs and commands behind the numbers of MODEL in TABLE.

    TABLE is the name or file of an experiment, or the file of its table, for example results/quick/tables/pmnist.md.
    """
    from hippo.lab.reporting.explain import explain as explain_model
    from hippo.lab.reporting.pages import locate_page

    trials = None
    if Path(table).suffix == ".md":
        table, scale, folder = locate_page(Path(table))
        trials = folder / "trials"
    click.echo(explain_model(collect(table, scale, trials), model))


@click.command()
@click.argument("experiments", nargs=-1)
@click.option(
    "--scale",
    "scales",
    multiple=True,
    default=("quick", "paper"),
    show_default=True,
    callback=check_scale,
    help="May be repeated.",
)
@click.option("--write", type=FILE, help="A Markdown page with marks: write the table of headlines there.")
def claims(experiments, scales, write):
    """Print the papers' claims that the tables of EXPERIMENTS, names or files, check, with a verdict at each scale.

    Without arguments, of all experiments.
    """
    from hippo.lab.plan.experiments import files_with_scales
    from hippo.lab.reporting.claims import format_claims, write_headlines
    from hippo.lab.reporting.summary import place_of

    names = experiments or [str(path) for path in files_with_scales(scales)]
    found = [[collect(name, scale, None) for scale in scales] for name in names]
    found.sort(key=lambda scales: place_of(scales[0]))
    if not any(results[0].claims for results in found):
        raise ConfigError(f"no claim in {', '.join(names)}; state one under the key 'claims'")
    click.echo(format_claims(found))
    if write:
        write_headlines(found, write)


@click.command()
@click.argument("one", type=FOLDER)
@click.argument("other", type=FOLDER)
def compare(one, other):
    """Print what differs between two results folders: numbers, verdicts, settings, data and versions."""
    from hippo.lab.reporting.diff import compare as compare_folders

    click.echo(compare_folders(one, other))


@click.command()
@click.argument("benchmarks", type=FOLDER, nargs=-1, required=True)
@click.option("--since", type=float, default=0, help="Only jobs that ended after this time, in seconds since 1970.")
def times(benchmarks, since):
    """Print how long jobs took, from the folders of their BENCHMARKS, for example results/quick/benchmarks."""
    from hippo.lab.reporting.timing import format_times

    missing = [folder for folder in benchmarks if not folder.is_dir()]
    if missing:
        raise ConfigError(f"{missing[0]}: no such folder; name a folder of benchmarks, results/quick/benchmarks")
    click.echo(format_times(benchmarks, since))
