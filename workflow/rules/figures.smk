# Figures beside the tables.


def figures():
    """The figures that belong to the tables asked for."""
    names = {"reconstruction": ("reconstruction", "memory_errors"), "timescale": ("speed_curve",)}
    return [f"results/{SETTINGS.scale}/figures/{name}.png" for table in TABLES for name in names.get(table, ())]


rule reconstructions:
    input:
        lambda w: trials_of_experiment("reconstruction", w.scale),
    output:
        multiext("results/{scale}/figures/reconstruction", ".png", ".svg"),
    log:
        "logs/{scale}/figure/reconstruction.log",
    benchmark:
        "results/{scale}/benchmarks/figure/reconstruction.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        file=lambda w: FILES["reconstruction"],
    shell:
        "hippo figure reconstructions {params.file} --scale {wildcards.scale}"
        " --trials results/{wildcards.scale}/trials --out {output[0]} > {log} 2>&1"


rule speed_curve:
    input:
        lambda w: trials_of_experiment("timescale", w.scale),
    output:
        multiext("results/{scale}/figures/speed_curve", ".csv", ".png", ".svg"),
    log:
        "logs/{scale}/figure/speed_curve.log",
    benchmark:
        "results/{scale}/benchmarks/figure/speed_curve.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    params:
        file=lambda w: FILES["timescale"],
    shell:
        "hippo figure speed-curve {params.file} --scale {wildcards.scale}"
        " --trials results/{wildcards.scale}/trials --out {output[0]} > {log} 2>&1"


rule memory_errors:
    output:
        multiext("results/{scale}/figures/memory_errors", ".csv", ".png", ".svg"),
    log:
        "logs/{scale}/figure/memory_errors.log",
    benchmark:
        "results/{scale}/benchmarks/figure/memory_errors.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
        gpu=0,
    shell:
        "hippo figure memory-errors --out {output[0]} > {log} 2>&1"
