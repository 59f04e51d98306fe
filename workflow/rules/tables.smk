# One page per experiment: a table or a sweep.
PAGES = {
    "table": {".csv": "numbers", "_seeds.csv": "trials", ".md": None, ".tex": None, "_pairs.csv": None},
    "sweep": {".csv": "numbers", "_seeds.csv": "trials", ".png": "curve", ".md": None, ".svg": None},
}


def page_files(kind):
    """Files of a page; those with a title are also in Snakemake's own report."""
    for suffix, title in PAGES[kind].items():
        file = f"results/{{scale}}/{kind}s/{{experiment}}{suffix}"
        labels = {"what": title, "scale": "{scale}"}
        yield report(file, caption=f"../report/{kind}.rst", category="{experiment}", labels=labels) if title else file


def names_of(kind):
    """A pattern of the names of all experiments that end in a table, or in a sweep."""
    scales = {name: SETTINGS.scale if (name, SETTINGS.scale) in EXPERIMENTS else "paper" for name in EXPERIMENTS.files}
    names = [re.escape(name) for name, scale in scales.items() if kind_of(name, scale) == kind]
    return "|".join(names) or "(?!)"  # matches nothing


for kind in PAGES:

    rule:
        name:
            kind
        input:
            lambda w: outcomes_of(w.experiment, w.scale),
        output:
            *page_files(kind),
        wildcard_constraints:
            experiment=names_of(kind),
        log:
            f"logs/{{scale}}/{kind}/{{experiment}}.log",
        benchmark:
            f"results/{{scale}}/benchmarks/{kind}/{{experiment}}.tsv"
        localrule: True
        params:
            command=kind,
            file=file_of,
            plan=spec_of,
        shell:
            "hippo {params.command} {params.file} --scale {wildcards.scale}"
            " --trials results/{wildcards.scale}/trials --out {output[0]} > {log} 2>&1"
