# The tracking store, once; then one job per trial.
TRIAL = "{experiment}/{variant}/{model}/seed{seed}"
OUTCOME = "results/{scale}/trials/" + TRIAL + "/metrics.json"


def trial_of(wildcards):
    """The resolved trial that a job's wildcards name."""
    try:
        plan = EXPERIMENTS[wildcards.experiment, wildcards.scale]
        return plan.trial(wildcards.variant, wildcards.model, int(wildcards.seed))
    except ConfigError as error:
        sys.exit(str(error))


def forced():
    """Whether the command line asks for jobs to be done again that are up to date."""
    asked = workflow.dag_settings
    return bool(asked.forceall or asked.forcetargets or asked.forcerun)


def trial_needs(wildcards):
    """What a trial waits for and is made out of date by: nothing where its outcome stands, whatever files' times say."""
    data, outcome = (path.format(**wildcards) for path in (DATA, OUTCOME))
    if not forced() and stands(trial_of(wildcards), Path(outcome), Path(data), SETTINGS.require_real_data):
        return []
    with suppress(OSError):  # what does not stand is older than all it is made of, whatever its file's time says
        os.utime(outcome, (1, 1))
    edited = [FILES[wildcards.experiment]] if Path(outcome).exists() else []  # where Snakemake remembers no params
    return [data, ancient("mlruns/store.json"), *edited]


def asks(resource):
    """What a trial asks of the machine, from its experiment file."""
    return lambda wildcards: getattr(EXPERIMENTS[wildcards.experiment, wildcards.scale].spec.resources, resource)


rule store:
    output:
        "mlruns/store.json",
    log:
        "logs/store.log",
    benchmark:
        "results/benchmarks/store.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
        gpu=0,
    shell:
        # No params: a new experiment makes its own place in the store, and no finished trial out of date.
        f"hippo runs init {' '.join(FILES)} --out {{output}} > {{log}} 2>&1"


rule train:
    input:
        trial_needs,
    output:
        OUTCOME,
    log:
        "logs/{scale}/train/" + TRIAL + ".log",
    benchmark:
        "results/{scale}/benchmarks/train/" + TRIAL + ".tsv"
    retries: SETTINGS.retries
    threads: asks("threads")
    resources:
        mem_mb=asks("mem_mb"),
        runtime=asks("runtime"),
        gpu=asks("gpu"),
    params:
        file=lambda w: FILES[w.experiment],
        data=DATA,
        folder="results/{scale}/trials/" + TRIAL,
        trial=lambda w: trial_of(w).digest,
    shell:
        "hippo train {params.file} --scale {wildcards.scale} --variant {wildcards.variant} --model {wildcards.model}"
        " --seed {wildcards.seed} --threads {threads} --data {params.data} --out {params.folder} > {log} 2>&1"
