"""The command that plots a registered figure."""

from pathlib import Path

import click

from hippo.cli.options import FILE, collect, scale_option, trials_option
from hippo.config import ConfigError


@click.command()
@click.argument("name")
@click.argument("source", required=False)
@scale_option
@trials_option
@click.option("--out", type=FILE, help="The figure; else in results/<scale>/figures. Written are .png and .svg.")
def figure(name, source, scale, trials, out):
    """Plot the figure NAME from SOURCE.

    SOURCE is an experiment, by name or file, for a figure of results; nothing for a figure of the memories; and the
    file of a benchmark, by default that of `make bench`, for a figure of a benchmark.
    """
    from hippo.lab.reporting.figure import find_figure, plot_figure

    declared = find_figure(name)
    stem = name
    if declared.needs == "results":
        if source is None:
            raise ConfigError(f"hippo figure {name}: name the experiment, for example `hippo figure {name} pmnist`")
        source = collect(source, scale, trials)
        if not declared.belongs_to(source.experiment):
            raise ConfigError(f"{source.experiment.path}: this experiment has no figure {name!r}")
        stem = f"{source.experiment.name}_{name}"
    elif declared.needs == "benchmark":
        source = Path(source) if source else declared.file
        if not source.exists():
            raise ConfigError(f"{source}: no such file; make it with `make bench`")
    elif source is not None:
        raise ConfigError(f"hippo figure {name}: this figure needs no experiment")
    out = out or Path("results", scale, "figures", f"{stem}.png")
    plot_figure(name, source, out)
    click.echo(out)
