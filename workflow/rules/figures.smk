# One rule per registered figure (entry points `hippo.figures`), with title and caption of its declaration; the report.
from hippo.lab.reporting.figure import available_figures

FIGURES = available_figures()


def stem_of(name):
    """Path of a figure without suffix, with wildcards."""
    return "results/{scale}/figures/" + (f"{{experiment}}_{name}" if FIGURES[name].needs == "results" else name)


def figure_files(name):
    """Both files of a figure; the first is also in Snakemake's own report."""
    labels = {"what": FIGURES[name].title, "scale": "{scale}"}
    category = "{experiment}" if FIGURES[name].needs == "results" else "memories"
    picture = report(f"{stem_of(name)}.png", caption="../report/figure.rst", category=category, labels=labels)
    return [picture, f"{stem_of(name)}.svg"]


def figure_inputs(figure):
    """What a figure is plotted from."""
    if figure.needs == "results":
        return lambda w: outcomes_of(w.experiment, w.scale)
    return [str(figure.file)] if figure.file else []


def figures_of_report(scale):
    """Figures of the experiments asked for; without a benchmark file, none of the benchmark."""
    for name, figure in FIGURES.items():
        if figure.file and not figure.file.exists():
            continue
        experiments = (EXPERIMENTS[experiment, scale] for experiment in EXPERIMENTS.requested)
        owners = [experiment.name for experiment in experiments if figure.belongs_to(experiment)]
        yield from dict.fromkeys(f"{stem_of(name)}.png".format(scale=scale, experiment=owner) for owner in owners)


for name, figure in FIGURES.items():
    is_of_experiment = figure.needs == "results"

    rule:
        name:
            name
        input:
            figure_inputs(figure),
        output:
            *figure_files(name),
        log:
            stem_of(name).replace("results/{scale}/figures", "logs/{scale}/figure") + ".log",
        benchmark:
            stem_of(name).replace("/figures/", "/benchmarks/figure/") + ".tsv"
        localrule: True
        resources:
            mem_mb=2000,
            runtime=20,
        params:
            name=name,
            source=file_of if is_of_experiment else figure.file or "",
            plan=spec_of if is_of_experiment else None,
            caption=figure.caption,
        shell:
            "hippo figure {params.name} {params.source} --scale {wildcards.scale}"
            " --trials results/{wildcards.scale}/trials --out {output[0]} > {log} 2>&1"


rule report:
    input:
        lambda w: [page_of(name, w.scale) for name in EXPERIMENTS.requested],
        lambda w: figures_of_report(w.scale),
    output:
        "results/{scale}/report.html",
    log:
        "logs/{scale}/report.log",
    benchmark:
        "results/{scale}/benchmarks/report.tsv"
    localrule: True
    shell:
        # On every table and sweep that exists, not only on those that this run makes.
        "hippo report --scale {wildcards.scale} --out {output} > {log} 2>&1"
