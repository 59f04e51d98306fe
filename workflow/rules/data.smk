# Raw files into the user's cache, then one prepared dataset per variant.


def dataset_of(wildcards):
    """The dataset name of an experiment."""
    return PLANS[wildcards.experiment, wildcards.scale].plan.dataset.name


def dataset_options(wildcards):
    """The resolved options of one variant: what makes a prepared dataset out of date."""
    plan = PLANS[wildcards.experiment, wildcards.scale]
    if wildcards.variant not in plan.datasets:
        raise WorkflowError(f"{plan.where}: no variant {wildcards.variant!r}; valid: {', '.join(plan.datasets)}")
    return plan.datasets[wildcards.variant].model_dump_json()


rule fetch:
    output:
        "data/sources/{dataset}.json",
    log:
        "logs/fetch/{dataset}.log",
    benchmark:
        "results/benchmarks/fetch/{dataset}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
        gpu=0,
    params:
        data=SETTINGS.data_flags(),
    shell:
        "hippo fetch {wildcards.dataset} --out {output} {params.data} > {log} 2>&1"


rule prepare:
    input:
        ancient(lambda w: f"data/sources/{dataset_of(w)}.json"),
    output:
        "data/{scale}/{experiment}/{variant}.npz",
    log:
        "logs/{scale}/prepare/{experiment}/{variant}.log",
    benchmark:
        "results/{scale}/benchmarks/prepare/{experiment}/{variant}.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
        gpu=0,
    params:
        file=lambda w: FILES[w.experiment],
        options=dataset_options,
        data=SETTINGS.data_flags(),
    shell:
        "hippo prepare {params.file} --scale {wildcards.scale} --variant {wildcards.variant}"
        " --out {output} {params.data} > {log} 2>&1"
