# Before and after a run: whose lock it is, partial pages of what failed, the time table.
from hippo.lab.workflow.snakemake_lock import record_process, recorded_at, release_stale_locks, remove_record
from hippo.lab.workflow.snakemake_scheduler import reevaluate_once

if workflow.is_main_process:
    release_stale_locks(Path(".snakemake"), sys.argv[1:])


def unfinished():
    """(scale, experiment) of every trial that this run began and that has no outcome."""
    files = (file for name in ("trial.yaml", "failure.json") for file in Path("results").glob(f"*/trials/*/*/*/*/{name}"))
    started = recorded_at(Path(".snakemake"))
    begun = (file.parent for file in files if file.stat().st_mtime >= started)
    axes = (folder.parts for folder in begun if not (folder / "metrics.json").exists())
    return sorted({(scale, name) for _, scale, _, name, *_ in axes if (name, scale) in EXPERIMENTS})


def deliver_late():
    """Deliver what trials could not deliver that ended while their server was away."""
    if any(Path("results").glob("*/trials/*/*/*/*/.undelivered")):
        shell("hippo runs import results --undelivered || true")


onstart:
    if is_server() and any(job.rule.name == "train" for job in workflow.dag.needrun_jobs()):
        # Once here, before the first trial: trials continue without a server that does not answer.
        shell(f"hippo runs init {' '.join(map(str, EXPERIMENTS.files))} > /dev/null")
    record_process(Path(".snakemake"))
    reevaluate_once(workflow.scheduler, workflow.local_exec)
    if trains_again():
        os.environ["HIPPO_FORCE_TRAIN"] = "1"  # read by `hippo train`; in params it would make outcomes out of date


onerror:
    # A page needs all of its trials. If one failed, a partial page shows what the others found; it is no output of a
    # rule, so that the next run makes the page.
    for scale, name in unfinished():
        kind = kind_of(name, scale)
        shell(f"hippo {kind} {EXPERIMENTS.files[name]} --scale {scale} --out results/{scale}/{kind}s/{name}.partial.md")
    for scale in dict(unfinished()):
        shell(f"hippo report --scale {scale} > /dev/null")
    deliver_late()
    remove_record(Path(".snakemake"))


onsuccess:
    deliver_late()
    if folders := [str(path) for path in (*Path("results").glob("benchmarks"), *Path("results").glob("*/benchmarks"))]:
        started = recorded_at(Path(".snakemake"))
        shell("hippo times --since {started} {folders}")
    shell("echo; ls results/{SETTINGS.scale}/report.html 2> /dev/null || true")  # the page to open
    remove_record(Path(".snakemake"))
