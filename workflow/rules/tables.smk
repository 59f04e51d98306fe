# One table per experiment, and a target by the experiment's name.


def trials_of_experiment(experiment, scale):
    """metrics.json of every trial of a table."""
    trials = PLANS[experiment, scale].trials()
    return [f"results/{scale}/trials/{trial.name}/metrics.json" for trial in trials]


rule table:
    input:
        lambda w: trials_of_experiment(w.experiment, w.scale),
    output:
        multiext("results/{scale}/tables/{experiment}", ".md", ".csv"),
    log:
        "logs/{scale}/table/{experiment}.log",
    benchmark:
        "results/{scale}/benchmarks/table/{experiment}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        file=lambda w: FILES[w.experiment],
        plan=lambda w: PLANS[w.experiment, w.scale].plan.model_dump_json(),
    shell:
        "hippo table {params.file} --scale {wildcards.scale} --trials results/{wildcards.scale}/trials"
        " --out {output[0]} > {log} 2>&1"


rule sweep:
    input:
        lambda w: trials_of_experiment(w.experiment, w.scale),
    output:
        multiext("results/{scale}/sweeps/{experiment}", ".md", ".csv", ".png", ".svg"),
    log:
        "logs/{scale}/sweep/{experiment}.log",
    benchmark:
        "results/{scale}/benchmarks/sweep/{experiment}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        file=lambda w: FILES[w.experiment],
        plan=lambda w: PLANS[w.experiment, w.scale].plan.model_dump_json(),
    shell:
        "hippo sweep {params.file} --scale {wildcards.scale} --trials results/{wildcards.scale}/trials"
        " --out {output[0]} > {log} 2>&1"


def page_of(name):
    """The page that an experiment ends in: a table, or a sweep."""
    kind = "sweeps" if PLANS[name, SETTINGS.scale].plan.sweep else "tables"
    return f"results/{SETTINGS.scale}/{kind}/{name}.md"


for name in FILES:

    rule:
        name:
            name
        input:
            page_of(name),
        localrule: True


rule sweeps:
    input:
        [page_of(name) for name in FILES if PLANS[name, SETTINGS.scale].plan.sweep],
    localrule: True
