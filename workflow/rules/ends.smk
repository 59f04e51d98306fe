# What is said and shown when a run is over.


def unfinished():
    """(scale, experiment) of every trial that this run began and did not end."""
    begun = (path for path in Path("results").glob("*/trials/*/*/*/*/trial.yaml") if path.stat().st_mtime >= STARTED)
    axes = (path.parts for path in begun if not path.with_name("metrics.json").exists())
    return sorted({(scale, name) for _, scale, _, name, *_ in axes if (name, scale) in EXPERIMENTS})


onerror:
    # A page waits for all of its trials; where one failed, what the others found is shown all the same.
    for scale, name in unfinished():
        kind = "sweep" if EXPERIMENTS[name, scale].spec.sweep else "table"
        shell(
            f"hippo {kind} {FILES[name]} --scale {scale} --trials results/{scale}/trials"
            f" --out results/{scale}/{kind}s/{name}.md --partial"
        )
    for scale in dict(unfinished()):
        shell(f"hippo report --scale {scale} > /dev/null")


onsuccess:
    shell("hippo times --since {STARTED} results/benchmarks results/{SETTINGS.scale}/benchmarks")
    shell("echo; ls results/{SETTINGS.scale}/report.html 2> /dev/null || true")  # what to open in the end
