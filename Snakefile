# Every table of the HiPPO papers: `snakemake --cores all`, or one of them by name, `snakemake --cores 2 pmnist`.
import os
import re
import sys
import time
from pathlib import Path

from snakemake.exceptions import WorkflowError

from hippo.config import ConfigError, closest
from hippo.lab.freshness import stands
from hippo.lab.plans import read_plans


configfile: "config/config.yaml"


STARTED = time.time()
# Jobs call `hippo` from this interpreter's environment, activated or not.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
try:
    SETTINGS, FILES, TABLES, PLANS = read_plans(config)
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


onerror:
    # A table waits for all of its trials; where one failed, what the others found is shown all the same.
    for name in (name for name in TABLES if not PLANS[name, SETTINGS.scale].plan.sweep):
        trials, out = (f"results/{SETTINGS.scale}/{kind}" for kind in ("trials", f"tables/{name}.md"))
        shell(f"hippo table {FILES[name]} --scale {SETTINGS.scale} --trials {trials} --out {out} --if-failed")


onsuccess:
    shell("hippo times --since {STARTED} results/benchmarks results/{SETTINGS.scale}/benchmarks")
    shell("echo; ls results/{SETTINGS.scale}/report.html 2> /dev/null || true")  # what to open in the end
