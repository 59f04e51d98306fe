# Raw files into the user's cache, then one prepared dataset per variant.
DATA = "data/{scale}/{experiment}/{variant}.npz"


def dataset_of(wildcards):
    """The dataset name of an experiment."""
    return EXPERIMENTS[wildcards.experiment, wildcards.scale].spec.dataset.name


def dataset_options(wildcards):
    """The resolved options of one variant: what makes a prepared dataset out of date."""
    plan = EXPERIMENTS[wildcards.experiment, wildcards.scale]
    if wildcards.variant not in plan.datasets:
        sys.exit(f"{plan.where}: no variant {wildcards.variant!r}; {closest(wildcards.variant, plan.datasets)}")
    return plan.datasets[wildcards.variant].model_dump_json()


def must_be_real(wildcards):
    """Whether a stand-in that was prepared before is now refused."""
    options = EXPERIMENTS[wildcards.experiment, wildcards.scale].datasets[wildcards.variant]
    return options.has_substitute and SETTINGS.require_real_data


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
    shell:
        # No params: where files came from does not make them, or what was made of them, out of date.
        f"hippo fetch {{wildcards.dataset}} --out {{output}} {SETTINGS.data_flags()} > {{log}} 2>&1"


rule prepare:
    input:
        ancient(lambda w: f"data/sources/{dataset_of(w)}.json"),
    output:
        DATA,
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
        real=must_be_real,
    shell:
        "hippo prepare {params.file} --scale {wildcards.scale} --variant {wildcards.variant}"
        f" --out {{output}} {SETTINGS.data_flags()} > {{log}} 2>&1"
