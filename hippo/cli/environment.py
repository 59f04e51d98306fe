"""Commands for the environment: check it, write the schemas of configuration files."""

import logging
import sys
from pathlib import Path

import click

from hippo.cli.options import FILE, FOLDER


@click.command()
@click.option("--data-dir", type=FOLDER, help="Folder with your own data files; else HIPPO_DATA_DIR.")
@click.option(
    "--root", type=FOLDER, default=Path("results"), show_default=True, help="Folder of the results of all scales."
)
@click.option("--lock", type=FILE, default=Path("requirements.lock"), show_default=True)
def doctor(data_dir, root, lock):
    """Check the environment and say what to repair. The exit status is 1 if something will not work."""
    from hippo.lab.doctor import examine

    logging.disable(logging.WARNING)  # what is missing is reported once, as a finding
    try:
        found = [click.echo(str(finding)) or finding.state for finding in examine(root, lock, data_dir)]
    finally:
        logging.disable(logging.NOTSET)
    sys.exit("problem" in found)


@click.command()
@click.option("--check", is_flag=True, help="Only say whether the files on disk are up to date.")
def schema(check):
    """Write the JSON schemas of the configuration files, from the classes that validate them."""
    from hippo.lab.plan.schemas import outdated_schemas, write_schemas

    if not check:
        write_schemas()
    elif paths := outdated_schemas():
        sys.exit(f"out of date: {', '.join(map(str, paths))}; run `hippo schema`")
