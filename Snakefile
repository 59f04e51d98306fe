# Every table of the HiPPO papers: `snakemake --cores all`, or one of them by name, `snakemake --cores 2 pmnist`.
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from hippo.config import ConfigError
from hippo.lab import experiment as experiments
from hippo.lab.settings import chosen, experiment_files, read_settings


configfile: "config/config.yaml"


# Jobs call `hippo` from this interpreter's environment, activated or not.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


try:
    SETTINGS = read_settings(config)
    FILES = experiment_files()
    TABLES = chosen(SETTINGS, FILES)
    PLANS = {(name, scale): experiments.load(path, scale) for name, path in FILES.items() for scale in experiments.SCALES}
except ConfigError as error:
    raise WorkflowError(str(error))


wildcard_constraints:
    scale="|".join(experiments.SCALES),
    experiment="|".join(FILES),
    variant="[^/]+",
    model="[^/]+",
    seed=r"\d+",


localrules:
    all,


rule all:
    input:
        expand("results/{scale}/tables/{experiment}.md", scale=SETTINGS.scale, experiment=TABLES),


include: "workflow/rules/data.smk"
include: "workflow/rules/trials.smk"
include: "workflow/rules/tables.smk"


onsuccess:
    shell("hippo times results/benchmarks results/{SETTINGS.scale}/benchmarks")
