"""The command `hippo`: its groups of commands, one file each, put together."""

import logging

import click

from hippo.cli.data import fetch, prepare
from hippo.cli.demo import demo
from hippo.cli.environment import doctor, schema
from hippo.cli.figures import figure
from hippo.cli.options import Commands
from hippo.cli.runs import runs
from hippo.cli.tables import claims, compare, explain, report, results_page, show, sweep, table, times
from hippo.cli.trials import predict, train


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hippo-lab")
def hippo():
    """A laboratory for recurrent memory: every step from raw data to the tables of the HiPPO papers."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")


for command in (
    *(fetch, prepare, train, predict),
    *(table, sweep, figure, report, results_page),
    *(show, claims, explain, compare, times),
    *(runs, doctor, schema, demo),
):
    hippo.add_command(command)
