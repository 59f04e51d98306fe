# One table or sweep per experiment, and a target by the experiment's name; then the report over all of them.


def trials_of_experiment(experiment, scale):
    """metrics.json of every trial of a table."""
    trials = EXPERIMENTS[experiment, scale].trials()
    return [f"results/{scale}/trials/{trial.name}/metrics.json" for trial in trials]


def reported(folder, suffix, what, caption):
    """A file of a table or sweep that stands in Snakemake's own report too."""
    file = f"results/{{scale}}/{folder}/{{experiment}}{suffix}"
    labels = {"what": what, "scale": "{scale}"}
    return report(file, caption=f"../report/{caption}.rst", category="{experiment}", labels=labels)


def named(swept):
    """A pattern of the experiments that end in a sweep, or in a table."""
    names = [re.escape(name) for name in FILES if bool(EXPERIMENTS[name, SETTINGS.scale].spec.sweep) == swept]
    return "|".join(names) or "(?!)"  # which nothing matches


rule table:
    input:
        lambda w: trials_of_experiment(w.experiment, w.scale),
    output:
        "results/{scale}/tables/{experiment}.md",
        "results/{scale}/tables/{experiment}.tex",
        "results/{scale}/tables/{experiment}_pairs.csv",
        reported("tables", ".csv", "numbers", "table"),
        reported("tables", "_seeds.csv", "trials", "table"),
    wildcard_constraints:
        experiment=named(swept=False),
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
        plan=lambda w: EXPERIMENTS[w.experiment, w.scale].spec.model_dump_json(),
    shell:
        "hippo table {params.file} --scale {wildcards.scale} --trials results/{wildcards.scale}/trials"
        " --out {output[0]} > {log} 2>&1"


rule sweep:
    input:
        lambda w: trials_of_experiment(w.experiment, w.scale),
    output:
        "results/{scale}/sweeps/{experiment}.md",
        reported("sweeps", ".csv", "numbers", "sweep"),
        reported("sweeps", "_seeds.csv", "trials", "sweep"),
        reported("sweeps", ".png", "curve", "sweep"),
        "results/{scale}/sweeps/{experiment}.svg",
    wildcard_constraints:
        experiment=named(swept=True),
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
        plan=lambda w: EXPERIMENTS[w.experiment, w.scale].spec.model_dump_json(),
    shell:
        "hippo sweep {params.file} --scale {wildcards.scale} --trials results/{wildcards.scale}/trials"
        " --out {output[0]} > {log} 2>&1"


def page_of(name, scale=SETTINGS.scale):
    """The page that an experiment ends in: a table, or a sweep."""
    kind = "sweeps" if EXPERIMENTS[name, scale].spec.sweep else "tables"
    return f"results/{scale}/{kind}/{name}.md"


rule report:
    input:
        lambda w: [page_of(name, w.scale) for name in TABLES],
        lambda w: figures(w.scale),
    output:
        "results/{scale}/report.html",
    log:
        "logs/{scale}/report.log",
    benchmark:
        "results/{scale}/benchmarks/report.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    shell:
        # Of every table and sweep that there is, not of those alone that this run was asked for.
        "hippo report --scale {wildcards.scale} --out {output} > {log} 2>&1"


def target(name):
    """An experiment's page and its trials: one that is missing is then trained though a page, made without it, is here."""
    return [page_of(name), *trials_of_experiment(name, SETTINGS.scale)]


for name in FILES:

    rule:
        name:
            name
        input:
            target(name),
        localrule: True


rule sweeps:
    input:
        [file for name in FILES if EXPERIMENTS[name, SETTINGS.scale].spec.sweep for file in target(name)],
    localrule: True
