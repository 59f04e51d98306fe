# Raw files into the user's cache, then one prepared dataset per variant.


def dataset_of(wildcards):
    """The registered dataset of one variant."""
    experiment = experiment_of(wildcards)
    if wildcards.variant not in experiment.datasets:
        refuse(f"{experiment.where}: no variant {wildcards.variant!r}; {closest(wildcards.variant, experiment.datasets)}")
    return experiment.dataset_names[wildcards.variant]


def dataset_options(wildcards):
    """Options of one variant: a change makes its prepared dataset out of date."""
    return experiment_of(wildcards).datasets[wildcards.variant].model_dump_json()


def must_be_real(wildcards):
    """Whether a synthetic substitute that was prepared before is now refused."""
    options = experiment_of(wildcards).datasets[wildcards.variant]
    return options.has_substitute and SETTINGS.require_real_data


rule fetch:
    output:
        "data/sources/{dataset}.json",
    log:
        "logs/fetch/{dataset}.log",
    benchmark:
        "results/benchmarks/fetch/{dataset}.tsv"
    localrule: True
    resources:
        runtime=60,
    shell:
        # No params: the place that files came from makes no file out of date.
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
    localrule: True
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        file=file_of,
        options=dataset_options,
        real=must_be_real,
    shell:
        "hippo prepare {params.file} --scale {wildcards.scale} --variant {wildcards.variant}"
        f" --out {{output}} {SETTINGS.data_flags()} > {{log}} 2>&1"
