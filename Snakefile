# Every table of the HiPPO papers: `snakemake --cores all`, or one of them by name, `snakemake --cores 2 pmnist`.
import os
import re
import sys
import time
from contextlib import suppress
from pathlib import Path

from snakemake.exceptions import WorkflowError

from hippo.config import ConfigError, closest
from hippo.lab.trials.up_to_date import stands
from hippo.lab.plan.experiments import read_experiments


configfile: "config/config.yaml"


STARTED = time.time()
# Jobs call `hippo` from this interpreter's environment, activated or not.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
try:
    EXPERIMENTS = read_experiments(config)
    SETTINGS, FILES, TABLES = EXPERIMENTS.settings, EXPERIMENTS.files, EXPERIMENTS.requested
except ConfigError as error:
    raise WorkflowError(str(error))


wildcard_constraints:
    scale="smoke|quick|paper",
    experiment="|".join(map(re.escape, FILES)),
    variant="[^/]+",
    model="[^/]+",
    seed=r"0|[1-9]\d*",


rule all:
    input:
        lambda w: [file for name in TABLES for file in target(name)],
        f"results/{SETTINGS.scale}/report.html",
    localrule: True


include: "workflow/rules/data.smk"
include: "workflow/rules/trials.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/ends.smk"
