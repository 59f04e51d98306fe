# All tables of the HiPPO papers: `snakemake --cores all`. One of them: `snakemake --cores 2 pmnist`.
# At the scale of the papers, with the target before --config: `snakemake --cores all pmnist --config scale=paper`.


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/planning.smk"


wildcard_constraints:
    scale="|".join(SCALES),
    experiment="|".join(map(re.escape, EXPERIMENTS.files)),
    variant="[^/]+",
    model="[^/]+",
    seed=r"0|[1-9]\d*",


rule all:
    input:
        lambda w: [file for name in EXPERIMENTS.requested for file in files_of(name)],
        f"results/{SETTINGS.scale}/report.html",
    localrule: True


include: "workflow/rules/cluster.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/trials.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/targets.smk"
include: "workflow/rules/handlers.smk"
