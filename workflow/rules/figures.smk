# Figures of an experiment's trials, and of the memories themselves.
ABOUT = {
    "learning_curves": "learning curves",
    "ranks": "ranks",
    "signals": "reconstructed signal",
    "speed_curve": "accuracy against speed",
    "memory_errors": "errors of the memories",
    "basis_functions": "basis functions",
    "kernel_speed": "speed of the kernels",
}
MEASURED = "results/bench/kernels.csv"  # by `make bench`


def figures(scale):
    """The figures that belong to the tables asked for."""
    names = ["basis_functions", *(["kernel_speed"] if Path(MEASURED).exists() else [])]
    for name in TABLES:
        experiment = EXPERIMENTS[name, scale]
        plan = experiment.spec
        if plan.sweep:
            continue
        names += [f"{name}_learning_curves"] if experiment.task.trained else []
        names += [f"{name}_ranks"] if len(plan.models) > 2 and len(plan.variants) * plan.seeds > 1 else []
        names += [f"{name}_speed_curve"] if any(getattr(d, "speeds", ()) for d in experiment.datasets.values()) else []
        names += [f"{name}_signals", "memory_errors"] if experiment.task_name == "reconstruction" else []
    return [f"results/{scale}/figures/{name}.png" for name in dict.fromkeys(names)]


def pictures(kind, experiment="memories"):
    """Both files of a figure; the first stands in Snakemake's own report, under its table."""
    stem = "results/{scale}/figures/" + (kind if experiment == "memories" else f"{{experiment}}_{kind}")
    labels = {"what": ABOUT[kind], "scale": "{scale}"}
    picture = report(f"{stem}.png", caption=f"../report/{kind}.rst", category=experiment, labels=labels)
    return [picture, f"{stem}.svg"]


for kind in ("learning_curves", "ranks", "signals", "speed_curve"):

    rule:
        name:
            kind
        input:
            lambda w: trials_of_experiment(w.experiment, w.scale),
        output:
            pictures(kind, "{experiment}"),
        log:
            f"logs/{{scale}}/figure/{{experiment}}_{kind}.log",
        benchmark:
            f"results/{{scale}}/benchmarks/figure/{{experiment}}_{kind}.tsv"
        threads: 1
        resources:
            mem_mb=1000,
            runtime=10,
            gpu=0,
        params:
            command=kind.replace("_", "-"),
            file=lambda w: FILES[w.experiment],
            plan=lambda w: EXPERIMENTS[w.experiment, w.scale].spec.model_dump_json(),
        shell:
            "hippo figure {params.command} {params.file} --scale {wildcards.scale}"
            " --trials results/{wildcards.scale}/trials --out {output[0]} > {log} 2>&1"


for kind in ("memory_errors", "basis_functions"):

    rule:
        name:
            kind
        output:
            pictures(kind),
        log:
            f"logs/{{scale}}/figure/{kind}.log",
        benchmark:
            f"results/{{scale}}/benchmarks/figure/{kind}.tsv"
        threads: 1
        resources:
            mem_mb=2000,
            runtime=20,
            gpu=0,
        params:
            command=kind.replace("_", "-"),
        shell:
            "hippo figure {params.command} --out {output[0]} > {log} 2>&1"


rule kernel_speed:
    input:
        MEASURED,
    output:
        pictures("kernel_speed"),
    log:
        "logs/{scale}/figure/kernel_speed.log",
    benchmark:
        "results/{scale}/benchmarks/figure/kernel_speed.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    shell:
        "hippo figure kernel-speed {input} --out {output[0]} > {log} 2>&1"
