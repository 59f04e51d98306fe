# Planning of many thousand jobs: what keeps it fast, and what a dry run prints.
import gc
import sys

from snakemake.settings.enums import Quietness

# Planning creates objects that stay. With Python's defaults, they are searched for cycles again and again.
gc.set_threshold(100_000, 10, 10)


def asks_for_every_job():
    """Whether the command line asks a dry run to print every job."""
    asked = workflow.output_settings
    return bool(asked.quiet or asked.verbose or asked.debug_dag)


if workflow.is_main_process and workflow.output_settings.dryrun and not asks_for_every_job():
    # With exactly this value, Snakemake ends a dry run after the table of jobs. To print every job takes longer than to
    # plan it. The table is printed all the same: the loggers were set up before.
    workflow.output_settings.quiet = {Quietness.RULES, Quietness.PROGRESS}
    print("Dry run: the number of jobs of each rule. Every job and its reason: --quiet host", file=sys.stderr)
