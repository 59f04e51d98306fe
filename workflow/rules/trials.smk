# The tracking store, once; then one job per trial.
from hippo.lab.tracking.address import is_server
from hippo.lab.trials.up_to_date import is_up_to_date

UPSTREAM = {"fetch", "prepare", "store", "train"}  # rules that an outcome depends on


def trial_of(wildcards):
    """The trial that a job's wildcards name."""
    try:
        return experiment_of(wildcards).trial(wildcards.variant, wildcards.model, int(wildcards.seed))
    except ConfigError as error:
        refuse(error)


def trial_inputs(wildcards):
    """Inputs of a trial; none if its outcome is up to date, whatever the times of files say.

    No file is changed: an outcome that is out of date is added to those that Snakemake is forced to make again.
    """
    data, outcome = (path.format(**wildcards) for path in (DATA, OUTCOME))
    # A server exists already, and creates experiments for many trials at once without a race.
    inputs = [data] if is_server() else [data, ancient("mlruns/store.json")]
    if not workflow.is_main_process or is_forced(outcome, data):
        return inputs
    if is_up_to_date(trial_of(wildcards), Path(outcome), Path(data), SETTINGS.require_real_data):
        return []
    if Path(outcome).exists():
        workflow.dag.forcefiles.add(outcome)  # in memory; Snakemake itself does so with incomplete outputs
    return inputs


def is_forced(outcome, data):
    """Whether the command line asks to make an outcome, or what it depends on, although it is up to date."""
    asked = workflow.dag_settings
    named = UPSTREAM | {outcome, data}
    return bool(asked.forceall or named & asked.forcerun or (asked.forcetargets and named & asked.targets))


def trains_again():
    """Whether the command line asks to train trials again whose outcome is up to date."""
    asked = workflow.dag_settings
    named = asked.forcerun | (asked.targets if asked.forcetargets else set())
    return asked.forceall or any(name == "train" or name.endswith("/metrics.json") for name in named)


def request(resource):
    """What the experiment file says that a trial needs of the machine."""
    return lambda wildcards: getattr(experiment_of(wildcards).spec.resources, resource)


def turn(wildcards):
    """Priority of a trial: every model's first seed before the second; models in the order of their file."""
    models = list(experiment_of(wildcards).models)
    return -(int(wildcards.seed) * len(models) + models.index(wildcards.model))


rule store:
    output:
        "mlruns/store.json",
    log:
        "logs/store.log",
    benchmark:
        "results/benchmarks/store.tsv"
    localrule: True
    shell:
        # No params: a new experiment does not make finished trials out of date.
        f"hippo runs init {' '.join(EXPERIMENTS.files)} --out {{output}} > {{log}} 2>&1"


rule train:
    input:
        trial_inputs,
    output:
        OUTCOME,
    log:
        "logs/{scale}/train/" + TRIAL + ".log",
    benchmark:
        "results/{scale}/benchmarks/train/" + TRIAL + ".tsv"
    # The Snakemake that a Slurm job starts must not retry, too: retries would multiply.
    retries: SETTINGS.retries if workflow.is_main_process else 0
    priority: turn
    threads: request("threads")
    resources:
        mem_mb=request("mem_mb"),
        runtime=request("runtime"),
        gpu=request("gpu"),
        trials=1,  # profiles/slurm: at most so many at once in one job
        **SETTINGS.slurm_resources(),
    params:
        file=file_of,
        data=DATA,
        folder="results/{scale}/trials/" + TRIAL,
        trial=lambda w: trial_of(w).digest,
    shell:
        # A finished trial is restored, not trained, unless the environment has HIPPO_FORCE_TRAIN (handlers.smk).
        # --wait: a job of a Snakemake that was killed may still be running the trial.
        # exec: a shell in between would die of a signal first, and Slurm would kill the trial while it saves its state.
        "exec hippo train {params.file} --scale {wildcards.scale} --variant {wildcards.variant} --model {wildcards.model}"
        " --seed {wildcards.seed} --threads {threads} --data {params.data} --out {params.folder} --wait > {log} 2>&1"
